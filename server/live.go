package main

import (
	"context"
	"fmt"
	"reflect"

	"onair/server/auth"
	"onair/server/config"
	"onair/server/webhooks"
	"onair/signing"
)

// live is the part of a server that a reload replaces as a whole: keys and
// limits. It does not change; server.now gives the present one.
type live struct {
	cfg      *config.Config
	tokens   *auth.Verifier
	pusher   *signing.PushSigner
	player   *signing.PlaySigner
	playback *signing.PlaybackSigner // nil: recordings are not played from here
	target   *webhooks.Target        // nil: the back end is not told
	forget   context.CancelFunc      // ends what refreshes the keys of tokens
}

// newLive makes what a configuration asks for. Of was, which may be nil, it
// keeps the keys of tokens where nothing was changed about them: those that
// were fetched hold, even if they cannot be fetched now. It returns a
// usageError when what is asked for cannot be had.
func newLive(ctx context.Context, s *server, cfg *config.Config, was *live) (*live, error) {
	l := &live{cfg: cfg}
	if err := l.sign(cfg); err != nil {
		return nil, usageError{err}
	}
	if cfg.Webhooks.URL != "" {
		c := webhooks.TargetConfig{URL: cfg.Webhooks.URL}
		for _, s := range cfg.Webhooks.Secrets {
			c.Secrets = append(c.Secrets, s.Reveal())
		}
		var err error
		if l.target, err = webhooks.NewTarget(c); err != nil {
			return nil, usageError{fmt.Errorf("webhooks.secret: %w", err)}
		}
	}
	if was != nil && reflect.DeepEqual(was.cfg.Auth, cfg.Auth) {
		l.tokens, l.forget = was.tokens, was.forget
		return l, nil
	}
	if was != nil {
		s.metrics.keysReadAt.Set(0) // what was read was for other settings
	}
	ctx, l.forget = context.WithCancel(ctx)
	var err error
	if l.tokens, err = newVerifier(ctx, cfg, s.log, s.metrics.keysRead); err != nil {
		l.forget()
		return nil, usageError{err}
	}
	return l, nil
}

// now is what is in force at present.
func (s *server) now() *live { return s.live.Load() }
