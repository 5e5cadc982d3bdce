package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/hooks"
	"onair/signing"
)

// What became of a callback, in metrics.
const (
	callbackAccepted  = "accepted"
	callbackDenied    = "denied"      // from an address, or under a path, that is not allowed
	callbackForged    = "forged"      // its own signature is wrong
	callbackExpired   = "expired"     // its own signature holds no more
	callbackMalformed = "malformed"   // not understood
	callbackSignature = "signature"   // the push or play URL is not one that this server signed, or has expired
	callbackNotLive   = "not_live"    // no live session has the code: never begun, ended, banned
	callbackDoubted   = "doubted"     // the cloud tells of an end, and when asked, of none
	callbackFailed    = "unavailable" // could not be decided
)

// hook answers POST /v1/hooks/{provider}[/{secret}][/{event}].
func (s *server) hook(p *provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		event, result, e := s.callback(w, r, p)
		s.metrics.callbacks.WithLabelValues(p.name, event.Name, result).Inc()
		if e == nil {
			p.agree(w)
			return
		}
		s.log.Warn().Str("provider", p.name).Str("event", event.Name).Str("stream", event.Code).
			Str("result", result).Str("why", e.Message).Msg("callback refused")
		p.refuse(w, e)
	}
}

func (s *server) callback(w http.ResponseWriter, r *http.Request, p *provider) (ev hooks.Event, result string, e *wire.Error) {
	cfg := s.now().cfg
	hook := p.config(&cfg.Hooks)
	peer := clientAddress(r, cfg.Proxies)
	// A proxy on this machine that is not among ours would make everybody local.
	forwarded := len(r.Header.Values("X-Forwarded-For")) > 0 && peer == clientAddress(r, nil)
	event, known := p.event(r, hook.Secret.Reveal())
	allowed := len(hook.Allow) == 0 || !forwarded && inNetworks(peer, hook.Allow)
	if !hook.Enabled || !allowed || !known {
		return ev, callbackDenied, refuse(wire.CodeNotFound, "there is nothing here")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.long))
	if err != nil {
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, "the body is too long, or did not come whole in time")
	}
	switch ev, err = p.read(&cfg.Hooks, event, body); {
	case errors.Is(err, hooks.ErrForged):
		return ev, callbackForged, refuse(wire.CodeUnauthorized, err.Error())
	case errors.Is(err, hooks.ErrExpired):
		return ev, callbackExpired, refuse(wire.CodeForbidden, err.Error())
	case err != nil:
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, err.Error())
	case ev.Kind == hooks.Nothing:
		return ev, callbackAccepted, nil
	case !isCode(ev.Code):
		ev.Code = "" // it goes into the log
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, "the stream's name is no live code")
	}
	result, e = s.witness(r.Context(), p, &ev, peer.String())
	if e != nil && p.cloud && result != callbackFailed {
		e = nil // it would only be said again
	}
	return ev, result, e
}

// event reports which event a path names, and whether it is one that the provider
// calls: with the secret, where there is one, and after it at most an event.
func (p *provider) event(r *http.Request, secret string) (name string, ok bool) {
	first, second := r.PathValue("first"), r.PathValue("second")
	if secret != "" {
		if subtle.ConstantTimeCompare([]byte(first), []byte(secret)) == 0 {
			return "", false
		}
		first, second = second, ""
	}
	return first, second == "" && (first == "" || slices.Contains(p.events, first))
}

// witness takes an event for what it says of the live session of its code.
func (s *server) witness(ctx context.Context, p *provider, ev *hooks.Event, peer string) (result string, e *wire.Error) {
	live := s.now()
	app, name := live.cfg.Push.App, "push.app"
	if ev.Kind == hooks.Play {
		app, name = live.cfg.Play.App, "play.app"
	}
	if ev.App != app {
		return callbackDenied, refuse(wire.CodeForbidden, "the app is not "+name)
	}
	st := s.hub.Lookup(ev.Code)
	switch ev.Kind {
	case hooks.Play:
		return s.mayPlay(st, ev)
	case hooks.Recorded:
		return s.recorded(ctx, p, ev)
	case hooks.Pictured:
		return s.pictured(ctx, st, ev)
	}
	return s.pushed(ctx, p, st, ev, peer)
}

// mayPlay lets somebody watch a stream that is live, under a play URL of this
// server's own.
func (s *server) mayPlay(st *presence.Stream, ev *hooks.Event) (result string, e *wire.Error) {
	l := s.now()
	if err := l.player.Verify(signing.Resource{App: l.cfg.Play.App, Stream: ev.Code}, ev.Query, time.Now().Unix()); err != nil {
		return callbackSignature, refuseSignature(ev, err)
	}
	if st == nil {
		return callbackNotLive, refuse(wire.CodeForbidden, "nobody is live under this code")
	}
	return callbackAccepted, nil
}

// refuseSignature tells a client that has not shown any credentials yet that it
// may.
func refuseSignature(ev *hooks.Event, err error) *wire.Error {
	if ev.Asks {
		return refuse(wire.CodeUnauthorized, err.Error())
	}
	return refuse(wire.CodeForbidden, err.Error())
}

// signs are what the kinds of events mean as evidence.
var signs = map[hooks.Kind]presence.Sign{
	hooks.Publish: presence.Begun, hooks.Going: presence.Going, hooks.Done: presence.Finished,
}

// pushed takes an event of a push. A push may begin only under a signature of this
// server's own, and only for a session that is live: so one whose anchor was kicked
// or banned does not come back. One that goes on is believed if it is known, or
// signed, be it that the signature has expired meanwhile: media servers can be made
// to report a push under another's name. A cloud has checked the signature itself.
// The end of a push needs no session, for it is over anyway, and no signature, for
// the end of one that is not known means nothing.
func (s *server) pushed(ctx context.Context, p *provider, st *presence.Stream, ev *hooks.Event, peer string) (result string, e *wire.Error) {
	media := p.name + " " + ev.Media
	if !ev.Unique {
		media = p.name + " " + net.JoinHostPort(peer, ev.Media)
	}
	known := s.pushing(st, media)
	if !p.cloud && (ev.Kind == hooks.Publish || ev.Kind == hooks.Going && !known) {
		if err := s.verifyPush(ev.Code, ev.Query, ev.Kind == hooks.Going); err != nil {
			return callbackSignature, refuseSignature(ev, err)
		}
	}
	if st == nil {
		if ev.Kind == hooks.Done {
			return callbackNotLive, nil
		}
		return callbackNotLive, refuse(wire.CodeForbidden, "no live session has this code: start, then push")
	}
	if p.cloud && ev.Kind == hooks.Done && known && s.confirm != nil {
		switch online, err := s.confirm(ctx, ev.Code); {
		case err != nil:
			return callbackFailed, refuse(wire.CodeUnavailable, "whether it has ended could not be confirmed, say it again")
		case online:
			return callbackDoubted, nil
		}
	}
	_, e = s.do(ctx, &presence.Observe{
		Session: st.Session, Source: presence.FromCallback, Sign: signs[ev.Kind], Media: media, Since: ev.Since, Unique: ev.Unique,
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

// verifyPush checks the query of a push URL; one that has begun may be past its
// end.
func (s *server) verifyPush(code, query string, begun bool) error {
	l := s.now()
	err := l.pusher.Verify(code, query, time.Now().Unix())
	s.metrics.verified(err)
	if begun && errors.Is(err, signing.ErrExpired) {
		return nil
	}
	return err
}

// pushing reports whether a media session is known to publish for the session
// of a stream, which may be nil.
func (s *server) pushing(st *presence.Stream, media string) (known bool) {
	if st != nil {
		s.node.Read(func(r *presence.Registry) { known = r.Pushing(st.Session, media) })
	}
	return known
}

// recorded keeps a recording. It is answered once that is durable.
func (s *server) recorded(ctx context.Context, p *provider, ev *hooks.Event) (result string, e *wire.Error) {
	if p == nginxRTMP { // it can be made to report one push under another's name
		if err := s.verifyPush(ev.Code, ev.Query, true); err != nil {
			return callbackSignature, refuse(wire.CodeForbidden, err.Error())
		}
	}
	f := &ev.File
	rec := presence.Recording{
		ID: presence.RecordingID(p.name, f.Name), Provider: p.name, Code: ev.Code,
		StartedAt: f.StartedAt, EndedAt: f.EndedAt, Duration: f.Duration, Format: f.Format, Size: f.Size, Location: f.Location,
	}
	if rec.EndedAt == 0 {
		rec.EndedAt = time.Now().UnixMilli()
	}
	if rec.StartedAt == 0 && rec.Duration != 0 {
		rec.StartedAt = rec.EndedAt - rec.Duration
	}
	if e := s.record(ctx, &rec); e != nil {
		return callbackFailed, e
	}
	return callbackAccepted, nil
}

// pictured gives a stream a cover that has none.
func (s *server) pictured(ctx context.Context, st *presence.Stream, ev *hooks.Event) (result string, e *wire.Error) {
	if st == nil {
		return callbackNotLive, nil
	}
	if st.Cover != "" || !strings.HasPrefix(ev.Picture, "https://") || len(ev.Picture) > wire.MaxCover {
		return callbackAccepted, nil
	}
	_, e = s.do(ctx, &presence.Observe{Session: st.Session, Source: presence.FromCallback, Sign: presence.Pictured, Detail: ev.Picture})
	if e != nil && e.Code != wire.CodeSessionGone {
		return callbackFailed, e
	}
	return callbackAccepted, nil
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
