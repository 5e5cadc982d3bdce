package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is how long a server that is alive takes to say so, at most.
const healthTimeout = 3 * time.Second

// newHealthCommand asks the server that has this configuration whether it lives.
// It asks /healthz: who calls it, such as Docker, starts a server anew that is
// not well, which helps none that is full, drains, or waits for its Redis.
// Where to send new sockets is for /readyz to say, to a balancer.
func newHealthCommand(opsListen func() (string, error), stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "ask the server that runs with this configuration whether it lives", Args: rejectArguments,
		Long: "health asks /healthz at ops.listen, which it finds as the server does: by flag, environment, file or default.\n" +
			"Exit code 0: it lives. 1: it does not answer, and why. For the health check of a container.",
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := opsListen()
			if err != nil {
				return err
			}
			said, err := fetchHealth(c.Context(), address)
			if err != nil {
				return fmt.Errorf("health: %w", err)
			}
			_, err = fmt.Fprintln(stdout, said)
			return err
		},
	}
}

// fetchHealth asks a server by the address that it listens on: one without a
// host, or 0.0.0.0, is this machine's.
func fetchHealth(ctx context.Context, address string) (string, error) {
	if _, port, err := net.SplitHostPort(address); err != nil || port == "0" {
		return "", fmt.Errorf("ops.listen is %q, where nothing can be asked", address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return "", err
	}
	// Not the default client: a proxy of the environment has no part in this.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: healthTimeout}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return "", err
	}
	said := res.Status + " " + strings.TrimSpace(string(body))
	if res.StatusCode != http.StatusOK {
		return "", errors.New(said)
	}
	return said, nil
}
