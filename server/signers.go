package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/config"
	"onair/signing"
)

// newVerifier checks tokens as configured.
func newVerifier(ctx context.Context, cfg *config.Config, log zerolog.Logger, fetched func(error)) (*auth.Verifier, error) {
	secrets := map[string][]byte{}
	for kid, secret := range cfg.Auth.Secrets {
		secrets[kid] = []byte(secret.Reveal())
	}
	return auth.NewVerifier(ctx, auth.Config{
		Secret: []byte(cfg.Auth.Secret.Reveal()), Secrets: secrets, PublicKey: cfg.Auth.PublicKey,
		JWKSURL: cfg.Auth.JWKSURL, Issuer: cfg.Auth.Issuer, Audience: cfg.Auth.Audience, Logger: log, OnJWKSRead: fetched,
	})
}

// sign makes what signs push, play and playback URLs.
func (l *live) sign(cfg *config.Config) error {
	signer, err := newSigner(cfg, "push", cfg.Push.SignerConfig())
	if err != nil {
		return err
	}
	l.pusher, err = signing.NewPushSigner(signing.PushSignerConfig{
		Signer: signer, Domain: cfg.Push.Domain, App: cfg.Push.App, TTL: cfg.Push.TTL,
	})
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	if err := l.signPlay(cfg); err != nil {
		return err
	}
	if cfg.VOD.Provider == "none" {
		return nil
	}
	l.playback, err = signing.NewPlaybackSigner(signing.PlaybackSignerConfig{
		Provider: cfg.VOD.Provider, Key: cfg.VOD.Key.Reveal(), BaseURL: cfg.VOD.Domain, FileRoot: cfg.VOD.Root,
	})
	if err != nil {
		return fmt.Errorf("vod: %w", err)
	}
	return nil
}

// newSigner makes the signer that is configured for a domain to push to or to play
// from. Its error names the key of the configuration.
func newSigner(cfg *config.Config, use string, c config.SignerConfig) (signing.Signer, error) {
	signer, err := signing.NewSigner(c.Provider, c.Template, signing.SignerConfig{
		Key: c.Key.Reveal(), BackupKey: c.BackupKey.Reveal(), Delta: c.Delta, Algorithm: signing.Algorithm(c.Algorithm),
	})
	if err == nil {
		return signer, nil
	}
	key := use + ".provider"
	if c.Template != "" {
		key = use + ".template"
	}
	return nil, cfg.KeyError(key, err)
}

// signPlay makes what signs play URLs, for each domain as is configured for it.
func (l *live) signPlay(cfg *config.Config) (err error) {
	play := &cfg.Play
	pc := signing.PlaySignerConfig{
		App: play.App, TTL: play.TTL, Templates: play.Templates, Scheme: play.Scheme, Ports: map[signing.Protocol]int{},
	}
	for proto, port := range play.Ports {
		pc.Ports[signing.Protocol(proto)] = port
	}
	for _, p := range play.Protocols {
		pc.Protocols = append(pc.Protocols, signing.Protocol(p))
	}
	for _, d := range play.Domains {
		signer, err := newSigner(cfg, "play", play.SignerConfig(d.Name))
		if err != nil {
			return err
		}
		pc.Domains = append(pc.Domains, signing.Domain{Name: d.Name, Weight: d.Weight, Signer: signer})
	}
	if l.player, err = signing.NewPlaySigner(pc); err != nil {
		return fmt.Errorf("play: %w", err)
	}
	return nil
}

// hubSigner lets views put play URLs into entries. After a reload they are
// signed with the new key, for the new domain; those that viewers have stay as they
// are until they would be renewed anyway.
type hubSigner struct {
	server *server
	signed prometheus.Counter
}

// Protocols lists those that the provider can be asked for.
func (h hubSigner) Protocols() []string {
	var names []string
	for _, p := range h.server.now().player.Protocols() {
		names = append(names, string(p))
	}
	return names
}

// Expiry says when the URLs that are in force end.
func (h hubSigner) Expiry(code string, at int64) int64 { return h.server.now().player.Expiry(code, at) }

// NextRenewal says when others are.
func (h hubSigner) NextRenewal(code string, at int64) int64 {
	return h.server.now().player.NextRenewal(code, at)
}

// AppendURL appends one signed URL.
func (h hubSigner) AppendURL(dst []byte, proto, code string, expires int64) []byte {
	h.signed.Inc()
	return h.server.now().player.AppendURL(dst, signing.Protocol(proto), code, expires)
}

// pushURLs are what an anchor's encoder needs, signed from now on.
func (s *server) pushURLs(code string) wire.PushURLs {
	s.metrics.signed.WithLabelValues(usePush).Inc()
	return wirePush(s.now().pusher.URLs(code, time.Now()))
}

func wirePush(p signing.PushURLs) wire.PushURLs {
	return wire.PushURLs{
		RTMP: p.RTMP, Server: p.Server, Key: p.Key, SRT: p.SRT, WebRTC: p.WebRTC, ExpiresAt: p.ExpiresAt,
	}
}

// playURLs are all play URLs of a stream as one JSON object, and when they
// expire, in Unix milliseconds.
func (s *server) playURLs(code string) ([]byte, int64) {
	var now int64
	s.node.Read(func(r *presence.Registry) { now = r.LogTime() })
	s.metrics.signed.WithLabelValues(usePlay).Inc()
	player := s.now().player
	expires := player.Expiry(code, now)
	return appendPlay(nil, player, code, expires), expires
}
