package callbacks

import (
	"errors"
	"time"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/hooks"
	"onair/signing"
)

// verifySignature verifies the signature of the push URL or the play URL of an event.
func (c *Callbacks) verifySignature(ev *hooks.Event) error {
	cfg, now := c.Runtime.Current(), time.Now().Unix()
	if ev.Kind == hooks.PlayRequest {
		return cfg.PlaySigner.Verify(signing.Resource{App: cfg.Play.App, Stream: ev.Code}, ev.Query, now)
	}
	return cfg.PushSigner.Verify(ev.Code, ev.Query, now)
}

// verifyPushSignature verifies the signature of a push request, and of an unverified event about an
// unknown push. For events, an expired signature counts, since it may have expired during
// the push. A continued push with an expired signature must not replace a known push.
func (c *Callbacks) verifyPushSignature(p *provider, ev *hooks.Event) (rejection string, err error) {
	isRequest := ev.Kind == hooks.PublishRequest
	if !isRequest && (!ev.Unverified || c.hasPush(c.Hub.StreamByCode(ev.Code), ev.PushID)) {
		return "", nil
	}
	err = c.verifySignature(ev)
	c.metrics.countVerification(err)
	if !isRequest && errors.Is(err, signing.ErrExpired) && (ev.Kind != hooks.PushContinued || !c.hasAnyPush(c.Hub.StreamByCode(ev.Code))) {
		return "", nil
	}
	return p.signatureRejection(err)
}

// signatureRejection is the rejection for an error of Verify, "" for nil.
func (p *provider) signatureRejection(verifyErr error) (rejection string, err error) {
	switch {
	case verifyErr == nil:
		return "", nil
	case errors.Is(verifyErr, signing.ErrMissing):
		return resultBadSignature, &wire.Error{Code: p.unsignedErrorCode, Message: verifyErr.Error()}
	}
	return resultBadSignature, &wire.Error{Code: wire.CodeForbidden, Message: verifyErr.Error()}
}

// hasPush reports whether a push is known for the session of a stream, which may be nil.
func (c *Callbacks) hasPush(st *presence.Stream, pushID string) bool {
	return st != nil && presencenode.Query(c.Node, func(r *presence.Registry) bool { return r.HasOpenPush(st.Session, pushID) })
}

// hasAnyPush reports whether any push is known for the session of a stream, which may be nil.
func (c *Callbacks) hasAnyPush(st *presence.Stream) bool {
	return st != nil && presencenode.Query(c.Node, func(r *presence.Registry) bool { return r.HasAnyOpenPush(st.Session) })
}
