package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"onair/server/auth"
	"onair/server/conformance"
)

// errStepsFailed is returned when the client under test failed a step of the script.
var errStepsFailed = errors.New("conformance: steps failed")

// newConformanceCommand returns the command that tests a client of the protocol.
func newConformanceCommand(stdout io.Writer) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "conformance anchor|viewer", Short: "test a client: play the server's part of a script, and report the steps that fail",
		Long: "conformance plays the server's part of a script to the client under test: a broadcast (anchor) or a list (viewer).\n" +
			"It prints the URL and the token for the client, actions for its user (do), what the app must show (show), and a result for each step: ok, failed or\n" +
			"skipped. It serves no list and reads no configuration. Exit code 0: all steps passed. docs/clients.md describes the steps.",
		Example: "  server conformance anchor\n  server conformance viewer --listen 0.0.0.0:8090",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "anchor" && args[0] != "viewer" {
				return usageError{errors.New("conformance: the argument must be anchor or viewer")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			script, err := conformance.EmbeddedScript(args[0])
			if err != nil {
				return err
			}
			who := auth.Identity{Subject: "conformance", Role: auth.Role(args[0])}
			token, err := auth.SignToken([]byte(rand.Text()+rand.Text()), "", who, 24*time.Hour, time.Now())
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			if _, err := fmt.Fprintf(stdout, "url     ws://%s/v1/%s\ntoken   %s\n", l.Addr(), args[0], token); err != nil {
				return errors.Join(err, l.Close())
			}
			passed, err := conformance.NewPlayer(script, token, stdout).Play(c.Context(), l)
			if err == nil && !passed {
				err = errStepsFailed
			}
			return err
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8090", "address that the client under test connects to")
	return cmd
}
