package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"onair/server/buildinfo"
	"onair/server/config"
	"onair/server/node"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError is an error in the arguments or in the configuration.
type usageError struct{ error }

// configLoader loads the configuration anew from all sources. Its errors are usageErrors.
type configLoader func() (*config.Config, error)

// runE returns the function of a command that needs the configuration.
func (load configLoader) runE(run func(cmd *cobra.Command, args []string, cfg *config.Config) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		return run(cmd, args, cfg)
	}
}

// run runs the command line and returns the exit code.
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

// newRootCommand returns the tree of commands. The default is serve.
func newRootCommand(environ []string, stdout, stderr io.Writer) *cobra.Command {
	flags := config.NewFlagSet()
	load := configLoader(func() (*config.Config, error) {
		cfg, err := config.LoadWithFlags(flags, environ)
		if err != nil {
			return nil, usageError{err}
		}
		return cfg, nil
	})
	serve := load.runE(func(cmd *cobra.Command, _ []string, cfg *config.Config) error {
		return serveNode(cmd.Context(), cfg, load, stdout, stderr)
	})
	root := &cobra.Command{
		Use: "server", Short: "onair: who is on air now?", RunE: serve, Args: rejectArguments,
		SilenceUsage: true, SilenceErrors: true,
		Long: "onair serves the live list of a streaming app to all of its clients. Without a command it serves.\n" +
			"The configuration key a.b_c is a.b_c in the file, ONAIR_A_B_C in the environment and --a.b-c as a flag.",
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().AddFlagSet(flags)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		&cobra.Command{Use: "serve", Short: "serve sockets and HTTP (the default)", RunE: serve, Args: rejectArguments},
		newTokenCommand(load, stdout),
		newSignCommand(load, stdout),
		newConfigCommand(load, stdout),
		newMigrateCommand(flags, environ, stdout, stderr),
		newConformanceCommand(stdout),
		newHealthCommand(func() (string, error) { return config.OpsListenAddressOrDefault(flags, environ) }, stdout),
		&cobra.Command{
			Use: "version", Short: "print the version", Args: rejectArguments,
			RunE: func(*cobra.Command, []string) error { _, err := fmt.Fprintln(stdout, buildinfo.Version()); return err },
		},
	)
	return root
}

// rejectArguments returns an error if there are arguments.
func rejectArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command %q: --help lists the commands", args[0])}
	}
	return nil
}
