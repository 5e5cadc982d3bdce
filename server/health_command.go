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

// healthTimeout bounds the request to /healthz.
const healthTimeout = 3 * time.Second

// newHealthCommand returns the command that checks whether the server of this configuration
// runs. It uses /healthz, because callers such as Docker restart an unhealthy server. A
// restart does not help a server that is full, drains, or waits for Redis. Load balancers
// use /readyz instead.
func newHealthCommand(opsListen func() (string, error), stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "check that the server of this configuration runs", Args: rejectArguments,
		Long: "health requests /healthz at ops.listen, which it reads as the server does: from a flag, the environment, the file or the default.\n" +
			"Exit code 0: the server runs. 1: it does not answer; the error has the reason. Use it as the health check of a container.",
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := opsListen()
			if err != nil {
				return err
			}
			status, err := fetchHealth(c.Context(), address)
			if err != nil {
				return fmt.Errorf("health: %w", err)
			}
			_, err = fmt.Fprintln(stdout, status)
			return err
		},
	}
}

// fetchHealth requests /healthz at the address that a server listens on, and returns its
// status line and body. An address without a host, or with 0.0.0.0, is this machine.
func fetchHealth(ctx context.Context, address string) (status string, err error) {
	if _, port, err := net.SplitHostPort(address); err != nil || port == "0" {
		return "", fmt.Errorf("ops.listen: invalid value %q: must have a fixed port", address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return "", err
	}
	// The default client would use a proxy of the environment.
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
	status = res.Status + " " + strings.TrimSpace(string(body))
	if res.StatusCode != http.StatusOK {
		return "", errors.New(status)
	}
	return status, nil
}
