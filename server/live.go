package main

import (
	"context"

	"onair/server/auth"
	"onair/server/config"
	"onair/signing"
)

// live is the part of a server that a reload replaces as a whole: keys and
// limits. It does not change; server.now gives the present one.
type live struct {
	cfg        *config.Config
	tokens     *auth.Verifier
	pushSigner signing.Signer
	pusher     *signing.Pusher
	player     *signing.Player
	forget     context.CancelFunc // ends what refreshes the keys of tokens
}

// newLive makes what a configuration asks for. It returns a usageError when
// that cannot be had.
func newLive(ctx context.Context, s *server, cfg *config.Config) (*live, error) {
	ctx, forget := context.WithCancel(ctx)
	l := &live{cfg: cfg, forget: forget}
	var err error
	if l.tokens, err = newVerifier(ctx, cfg, s.log); err != nil {
		forget()
		return nil, usageError{err}
	}
	if err = l.sign(cfg); err != nil {
		forget()
		return nil, usageError{err}
	}
	return l, nil
}

// now is what is in force at present.
func (s *server) now() *live { return s.live.Load() }
