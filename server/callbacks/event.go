package callbacks

import (
	"context"
	"net"
	"net/netip"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/broadcast"
	"onair/server/cloud"
	"onair/server/hooks"
	"onair/server/livecode"
)

// handleEvent handles an event. Who asks about a stream that is none of ours is
// refused; who only tells is told that it was heard, or it would be told again.
func (s *Callbacks) handleEvent(ctx context.Context, p *provider, ev *hooks.Event, peer netip.Addr) (result string, err error) {
	if ev.Kind == hooks.Ignored {
		return resultAccepted, nil
	}
	cfg := s.Runtime.Current()
	app, name := cfg.Push.App, "push.app"
	if ev.Kind == hooks.PlayRequest {
		app, name = cfg.Play.App, "play.app"
	}
	foreign := ev.App != "" && ev.App != app
	switch {
	case !ev.Kind.IsRequest() && (foreign || !s.Codes.IsOwnCode(ev.Code)):
		return resultForeign, nil
	case foreign:
		return resultDenied, &wire.Error{Code: wire.CodeForbidden, Message: "the app is not " + name}
	case !livecode.IsValid(ev.Code):
		return resultMalformed, &wire.Error{Code: wire.CodeBadRequest, Message: "the stream's name is no live code"}
	case p.isSuperseded != nil && p.isSuperseded(ev, time.Now()):
		return resultSuperseded, nil
	}
	if ev.PushID != "" {
		ev.PushID = p.globalPushID(ev, peer)
	}
	switch ev.Kind {
	case hooks.PlayRequest:
		return s.authorizePlay(ctx, p, ev)
	case hooks.FileRecorded:
		return s.addRecording(ctx, p, ev)
	}
	return s.observePush(ctx, p, ev)
}

// globalPushID names a push among those of all providers.
func (p *provider) globalPushID(ev *hooks.Event, peer netip.Addr) string {
	if ev.UniquePushID {
		return p.name + " " + ev.PushID
	}
	return p.name + " " + net.JoinHostPort(peer.String(), ev.PushID)
}

// signalOfEvent is what a kind of events means as evidence.
func signalOfEvent(k hooks.Kind) presence.Signal {
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

// observePush records what an event reports of the live session of its code. A
// push may begin only under a signature of this server's own, and only for a
// session that is live: so one whose anchor was kicked or banned does not come
// back. What is doubtful is believed of a push that is known, or signed, be it
// that the signature has expired meanwhile. The end of a push needs no session,
// for it is over anyway, and no signature, for the end of one that is not known
// means nothing.
func (s *Callbacks) observePush(ctx context.Context, p *provider, ev *hooks.Event) (result string, err error) {
	if result, err = s.verifyPush(p, ev); err != nil {
		return result, err
	}
	st := s.Hub.StreamByCode(ev.Code)
	if st == nil && ev.Kind != hooks.PushEnded && ev.Kind != hooks.SnapshotTaken {
		// It may have been started through another node a moment ago.
		if err = s.Broadcasts.Sync(ctx); err != nil {
			return resultUnavailable, err
		}
		st = s.Hub.StreamByCode(ev.Code)
	}
	if st == nil {
		return notLiveResult(ev.Kind, "no live session has this code: start, then push")
	}
	switch {
	case ev.Kind == hooks.PublishRequest && ev.PushID == "": // its begin is told apart
		return resultAccepted, nil
	case ev.Kind == hooks.SnapshotTaken && st.Cover != "":
		return resultAccepted, nil
	case ev.Kind == hooks.PushEnded && p.confirmsEnds && s.PushState != nil && s.hasPush(st, ev.PushID):
		if result, err = s.confirmPushEnd(ctx, ev.Code); result != "" {
			return result, err
		}
	}
	_, err = s.Broadcasts.Do(ctx, &presence.Observe{
		Session: st.Session, Source: presence.FromCallback, Signal: signalOfEvent(ev.Kind), Push: ev.PushID,
		PushStartedAt: clampToNow(ev.StartedAt), IsUnique: ev.UniquePushID, Detail: ev.SnapshotURL,
	})
	switch {
	case err == nil:
		return resultAccepted, nil
	case broadcast.ErrorCode(err) == wire.CodeSessionGone:
		return notLiveResult(ev.Kind, "the session has just ended")
	case ev.Kind == hooks.PushContinued:
		// A no would have the media server cut who may push, for our failure.
		s.Log.Warn().Err(err).Str("stream", ev.Code).Msg("that a push goes on could not be noted")
		return resultAccepted, nil
	}
	return resultUnavailable, err
}

// notLiveResult is the answer about a code that no live session has.
func notLiveResult(kind hooks.Kind, why string) (result string, err error) {
	if kind.IsRequest() {
		err = &wire.Error{Code: wire.CodeForbidden, Message: why}
	}
	return resultNotLive, err
}

// Asking after an end. The cloud waits 20 s for the answer to its callback, and may
// call back a moment before its own state says the same.
const (
	confirmTimeout    = 10 * time.Second
	confirmRetryDelay = 2 * time.Second // after the first answer that contradicts
)

// confirmPushEnd asks whether the end of a push is true, where there is somebody
// to ask: the cloud's callbacks can be forged by who has seen one. Without a
// result the end counts. What cannot be found out, and what the cloud's own state
// contradicts, which may be behind, is refused, so that the callback is repeated.
func (s *Callbacks) confirmPushEnd(ctx context.Context, code string) (result string, err error) {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	state, err := s.PushState(ctx, code)
	if err == nil && state == cloud.Online {
		select {
		case <-time.After(confirmRetryDelay):
		case <-ctx.Done():
		}
		state, err = s.PushState(ctx, code)
	}
	switch {
	case err != nil:
		s.Log.Warn().Err(err).Str("stream", code).Msg("the end of a push could not be confirmed")
		return resultUnavailable, &wire.Error{Code: wire.CodeUnavailable, Message: "the end could not be confirmed: repeat it"}
	case state == cloud.Online:
		return resultContradicted, &wire.Error{Code: wire.CodeUnavailable, Message: "it is pushed still: repeat it"}
	}
	return "", nil
}
