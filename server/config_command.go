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

// newConfigCommand checks and shows the configuration without serving.
func newConfigCommand(load func() (*config.Config, error), stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "check or print the configuration",
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("config: say check or print")}
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "say what is wrong with the configuration, its keys and its certificate", Args: rejectArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if err := checkConfig(c.Context(), cfg); err != nil {
				return err
			}
			_, err = fmt.Fprintln(stdout, "the configuration is all right")
			return err
		},
	}, &cobra.Command{
		Use: "print", Short: "print every key with its value and where that came from; secrets are left out", Args: rejectArguments,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			_, err = stdout.Write(cfg.Print())
			return err
		},
	})
	return cmd
}

// checkConfig makes what a start would make of keys and certificates, and gives it up.
func checkConfig(ctx context.Context, cfg *config.Config) error {
	if err := runtimeconfig.Check(ctx, cfg); err != nil {
		return usageError{err}
	}
	if _, err := certificate.New(&cfg.TLS, nil, zerolog.Nop()); err != nil {
		return usageError{err}
	}
	return nil
}
