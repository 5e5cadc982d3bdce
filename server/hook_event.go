package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/cloud"
	"onair/server/hooks"
)

// take takes an event in. Who asks about a stream that is none of ours is
// refused; who only tells is told that it was heard, or it would be told again.
func (s *server) take(ctx context.Context, p *provider, ev *hooks.Event, peer netip.Addr) (result string, e *wire.Error) {
	if ev.Kind == hooks.Ignored {
		return callbackAccepted, nil
	}
	cfg := s.now().cfg
	app, name := cfg.Push.App, "push.app"
	if ev.Kind == hooks.PlayRequest {
		app, name = cfg.Play.App, "play.app"
	}
	foreign := ev.App != "" && ev.App != app
	switch {
	case !ev.Kind.IsRequest() && (foreign || !s.code.ours(ev.Code)):
		return callbackForeign, nil
	case foreign:
		return callbackDenied, refuse(wire.CodeForbidden, "the app is not "+name)
	case !isCode(ev.Code):
		return callbackMalformed, refuse(wire.CodeBadRequest, "the stream's name is no live code")
	case p.late != nil && p.late(ev, time.Now()):
		return callbackLate, nil
	}
	if ev.PushID != "" {
		ev.PushID = p.mediaOf(ev, peer)
	}
	switch ev.Kind {
	case hooks.PlayRequest:
		return s.admitPlayer(ctx, p, ev)
	case hooks.FileRecorded:
		return s.keepRecording(ctx, p, ev)
	}
	return s.witness(ctx, p, ev)
}

// mediaOf names a push among those of all providers.
func (p *provider) mediaOf(ev *hooks.Event, peer netip.Addr) string {
	if ev.UniquePushID {
		return p.name + " " + ev.PushID
	}
	return p.name + " " + net.JoinHostPort(peer.String(), ev.PushID)
}

// ours reports whether a stream may be one of this deployment's.
func (l liveCode) ours(code string) bool {
	return isCode(code) && strings.HasPrefix(code, l.bizid+"_")
}

// signOf is what a kind of events means as evidence.
func signOf(k hooks.Kind) presence.Signal {
	switch k {
	case hooks.PublishRequest, hooks.PushStarted:
		return presence.PushStarted
	case hooks.PushContinued:
		return presence.PushOngoing
	case hooks.PushEnded:
		return presence.PushEnded
	}
	return presence.ScreenshotTaken
}

// witness takes an event for what it says of the live session of its code. A
// push may begin only under a signature of this server's own, and only for a
// session that is live: so one whose anchor was kicked or banned does not come
// back. What is doubtful is believed of a push that is known, or signed, be it
// that the signature has expired meanwhile. The end of a push needs no session,
// for it is over anyway, and no signature, for the end of one that is not known
// means nothing.
func (s *server) witness(ctx context.Context, p *provider, ev *hooks.Event) (result string, e *wire.Error) {
	if result, e = s.verifyPush(p, ev); e != nil {
		return result, e
	}
	st := s.hub.StreamByCode(ev.Code)
	if st == nil && ev.Kind != hooks.PushEnded && ev.Kind != hooks.SnapshotTaken {
		// It may have been started through another node a moment ago.
		if e = s.sync(ctx); e != nil {
			return callbackFailed, e
		}
		st = s.hub.StreamByCode(ev.Code)
	}
	if st == nil {
		return s.notLive(ev.Kind, "no live session has this code: start, then push")
	}
	switch {
	case ev.Kind == hooks.PublishRequest && ev.PushID == "": // its begin is told apart
		return callbackAccepted, nil
	case ev.Kind == hooks.SnapshotTaken && st.Cover != "":
		return callbackAccepted, nil
	case ev.Kind == hooks.PushEnded && p.confirm && s.confirm != nil && s.pushing(st, ev.PushID):
		if result, e = s.contradicted(ctx, ev.Code); result != "" {
			return result, e
		}
	}
	_, e = s.do(ctx, &presence.Observe{
		Session: st.Session, Source: presence.FromCallback, Signal: signOf(ev.Kind), Push: ev.PushID,
		PushStartedAt: notAfterNow(ev.StartedAt), IsUnique: ev.UniquePushID, Detail: ev.SnapshotURL,
	})
	switch {
	case e == nil:
		return callbackAccepted, nil
	case e.Code == wire.CodeSessionGone:
		return s.notLive(ev.Kind, "the session has just ended")
	case ev.Kind == hooks.PushContinued:
		// A no would have the media server cut who may push, for our failure.
		s.log.Warn().Str("stream", ev.Code).Str("why", e.Message).Msg("that a push goes on could not be noted")
		return callbackAccepted, nil
	}
	return callbackFailed, e
}

// notLive is the answer about a code that no live session has.
func (s *server) notLive(kind hooks.Kind, why string) (result string, e *wire.Error) {
	if kind.IsRequest() {
		e = refuse(wire.CodeForbidden, why)
	}
	return callbackNotLive, e
}

// Asking after an end. The cloud waits 20 s for the answer to its callback, and may
// call back a moment before its own state says the same.
const (
	confirmWithin = 10 * time.Second
	confirmAgain  = 2 * time.Second // after the first answer that contradicts
)

// contradicted asks whether the end of a push is true, where there is somebody
// to ask: the cloud's callbacks can be forged by who has seen one. Without a
// result the end counts. What cannot be found out, and what the cloud's own state
// contradicts, which may be behind, is refused, so that the callback is repeated.
func (s *server) contradicted(ctx context.Context, code string) (result string, e *wire.Error) {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	state, err := s.confirm(ctx, code)
	if err == nil && state == cloud.Online {
		select {
		case <-time.After(confirmAgain):
		case <-ctx.Done():
		}
		state, err = s.confirm(ctx, code)
	}
	switch {
	case err != nil:
		s.log.Warn().Err(err).Str("stream", code).Msg("the end of a push could not be confirmed")
		return callbackFailed, refuse(wire.CodeUnavailable, "the end could not be confirmed: repeat it")
	case state == cloud.Online:
		return callbackContradicted, refuse(wire.CodeUnavailable, "it is pushed still: repeat it")
	}
	return "", nil
}
