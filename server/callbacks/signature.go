package callbacks

import (
	"errors"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/hooks"
	"onair/signing"
)

// verifySignature checks the signature of the URL that somebody pushes to or plays from.
func (s *Callbacks) verifySignature(ev *hooks.Event) error {
	runtime, now := s.Runtime.Current(), time.Now().Unix()
	if ev.Kind == hooks.PlayRequest {
		return runtime.PlaySigner.Verify(signing.Resource{App: runtime.Play.App, Stream: ev.Code}, ev.Query, now)
	}
	return runtime.PushSigner.Verify(ev.Code, ev.Query, now)
}

// verifyPush checks who wants to push, and whose push it is that a doubtful
// event tells of: one that is known, or that has a signature. That may have
// expired since the push began, but takes no place of a push that is known.
func (s *Callbacks) verifyPush(p *provider, ev *hooks.Event) (result string, err error) {
	if ev.Kind != hooks.PublishRequest && (!ev.Unverified || s.hasPush(s.Hub.StreamByCode(ev.Code), ev.PushID)) {
		return "", nil
	}
	err = s.verifySignature(ev)
	s.metrics.countVerification(err)
	if ev.Kind != hooks.PublishRequest && errors.Is(err, signing.ErrExpired) && (ev.Kind != hooks.PushContinued || !s.hasAnyPush(s.Hub.StreamByCode(ev.Code))) {
		return "", nil
	}
	return p.signatureResult(err)
}

// signatureResult is what the provider gets for what Verify found.
func (p *provider) signatureResult(err error) (result string, refusal error) {
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, signing.ErrMissing):
		return resultBadSignature, &wire.Error{Code: p.unsignedErrorCode, Message: err.Error()}
	}
	return resultBadSignature, &wire.Error{Code: wire.CodeForbidden, Message: err.Error()}
}

// hasPush reports whether a media session is known to publish for the session
// of a stream, which may be nil.
func (s *Callbacks) hasPush(st *presence.Stream, media string) (known bool) {
	if st != nil {
		s.Node.Read(func(r *presence.Registry) { known = r.HasPush(st.Session, media) })
	}
	return known
}

// hasAnyPush reports whether any push is known for the session of a stream, which may
// be nil.
func (s *Callbacks) hasAnyPush(st *presence.Stream) (known bool) {
	if st != nil {
		s.Node.Read(func(r *presence.Registry) { known = r.HasAnyPush(st.Session) })
	}
	return known
}
