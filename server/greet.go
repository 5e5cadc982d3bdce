package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"onair/server/auth"
	"onair/server/config"
)

// developmentTTL is how long the tokens that a development start prints hold.
const developmentTTL = 24 * time.Hour

// greet tells whoever started a server with development secrets where to look
// and what to try.
func greet(w io.Writer, cfg *config.Config, public, ops string) error {
	now := time.Now()
	anchor, err := mint(cfg, auth.Anchor, "alice", developmentTTL, now)
	if err != nil {
		return err
	}
	viewer, err := mint(cfg, auth.Viewer, "bob", developmentTTL, now)
	if err != nil {
		return err
	}
	web, socket := "http", "ws"
	if cfg.TLS.Cert != "" {
		web, socket = "https", "wss"
	}
	_, err = fmt.Fprintf(w, `
  onair %s

  pages      %s://%s/
  metrics    http://%s/metrics
  data       %s

  Secrets were made up for this start (%s): for development only, on this machine only.

  anchor token (alice, 24 h)
  %s
  viewer token (bob, 24 h)
  %s

  Try:
    curl -s %s://%s/v1/streams
    curl -N %s://%s/v1/streams/events
    npx wscat -s onair.v1 -c %s://%s/v1/viewer            and type  {"type":"subscribe"}
    npx wscat -s onair.v1 -c %s://%s/v1/anchor -H "Authorization: Bearer %s"
                                                          and type  {"type":"start","title":"Hello"}  then  {"type":"beat","n":1}

`, version(), web, public, ops, cfg.Data, strings.Join(cfg.Development, ", "), anchor, viewer,
		web, public, web, public, socket, public, socket, public, anchor)
	return err
}
