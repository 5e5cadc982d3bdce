package main

import (
	"errors"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/hooks"
	"onair/signing"
)

// verify checks the signature of the URL that somebody pushes to or plays from.
func (l *live) verify(ev *hooks.Event) error {
	now := time.Now().Unix()
	if ev.Kind == hooks.PlayRequest {
		return l.player.Verify(signing.Resource{App: l.cfg.Play.App, Stream: ev.Code}, ev.Query, now)
	}
	return l.pusher.Verify(ev.Code, ev.Query, now)
}

// verifyPush checks who wants to push, and whose push it is that a doubtful
// event tells of: one that is known, or that has a signature. That may have
// expired since the push began, but takes no place of a push that is known.
func (s *server) verifyPush(p *provider, ev *hooks.Event) (result string, e *wire.Error) {
	if ev.Kind != hooks.PublishRequest && (!ev.Unverified || s.pushing(s.hub.StreamByCode(ev.Code), ev.PushID)) {
		return "", nil
	}
	err := s.now().verify(ev)
	s.metrics.verified(err)
	if ev.Kind != hooks.PublishRequest && errors.Is(err, signing.ErrExpired) && (ev.Kind != hooks.PushContinued || !s.pushed(s.hub.StreamByCode(ev.Code))) {
		return "", nil
	}
	return p.refuseSignature(err)
}

// refuseSignature makes a refusal of what Verify found, if it is one.
func (p *provider) refuseSignature(err error) (result string, e *wire.Error) {
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, signing.ErrMissing):
		return callbackSignature, refuse(p.unsigned, err.Error())
	}
	return callbackSignature, refuse(wire.CodeForbidden, err.Error())
}

// pushing reports whether a media session is known to publish for the session
// of a stream, which may be nil.
func (s *server) pushing(st *presence.Stream, media string) (known bool) {
	if st != nil {
		s.node.Read(func(r *presence.Registry) { known = r.HasPush(st.Session, media) })
	}
	return known
}

// pushed reports whether any push is known for the session of a stream, which may
// be nil.
func (s *server) pushed(st *presence.Stream) (known bool) {
	if st != nil {
		s.node.Read(func(r *presence.Registry) { known = r.HasAnyPush(st.Session) })
	}
	return known
}

// verified counts what a signature of a push was found to be.
func (m *metrics) verified(err error) {
	result := "malformed"
	switch {
	case err == nil:
		result = "good"
	case errors.Is(err, signing.ErrMissing):
		result = "missing"
	case errors.Is(err, signing.ErrMismatch):
		result = "mismatch"
	case errors.Is(err, signing.ErrExpired):
		result = "expired"
	}
	m.verifications.WithLabelValues(result).Inc()
}
