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

// newTokenCommand returns the command that signs a token with the configured secret.
func newTokenCommand(load configLoader, stdout io.Writer) *cobra.Command {
	var role, sub string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use: "token", Short: "sign a token with the configured secret", Args: rejectArguments,
		Example: "  server token --role anchor --sub alice --ttl 1h",
		RunE: load.runE(func(_ *cobra.Command, _ []string, cfg *config.Config) error {
			if slices.Contains(cfg.GeneratedSecrets, "auth.secret") {
				return usageError{errors.New("auth.secret: no secret is configured: " +
					"set the secret of your server, or use the tokens that it printed at start")}
			}
			token, err := signToken(cfg, auth.Role(role), sub, ttl, time.Now())
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprintln(stdout, token)
			return err
		}),
	}
	cmd.Flags().StringVar(&role, "role", "viewer", "role of the user: anchor, viewer, backend or admin")
	cmd.Flags().StringVar(&sub, "sub", "", "user id; required")
	cmd.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long the token is valid")
	return cmd
}

// signToken returns a token that is signed with the configured HS256 secret. Its errors name
// the flag or the key that is wrong.
func signToken(cfg *config.Config, role auth.Role, userID string, ttl time.Duration, now time.Time) (token string, err error) {
	switch {
	case role != auth.Anchor && role != auth.Viewer && role != auth.Backend && role != auth.Admin:
		return "", fmt.Errorf("--role: invalid value %q: must be anchor, viewer, backend or admin", role)
	case userID == "":
		return "", errors.New("--sub: the user id is required")
	case ttl <= 0:
		return "", fmt.Errorf("--ttl: invalid value %s: must be more than 0", ttl)
	}
	who := auth.Identity{Subject: userID, Role: role}
	// With several keys the header of a token must name the one that signed it.
	for _, kid := range slices.Sorted(maps.Keys(cfg.Auth.Secrets)) {
		return auth.SignToken([]byte(cfg.Auth.Secrets[kid].Reveal()), kid, who, ttl, now)
	}
	if secret := cfg.Auth.Secret; secret != "" {
		return auth.SignToken([]byte(secret.Reveal()), "", who, ttl, now)
	}
	return "", errors.New("auth.secret: signing a token requires an HS256 secret, and none is configured")
}
