package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"onair/server/auth"
	"onair/server/buildinfo"
	"onair/server/config"
)

// developmentTokenTTL is how long the tokens of the banner are valid.
const developmentTokenTTL = 24 * time.Hour

// printDevelopmentBanner prints URLs, tokens and commands to try, for a start with generated secrets.
// The addresses are those of the listeners.
func printDevelopmentBanner(w io.Writer, cfg *config.Config, publicAddress, opsAddress string) error {
	now := time.Now()
	tokens := map[auth.Role]string{}
	for role, userID := range map[auth.Role]string{auth.Anchor: "alice", auth.Viewer: "bob", auth.Admin: "op"} {
		var err error
		if tokens[role], err = signToken(cfg, role, userID, developmentTokenTTL, now); err != nil {
			return err
		}
	}
	httpScheme, socketScheme := "http", "ws"
	if cfg.TLS.Cert != "" {
		httpScheme, socketScheme = "https", "wss"
	}
	_, err := fmt.Fprintf(w, `
  onair %[1]s

  wall       %[2]s://%[4]s/
  studio     %[2]s://%[4]s/studio
  console    %[2]s://%[4]s/console
  interface  %[2]s://%[4]s/docs
  metrics    http://%[5]s/metrics
  data       %[6]s

  Secrets were generated for this start (%[7]s): for development only, on this machine only.

  anchor token (alice, 24 h), for the studio
  %[8]s
  viewer token (bob, 24 h)
  %[9]s
  admin token (op, 24 h), for the console
  %[10]s

  Try:
    curl -s %[2]s://%[4]s/v1/streams
    curl -N %[2]s://%[4]s/v1/streams/events
    npx wscat -s onair.v1 -c %[3]s://%[4]s/v1/viewer            and type  {"type":"subscribe"}
    npx wscat -s onair.v1 -c %[3]s://%[4]s/v1/anchor -H "Authorization: Bearer %[8]s"
                                                          and type  {"type":"start","title":"Hello"}  then  {"type":"beat","n":1}

`, buildinfo.Version(), httpScheme, socketScheme, publicAddress, opsAddress, cfg.Data, strings.Join(cfg.GeneratedSecrets, ", "),
		tokens[auth.Anchor], tokens[auth.Viewer], tokens[auth.Admin])
	return err
}
