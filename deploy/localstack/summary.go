package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// printSummary prints the addresses of the services, and tokens.
func (s *stack) printSummary(ctx context.Context, w io.Writer) error {
	anchorToken, err := s.token(ctx, "anchor", "alice")
	if err != nil {
		return err
	}
	adminToken, err := s.token(ctx, "admin", "op")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
  wall        http://%[1]s/
  studio      http://%[1]s/studio
  console     http://%[1]s/console
  balancer    http://%[2]s/
  Prometheus  http://%[3]s/graph
  alerts      http://%[3]s/alerts
  nodes       http://%[4]s/ and http://%[5]s/
  files       %[6]s

  anchor token (alice), for the studio
  %[7]s
  admin token (op), for the console
  %[8]s

  The simulator has sixty anchors and five hundred viewers. Ctrl-C stops the stack.

`, s.addrs.balancer, s.addrs.stats, s.addrs.prometheus, s.addrs.nodes[0].api, s.addrs.nodes[1].api, s.dir, anchorToken, adminToken)
	return err
}

// token runs onair's command to mint a token.
func (s *stack) token(ctx context.Context, role, sub string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.settings.Onair, "token", "--config", "onair.yaml", "--role", role, "--sub", sub, "--ttl", "24h")
	cmd.Dir = s.dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("onair token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
