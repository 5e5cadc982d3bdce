package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"onair/server/auth"
	"onair/server/config"
)

// newTokenCommand mints a token with the configured secret.
func newTokenCommand(load func() (*config.Config, error), stdout io.Writer) *cobra.Command {
	var role, sub string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use: "token", Short: "mint a token with the configured secret", Args: rejectArguments,
		Example: "  server token --role anchor --sub alice --ttl 1h",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if slices.Contains(cfg.GeneratedSecrets, "auth.secret") {
				return usageError{errors.New("auth.secret: no server knows a secret that is made up now; " +
					"give the one that your server has, or take the tokens that it printed")}
			}
			text, err := signToken(cfg, auth.Role(role), sub, ttl, time.Now())
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprintln(stdout, text)
			return err
		},
	}
	cmd.Flags().StringVar(&role, "role", "viewer", "anchor, viewer, backend or admin")
	cmd.Flags().StringVar(&sub, "sub", "", "the user id")
	cmd.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long it holds")
	return cmd
}

// signToken signs a token with the secret that the configuration has.
func signToken(cfg *config.Config, role auth.Role, sub string, ttl time.Duration, now time.Time) (string, error) {
	switch {
	case role != auth.Anchor && role != auth.Viewer && role != auth.Backend && role != auth.Admin:
		return "", fmt.Errorf("--role: %q is none of anchor, viewer, backend, admin", role)
	case sub == "":
		return "", errors.New("--sub: a token needs a user id")
	case ttl <= 0:
		return "", errors.New("--ttl: it must be longer than nothing")
	}
	who := auth.Identity{Subject: sub, Role: role}
	// With several keys a token must say which one signed it.
	for _, kid := range slices.Sorted(maps.Keys(cfg.Auth.Secrets)) {
		return auth.SignToken([]byte(cfg.Auth.Secrets[kid].Reveal()), kid, who, ttl, now)
	}
	if secret := cfg.Auth.Secret; secret != "" {
		return auth.SignToken([]byte(secret.Reveal()), "", who, ttl, now)
	}
	return "", errors.New("auth.secret: tokens are minted with an HS256 secret, and none is configured")
}
