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

// newSignCommand returns the command that signs push or play URLs.
func newSignCommand(load func() (*config.Config, error), stdout io.Writer) *cobra.Command {
	var ttl time.Duration
	cmd := &cobra.Command{
		Use: "sign push|play CODE", Short: "sign the push or play URLs of a live code with the configured key",
		Example: "  server sign push 8888_alice\n  server sign play 8888_alice --expires 30m",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 2 || args[0] != "push" && args[0] != "play":
				return usageError{errors.New("sign: the arguments must be push or play, and a live code")}
			case !livecode.IsValid(args[1]):
				return usageError{fmt.Errorf("sign: invalid live code %q: must be 1 to %d characters of A-Z a-z 0-9 _ -", args[1], livecode.MaxLength)}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if key := args[0] + ".key"; slices.Contains(cfg.GeneratedSecrets, key) {
				return usageError{fmt.Errorf("%s: no key is configured: set the key of your domain", key)}
			}
			signers, err := runtimeconfig.NewSigners(cfg)
			if err != nil {
				return usageError{err}
			}
			if ttl < 0 {
				return usageError{fmt.Errorf("--expires: invalid value %s: must not be negative", ttl)}
			}
			if args[0] == "push" {
				return printPushURLs(stdout, signers.PushSigner, args[1], cmp.Or(ttl, cfg.Push.TTL))
			}
			return printPlayURLs(stdout, signers.PlaySigner, args[1], cmp.Or(ttl, cfg.Play.TTL))
		},
	}
	cmd.Flags().DurationVar(&ttl, "expires", 0, "how long the URLs are valid; 0: push.ttl or play.ttl")
	return cmd
}

func printPushURLs(w io.Writer, signer *signing.PushSigner, code string, ttl time.Duration) error {
	urls := signer.URLsExpiringAt(code, time.Now().Add(ttl).Unix())
	_, err := fmt.Fprintf(w, "rtmp    %s\nserver  %s\nkey     %s\n", urls.RTMP, urls.Server, urls.Key)
	for _, optional := range []struct{ protocol, url string }{{"srt", urls.SRT}, {"webrtc", urls.WebRTC}} {
		if optional.url != "" && err == nil {
			_, err = fmt.Fprintf(w, "%-7s %s\n", optional.protocol, optional.url)
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "until   %s\n", time.UnixMilli(urls.ExpiresAt).Format(time.RFC3339))
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
