package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"onair/server/config"
	"onair/server/livecode"
	"onair/server/runtimeconfig"
	"onair/signing"
)

// newSignCommand returns the command that signs push or play URLs.
func newSignCommand(load configLoader, stdout io.Writer) *cobra.Command {
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
		RunE: load.runE(func(_ *cobra.Command, args []string, cfg *config.Config) error {
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
		}),
	}
	cmd.Flags().DurationVar(&ttl, "expires", 0, "how long the URLs are valid; 0: push.ttl or play.ttl")
	return cmd
}

func printPushURLs(w io.Writer, signer *signing.PushSigner, code string, ttl time.Duration) error {
	urls := signer.URLsExpiringAt(code, time.Now().Add(ttl).Unix())
	return printNonEmptyURLs(w, [][2]string{
		{"rtmp", urls.RTMP}, {"server", urls.Server}, {"key", urls.Key}, {"srt", urls.SRT}, {"webrtc", urls.WebRTC},
	}, urls.ExpiresAt)
}

func printPlayURLs(w io.Writer, signer *signing.PlaySigner, code string, ttl time.Duration) error {
	expiresMillis := time.Now().Add(ttl).Unix() * 1000
	var urls [][2]string
	for _, protocol := range signer.Protocols() {
		urls = append(urls, [2]string{string(protocol), string(signer.AppendURL(nil, protocol, code, expiresMillis))})
	}
	return printNonEmptyURLs(w, urls, expiresMillis)
}

// printNonEmptyURLs prints labels and URLs without the empty ones, and when they expire.
func printNonEmptyURLs(w io.Writer, labelsAndURLs [][2]string, expiresMillis int64) error {
	var text strings.Builder
	for _, line := range labelsAndURLs {
		if line[1] != "" {
			fmt.Fprintf(&text, "%-7s %s\n", line[0], line[1])
		}
	}
	_, err := fmt.Fprintf(w, "%suntil   %s\n", text.String(), time.UnixMilli(expiresMillis).Format(time.RFC3339))
	return err
}
