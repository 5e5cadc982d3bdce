package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"onair/server/admission"
	"onair/server/auth"
	"onair/server/buildinfo"
	"onair/server/config"
	"onair/server/logging"
	"onair/server/node"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError is what is wrong with how the command was called or configured.
type usageError struct{ error }

// run is the whole command: it returns the exit code.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	root := newRootCommand(environ, stdout, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "onair: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nonair: "))
	_, isUsage := errors.AsType[usageError](err)
	_, isConfig := errors.AsType[node.ConfigError](err)
	if isUsage || isConfig {
		return exitUsage
	}
	return exitFailure
}

// newRootCommand is the tree of commands; serve is the default.
func newRootCommand(environ []string, stdout, stderr io.Writer) *cobra.Command {
	flags := config.Flags()
	load := func() (*config.Config, error) {
		cfg, err := config.FromFlags(flags, environ)
		if err != nil {
			return nil, usageError{err}
		}
		return cfg, nil
	}
	serve := func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		return serveNode(cmd.Context(), cfg, load, stdout, stderr)
	}
	root := &cobra.Command{
		Use: "server", Short: "onair: who is on air now?", RunE: serve, Args: rejectArguments,
		SilenceUsage: true, SilenceErrors: true,
		Long: "onair keeps the live list of a streaming app and tells it to everybody at once.\n" +
			"Without a command it serves. A key a.b_c of the file is ONAIR_A_B_C in the environment and --a.b-c as a flag.",
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().AddFlagSet(flags)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		&cobra.Command{Use: "serve", Short: "serve sockets and HTTP (the default)", RunE: serve, Args: rejectArguments},
		newTokenCommand(load, stdout),
		newSignCommand(load, stdout),
		newConfigCommand(load, stdout),
		newConformanceCommand(stdout),
		newHealthCommand(func() (string, error) { return config.OpsListen(flags, environ) }, stdout),
		&cobra.Command{
			Use: "version", Short: "print the version", Args: rejectArguments,
			RunE: func(*cobra.Command, []string) error { _, err := fmt.Fprintln(stdout, buildinfo.Version()); return err },
		},
	)
	return root
}

func rejectArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is no command; --help lists them", args[0])}
	}
	return nil
}

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

// serveNode runs a node until ctx ends, and reads the configuration again at
// each SIGHUP.
func serveNode(ctx context.Context, cfg *config.Config, load func() (*config.Config, error), stdout, stderr io.Writer) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	log, level := logging.New(cfg, stderr)
	admission.LowerSocketLimit(cfg, log)
	reg := prometheus.NewRegistry()
	store, isShared, err := node.OpenStore(cfg, reg, log)
	if err != nil {
		return err
	}
	n, err := node.New(ctx, node.Options{
		Config: cfg, Store: store, IsShared: isShared, Metrics: reg, Log: log, Level: level,
		Hangups: hangups, LoadConfig: load, TuneGC: true,
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	public, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), store.Close())
	}
	ops, err := net.Listen("tcp", cfg.Ops.Listen)
	if err != nil {
		public.Close()
		return errors.Join(fmt.Errorf("ops.listen: %w", err), store.Close())
	}
	if len(cfg.GeneratedSecrets) > 0 {
		if err := printBanner(stdout, cfg, public.Addr().String(), ops.Addr().String()); err != nil {
			log.Warn().Err(err).Msg("could not print the greeting")
		}
	}
	return n.Serve(ctx, public, ops)
}
