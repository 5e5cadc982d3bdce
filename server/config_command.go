package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"onair/server/certificate"
	"onair/server/config"
	"onair/server/runtimeconfig"
)

// newConfigCommand returns the command that checks or prints the configuration.
func newConfigCommand(load configLoader, stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "check or print the configuration",
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("config: the argument must be check or print")}
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "check the configuration, its keys and its certificate", Args: rejectArguments,
		RunE: load.runE(func(c *cobra.Command, _ []string, cfg *config.Config) error {
			if err := checkConfig(c.Context(), cfg); err != nil {
				return usageError{err}
			}
			_, err := fmt.Fprintln(stdout, "the configuration is valid")
			return err
		}),
	}, &cobra.Command{
		Use: "print", Short: "print each key with its value and the origin of the value, without secrets", Args: rejectArguments,
		RunE: load.runE(func(_ *cobra.Command, _ []string, cfg *config.Config) error {
			_, err := stdout.Write(cfg.RedactedYAMLWithOrigins())
			return err
		}),
	})
	return cmd
}

// checkConfig builds signers, verifiers and the certificate as a start does, and discards them.
func checkConfig(ctx context.Context, cfg *config.Config) error {
	if err := runtimeconfig.TryBuildOffline(ctx, cfg); err != nil {
		return err
	}
	_, err := certificate.NewIfConfigured(&cfg.TLS, nil, zerolog.Nop())
	return err
}
