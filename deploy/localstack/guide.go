package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// guide tells where to look.
func (p *picture) guide(ctx context.Context, w io.Writer) error {
	anchor, err := p.token(ctx, "anchor", "alice")
	if err != nil {
		return err
	}
	admin, err := p.token(ctx, "admin", "op")
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

  A simulator has sixty anchors and five hundred viewers. Ctrl-C ends everything.

`, p.at.balancer, p.at.stats, p.at.prometheus, p.at.nodes[0].api, p.at.nodes[1].api, p.dir, anchor, admin)
	return err
}

// token has onair mint a token.
func (p *picture) token(ctx context.Context, role, sub string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.set.Onair, "token", "--config", "onair.yaml", "--role", role, "--sub", sub, "--ttl", "24h")
	cmd.Dir = p.dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("onair token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
