package callbacks

import (
	"context"
	"net"
	"net/netip"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/broadcast"
	"onair/server/hooks"
	"onair/server/livecode"
)

// handleEvent handles an event. About a foreign stream, it refuses requests and accepts
// reports.
func (c *Callbacks) handleEvent(ctx context.Context, p *provider, ev *hooks.Event, client netip.Addr) (result string, err error) {
	if ev.Kind == hooks.Ignored {
		return resultAccepted, nil
	}
	cfg := c.Runtime.Current()
	app, key := cfg.Push.App, "push.app"
	if ev.Kind == hooks.PlayRequest {
		app, key = cfg.Play.App, "play.app"
	}
	isForeignApp := ev.App != "" && ev.App != app
	switch {
	case !ev.Kind.RequestsPermission() && (isForeignApp || !c.Codes.IsOwnCode(ev.Code)):
		return resultForeign, nil
	case isForeignApp:
		return resultDenied, &wire.Error{Code: wire.CodeForbidden, Message: "the app must be " + key}
	case !livecode.IsValid(ev.Code):
		return resultMalformed, &wire.Error{Code: wire.CodeBadRequest, Message: "the name of the stream is not a live code"}
	case p.isSuperseded != nil && p.isSuperseded(ev, time.Now()):
		return resultSuperseded, nil
	}
	if ev.PushID != "" {
		ev.PushID = p.globalPushID(ev, client)
	}
	switch ev.Kind {
	case hooks.PlayRequest:
		return c.authorizePlay(ctx, p, ev)
	case hooks.FileRecorded:
		return c.addRecording(ctx, p, ev)
	}
	return c.observePush(ctx, p, ev)
}

// globalPushID is an id of a push that is unique among the pushes of all providers.
func (p *provider) globalPushID(ev *hooks.Event, client netip.Addr) string {
	if ev.UniquePushID {
		return p.name + " " + ev.PushID
	}
	return p.name + " " + net.JoinHostPort(client.String(), ev.PushID)
}

// signalOfEvent is the signal that an event is as evidence.
func signalOfEvent(kind hooks.Kind) presence.Signal {
	switch kind {
	case hooks.PublishRequest, hooks.PushStarted:
		return presence.PushStarted
	case hooks.PushContinued:
		return presence.PushOngoing
	case hooks.PushEnded:
		return presence.PushEnded
	}
	return presence.ScreenshotTaken
}

// observePush records an event as evidence of the live session of its code.
//
// A push may start only with a signature of this deployment and for a live session. So the
// push of an anchor who was kicked or banned does not return. An unverified event counts if
// its push is known or has a signature, even an expired one. The end of a push needs neither
// a session nor a signature, because the end of an unknown push changes nothing.
func (c *Callbacks) observePush(ctx context.Context, p *provider, ev *hooks.Event) (result string, err error) {
	if result, err = c.verifyPushSignature(p, ev); err != nil {
		return result, err
	}
	st := c.Hub.StreamByCode(ev.Code)
	if st == nil && ev.Kind != hooks.PushEnded && ev.Kind != hooks.SnapshotTaken {
		// Another node may have started the session a moment ago.
		if err = c.Broadcasts.Sync(ctx); err != nil {
			return resultUnavailable, err
		}
		st = c.Hub.StreamByCode(ev.Code)
	}
	if st == nil {
		return notLiveResult(ev.Kind, "no live session has this code: start, then push")
	}
	switch {
	case ev.Kind == hooks.PublishRequest && ev.PushID == "": // PushStarted follows
		return resultAccepted, nil
	case ev.Kind == hooks.SnapshotTaken && st.Cover != "":
		return resultAccepted, nil
	case ev.Kind == hooks.PushEnded && p.confirmsEnds && c.IsOnline != nil && c.hasPush(st, ev.PushID):
		if result, err = c.confirmPushEnd(ctx, ev.Code); result != "" {
			return result, err
		}
	}
	_, err = c.Broadcasts.Do(ctx, &presence.Observe{
		Session: st.Session, Source: presence.FromCallback, Signal: signalOfEvent(ev.Kind), Push: ev.PushID,
		PushStartedAt: limitToNow(ev.StartedAt), IsUnique: ev.UniquePushID, Detail: ev.SnapshotURL,
	})
	switch {
	case err == nil:
		return resultAccepted, nil
	case broadcast.WireErrorCode(err) == wire.CodeSessionGone:
		return notLiveResult(ev.Kind, "the session has just ended")
	case ev.Kind == hooks.PushContinued:
		// After a refusal the media server would close a push that is allowed.
		c.Log.Warn().Err(err).Str("stream", ev.Code).Msg("push update not recorded")
		return resultAccepted, nil
	}
	return resultUnavailable, err
}

// notLiveResult is the result for a code without a live session: an error for requests.
func notLiveResult(kind hooks.Kind, message string) (result string, err error) {
	if kind.RequestsPermission() {
		err = &wire.Error{Code: wire.CodeForbidden, Message: message}
	}
	return resultNotLive, err
}

// The cloud waits 20 s for the answer to its callback, and may send the callback a moment
// before its own state changes.
const (
	confirmTimeout    = 10 * time.Second
	confirmRetryDelay = 2 * time.Second // before the second query
)

// confirmPushEnd asks the cloud whether a push goes on that ended by a callback, because
// a copied callback can be forged. It returns "" when the push has ended. Otherwise it
// returns an error, so that the callback is repeated.
func (c *Callbacks) confirmPushEnd(ctx context.Context, code string) (rejection string, err error) {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	isOnline, err := c.IsOnline(ctx, code)
	if err == nil && isOnline {
		select {
		case <-time.After(confirmRetryDelay):
		case <-ctx.Done():
		}
		isOnline, err = c.IsOnline(ctx, code)
	}
	switch {
	case err != nil:
		c.Log.Warn().Err(err).Str("stream", code).Msg("push end not confirmed")
		return resultUnavailable, &wire.Error{Code: wire.CodeUnavailable, Message: "the end could not be confirmed: repeat it"}
	case isOnline:
		return resultContradicted, &wire.Error{Code: wire.CodeUnavailable, Message: "the push goes on: repeat the end"}
	}
	return "", nil
}
