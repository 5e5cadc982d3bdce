package runtimeconfig

import (
	"fmt"

	"onair/server/config"
	"onair/signing"
)

// Signers make and verify URLs of media.
type Signers struct {
	PushSigner     *signing.PushSigner
	PlaySigner     *signing.PlaySigner
	PlaybackSigner *signing.PlaybackSigner // nil: recordings get no URLs
}

// NewSigners makes the configured signers. The error names the key that is wrong.
func NewSigners(cfg *config.Config) (s Signers, err error) {
	signer, err := newDomainSigner(cfg, "push", cfg.Push.SignerConfig())
	if err != nil {
		return s, err
	}
	s.PushSigner, err = signing.NewPushSigner(signing.PushSignerConfig{
		Signer: signer, Domain: cfg.Push.Domain, App: cfg.Push.App, TTL: cfg.Push.TTL,
	})
	if err != nil {
		return s, fmt.Errorf("push: %w", err)
	}
	if s.PlaySigner, err = newPlaySigner(cfg); err != nil {
		return s, err
	}
	if cfg.VOD.Provider == "none" {
		return s, nil
	}
	s.PlaybackSigner, err = signing.NewPlaybackSigner(signing.PlaybackSignerConfig{
		Provider: cfg.VOD.Provider, Key: cfg.VOD.Key.Reveal(), BaseURL: cfg.VOD.Domain.Reveal(), FileRoot: cfg.VOD.Root,
	})
	if err != nil {
		return s, fmt.Errorf("vod: %w", err)
	}
	return s, nil
}

// newDomainSigner makes the signer of one push or play domain; keyPrefix is push or play.
// The error names the key that is wrong.
func newDomainSigner(cfg *config.Config, keyPrefix string, c config.SignerConfig) (signing.Signer, error) {
	signer, err := signing.NewSigner(c.Provider, c.Template, signing.SignerConfig{
		Key: c.Key.Reveal(), BackupKey: c.BackupKey.Reveal(), Delta: c.Delta, Algorithm: signing.Algorithm(c.Algorithm),
	})
	if err == nil {
		return signer, nil
	}
	key := keyPrefix + ".provider"
	if c.Template != "" {
		key = keyPrefix + ".template"
	}
	return nil, cfg.WrapKeyError(key, err)
}

// newPlaySigner makes the signer of play URLs, which has one signer for each domain.
func newPlaySigner(cfg *config.Config) (*signing.PlaySigner, error) {
	play := &cfg.Play
	pc := signing.PlaySignerConfig{
		Server: signing.Server(play.Server), App: play.App, TTL: play.TTL, Templates: play.Templates, Scheme: play.Scheme, Ports: map[signing.Protocol]int{},
	}
	for proto, port := range play.Ports {
		pc.Ports[signing.Protocol(proto)] = port
	}
	for _, p := range play.Protocols {
		pc.Protocols = append(pc.Protocols, signing.Protocol(p))
	}
	for _, d := range play.Domains {
		signer, err := newDomainSigner(cfg, "play", play.SignerConfig(d.Name))
		if err != nil {
			return nil, err
		}
		pc.Domains = append(pc.Domains, signing.Domain{Name: d.Name, Weight: d.Weight, Signer: signer})
	}
	playSigner, err := signing.NewPlaySigner(pc)
	if err != nil {
		return nil, fmt.Errorf("play: %w", err)
	}
	return playSigner, nil
}
