package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"onair/server/admission"
	"onair/server/config"
	"onair/server/logging"
	"onair/server/node"
)

// serveNode runs a node until ctx ends. It reloads the configuration at each SIGHUP.
func serveNode(ctx context.Context, cfg *config.Config, load configLoader, stdout, stderr io.Writer) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	log, level := logging.New(cfg, stderr)
	admission.LowerSocketLimitToOpenFiles(cfg, log)
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
	if len(cfg.IgnoredVariables) > 0 {
		log.Info().Strs("variables", cfg.IgnoredVariables).Msg("environment variables of kubernetes services ignored")
	}
	if len(cfg.GeneratedSecrets) > 0 {
		if err := printDevelopmentBanner(stdout, cfg, public.Addr().String(), ops.Addr().String()); err != nil {
			log.Warn().Err(err).Msg("banner not printed")
		}
	}
	return n.Serve(ctx, public, ops)
}
