package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"onair/server/config"
	"onair/server/livecode"
	"onair/server/runtimeconfig"
	"onair/signing"
)

// newSignCommand is the address generator of the command line.
func newSignCommand(load func() (*config.Config, error), stdout io.Writer) *cobra.Command {
	var ttl time.Duration
	cmd := &cobra.Command{
		Use: "sign push|play CODE", Short: "sign the push or the play URLs of a live code with the configured key",
		Example: "  server sign push 8888_alice\n  server sign play 8888_alice --expires 30m",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 2 || args[0] != "push" && args[0] != "play":
				return usageError{errors.New("sign: say push or play, and a live code")}
			case !livecode.IsValid(args[1]):
				return usageError{fmt.Errorf("sign: %q is no live code: at most %d of A-Z a-z 0-9 _ -", args[1], livecode.MaxLength)}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if key := args[0] + ".key"; slices.Contains(cfg.GeneratedSecrets, key) {
				return usageError{fmt.Errorf("%s: nobody knows a key that is made up now; give the one that your domain has", key)}
			}
			signers, err := runtimeconfig.NewSigners(cfg)
			if err != nil {
				return usageError{err}
			}
			if ttl < 0 {
				return usageError{errors.New("--expires: it must be longer than nothing")}
			}
			if args[0] == "push" {
				return printPushURLs(stdout, signers.PushSigner, args[1], cmp.Or(ttl, cfg.Push.TTL))
			}
			return printPlayURLs(stdout, signers.PlaySigner, args[1], cmp.Or(ttl, cfg.Play.TTL))
		},
	}
	cmd.Flags().DurationVar(&ttl, "expires", 0, "how long the URLs hold (default push.ttl, or play.ttl)")
	return cmd
}

func printPushURLs(w io.Writer, signer *signing.PushSigner, code string, ttl time.Duration) error {
	p := signer.URLsExpiringAt(code, time.Now().Add(ttl).Unix())
	_, err := fmt.Fprintf(w, "rtmp    %s\nserver  %s\nkey     %s\n", p.RTMP, p.Server, p.Key)
	for _, other := range []struct{ name, url string }{{"srt", p.SRT}, {"webrtc", p.WebRTC}} {
		if other.url != "" && err == nil {
			_, err = fmt.Fprintf(w, "%-7s %s\n", other.name, other.url)
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "until   %s\n", time.UnixMilli(p.ExpiresAt).Format(time.RFC3339))
	}
	return err
}

func printPlayURLs(w io.Writer, signer *signing.PlaySigner, code string, ttl time.Duration) error {
	expires := time.Now().Add(ttl).Truncate(time.Second)
	for _, protocol := range signer.Protocols() {
		url := signer.AppendURL(nil, protocol, code, expires.UnixMilli())
		if _, err := fmt.Fprintf(w, "%-7s %s\n", protocol, url); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "until   %s\n", expires.Format(time.RFC3339))
	return err
}
