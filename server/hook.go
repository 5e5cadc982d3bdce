package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/hooks"
	"onair/signing"
)

// longCallback bounds the body of a callback, in bytes.
const longCallback = 16 << 10

// What became of a callback, in metrics.
const (
	callbackAccepted  = "accepted"
	callbackDenied    = "denied"      // from an address, or under a path, that is not allowed
	callbackMalformed = "malformed"   // not understood
	callbackSignature = "signature"   // the push URL is not one that this server signed, or has expired
	callbackNotLive   = "not_live"    // no live session has the code: never begun, ended, banned
	callbackFailed    = "unavailable" // could not be decided
)

// nginxRTMP is its name in paths, metrics and evidence.
const nginxRTMP = "nginx-rtmp"

// hookNginxRTMP answers POST /v1/hooks/nginx-rtmp[/{secret}][/{event}]: 204
// lets a push begin or go on, anything else has nginx refuse or cut it. The
// body says which event it is; the path may say it for those who read it.
func (s *server) hookNginxRTMP(w http.ResponseWriter, r *http.Request) {
	event, result, e := s.callback(w, r)
	s.metrics.callbacks.WithLabelValues(nginxRTMP, event.Name, result).Inc()
	if e != nil {
		s.log.Warn().Str("provider", nginxRTMP).Str("event", event.Name).Str("stream", event.Code).
			Str("result", result).Str("why", e.Message).Msg("callback refused")
		writeProblem(w, e)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) callback(w http.ResponseWriter, r *http.Request) (ev hooks.Event, result string, e *wire.Error) {
	cfg := s.now().cfg
	hook := cfg.Hooks.NginxRTMP
	peer := clientAddress(r, cfg.Proxies)
	// A proxy on this machine that is not among ours would make everybody local.
	forwarded := len(r.Header.Values("X-Forwarded-For")) > 0 && peer == clientAddress(r, nil)
	if !hook.Enabled || forwarded || !inNetworks(peer, hook.Allow) || !allowedPath(r, hook.Secret.Reveal()) {
		return ev, callbackDenied, refuse(wire.CodeNotFound, "there is nothing here")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longCallback))
	if err != nil {
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, "the body is too long, or did not come whole in time")
	}
	if ev, err = hooks.NginxRTMP(body); err != nil {
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, err.Error())
	}
	if ev.Kind == hooks.Watching {
		return ev, callbackAccepted, nil
	}
	if !isCode(ev.Code) {
		ev.Code = "" // it goes into the log
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, "name is no live code")
	}
	result, e = s.witness(r.Context(), &ev, peer.String())
	return ev, result, e
}

// allowedPath reports whether a path has the secret, where there is one, and
// after it at most the name of an event.
func allowedPath(r *http.Request, secret string) bool {
	first, second := r.PathValue("first"), r.PathValue("second")
	if secret != "" {
		if subtle.ConstantTimeCompare([]byte(first), []byte(secret)) == 0 {
			return false
		}
		first, second = second, ""
	}
	switch first {
	case "", "publish", "publish_done", "update":
		return second == ""
	}
	return false
}

// signs are what the kinds of events mean as evidence.
var signs = map[hooks.Kind]presence.Sign{
	hooks.Publish: presence.Begun, hooks.Going: presence.Going, hooks.Done: presence.Finished,
}

// witness takes an event for what it says of the live session of its code. A
// push may begin only under a signature of this server's own, and only for a
// session that is live: so one whose anchor was kicked or banned does not come
// back. One that goes on is believed if it is known, or signed, be it that the
// signature has expired meanwhile: media servers can be made to report a push
// under another's name. The end of a push needs no session, for it is over
// anyway, and no signature, for the end of one that is not known means nothing.
func (s *server) witness(ctx context.Context, ev *hooks.Event, peer string) (result string, e *wire.Error) {
	if ev.App != s.cfg.Push.App {
		return callbackDenied, refuse(wire.CodeForbidden, "the app is not push.app")
	}
	st := s.hub.Lookup(ev.Code)
	media := nginxRTMP + " " + net.JoinHostPort(peer, ev.Media)
	if ev.Kind == hooks.Publish || ev.Kind == hooks.Going && !s.pushing(st, media) {
		err := s.now().pushSigner.Verify(ev.Code, ev.Query, time.Now().Unix())
		s.metrics.verified(err)
		if ev.Kind == hooks.Going && errors.Is(err, signing.ErrExpired) {
			err = nil // it has begun in time
		}
		if err != nil {
			return callbackSignature, refuse(wire.CodeForbidden, err.Error())
		}
	}
	if st == nil {
		if ev.Kind == hooks.Done {
			return callbackNotLive, nil
		}
		return callbackNotLive, refuse(wire.CodeForbidden, "no live session has this code: start, then push")
	}
	_, e = s.do(ctx, &presence.Observe{
		Session: st.Session, Source: presence.FromCallback, Sign: signs[ev.Kind], Media: media,
	})
	switch {
	case e == nil:
		return callbackAccepted, nil
	case e.Code == wire.CodeSessionGone && ev.Kind == hooks.Done:
		return callbackNotLive, nil
	case e.Code == wire.CodeSessionGone:
		return callbackNotLive, refuse(wire.CodeForbidden, "the session has just ended")
	}
	return callbackFailed, e
}

// pushing reports whether a media session is known to publish for the session
// of a stream, which may be nil.
func (s *server) pushing(st *presence.Stream, media string) (known bool) {
	if st != nil {
		s.node.Read(func(r *presence.Registry) { known = r.Pushing(st.Session, media) })
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
