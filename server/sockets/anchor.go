package sockets

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"onair/hub"
	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/broadcast"
)

// anchor handles the messages of an anchor. The goroutine that reads its socket calls
// handleRequest; the goroutine that applies the log calls the methods named on….
type anchor struct {
	*client

	// Owned by the reading goroutine.
	ackBuffer []byte
	lastBeat  time.Time // when this socket last renewed the lease

	sessions []presence.Session // that Attachments may have for this socket; guarded by Attachments.mu

	attachment atomic.Pointer[attachment] // nil: this socket is not attached to a session
	isStopping atomic.Bool                // the client has sent stop and has no answer yet
}

// attachment is the session that a socket is attached to. It does not change: a change
// replaces it.
type attachment struct {
	session        presence.Session
	code           string
	lease          presence.Lease
	leaseDuration  int64             // in milliseconds; 0: the session does not need beats
	settings       presence.Settings // that the client beats by
	hasNewSettings bool              // they were sent, and no beat was received since
}

func startAnchor(c *client) messageHandler {
	a := &anchor{client: c}
	c.server.Attachments.welcomeAndAddAnchor(a)
	return a
}

// checkNewIdentity accepts only tokens of the anchor that opened the socket.
func (a *anchor) checkNewIdentity(current, next auth.Identity) error {
	if next.Subject != current.Subject || next.Role != auth.Anchor {
		return &wire.Error{Code: wire.CodeForbidden, Message: "the new token must belong to the anchor that opened this socket"}
	}
	return nil
}

// onClose ends the attachment. The session goes on until enough beats are missed.
func (a *anchor) onClose() {
	a.server.Attachments.removeAnchor(a)
	if att := a.attachment.Load(); att != nil {
		a.server.Node.Enqueue(&presence.Observe{
			Session: att.session, Source: presence.FromSocket, Signal: presence.Detached, Socket: a.id, Detail: a.id,
		})
	}
}

// onSessionEnded is called when the log has the end of the session.
func (a *anchor) onSessionEnded(ended *presence.Ended) {
	wasStopping := a.isStopping.Swap(false)
	a.attachment.Store(nil)
	if ended.Reason == presence.Stopped && wasStopping {
		return // the answer to stop reports the end
	}
	a.Send(&wire.Ended{Reason: ended.Reason.String(), Summary: broadcast.Summary(ended)})
	switch ended.Reason {
	case presence.MissedBeats:
		a.Close(wire.CloseMissedBeats, "three missed beats")
	case presence.TakenOver:
		a.Close(wire.CloseTakenOver, "taken over by another device")
	case presence.Kicked, presence.Banned:
		a.Close(wire.CloseRemoved, ended.Reason.String())
	}
}

// onSocketReplaced is called when the log has attached another socket to the session.
func (a *anchor) onSocketReplaced() {
	a.attachment.Store(nil)
	a.Close(wire.CloseTakenOver, "the session was resumed on another socket")
}

// clearAttachment is called when the log has lost the session. The next message about it is
// answered with session_gone, and the client may start a new one.
func (a *anchor) clearAttachment() { a.attachment.Store(nil) }

// sendAndMarkNewSettings sends a new interval, in milliseconds. It applies from the next beat on.
func (a *anchor) sendAndMarkNewSettings(interval int64) {
	for {
		att := a.attachment.Load()
		if att == nil {
			break
		}
		next := *att
		next.hasNewSettings = true
		if a.attachment.CompareAndSwap(att, &next) {
			break
		}
	}
	a.Send(&wire.Settings{HeartbeatMS: interval})
}

// handleRequest handles one message. Every message counts as a beat.
func (a *anchor) handleRequest(ctx context.Context, message wire.Message) error {
	att := a.attachment.Load()
	isPending, isRenewed := false, true // isPending: the beat may not reach the log
	if att != nil {
		isPending, isRenewed = a.server.Node.Beat(att.lease)
	}
	switch m := message.(type) {
	case *wire.Auth:
		return a.replaceIdentityOrReject(ctx, m)
	case *wire.Start:
		return a.handleStart(ctx, m, att)
	case *wire.Resume:
		return a.handleResume(ctx, m, att)
	}
	if _, isBeat := message.(*wire.Beat); isBeat && !isRenewed {
		att, isPending = a.renewLease(ctx, att)
	}
	if att == nil {
		return &wire.Error{Code: wire.CodeSessionGone, Message: "this socket has no session"}
	}
	switch m := message.(type) {
	case *wire.Beat:
		a.handleBeat(m, att, isPending)
	case *wire.Update:
		return a.handleUpdate(ctx, m, att)
	case *wire.PushRequest:
		a.Send(&wire.Pushed{ID: m.ID, Push: a.server.URLs.PushURLs(att.code)})
	case *wire.Stop:
		return a.handleStop(ctx, m, att)
	}
	return nil
}

// renewLease renews the lease by the session, when this node was not the last to renew it:
// after the log lost entries, or the other nodes declared this one lost. It returns nil when
// the session is gone.
func (a *anchor) renewLease(ctx context.Context, att *attachment) (renewed *attachment, isPending bool) {
	result, isPending, err := a.server.Broadcasts.RenewLease(ctx, att.session)
	switch {
	case broadcast.WireErrorCode(err) == wire.CodeSessionGone:
		return nil, false
	case err != nil:
		return att, true
	}
	next := *att
	next.lease, next.leaseDuration = result.Lease, result.TTL
	a.attachment.CompareAndSwap(att, &next) // unless the log has changed it since
	return &next, isPending
}

func (a *anchor) handleBeat(m *wire.Beat, att *attachment, isPending bool) {
	now := time.Now()
	a.server.Broadcasts.CountBeat(now.Sub(a.lastBeat), &att.settings)
	a.lastBeat = now
	a.server.Broadcasts.CountEncoderStats(&m.Stats)
	if att.hasNewSettings {
		a.adoptSentSettings(att)
	}
	ack := wire.Ack{
		ID: m.ID, N: m.N, ServerTime: now.UnixMilli(), DeadlineInMS: att.leaseDuration, Pending: isPending,
	}
	a.ackBuffer = wire.AppendAck(a.ackBuffer[:0], &ack)
	a.Socket.Send(slices.Clone(a.ackBuffer))
}

// adoptSentSettings lets the lease run by the new settings, which the client beats by now.
func (a *anchor) adoptSentSettings(att *attachment) {
	s := a.server.Broadcasts.Settings()
	next := *att
	next.hasNewSettings, next.settings = false, s
	if next.leaseDuration != 0 {
		next.leaseDuration = s.Missed*s.Interval + s.Grace
	}
	a.attachment.CompareAndSwap(att, &next) // unless the log has changed it since
	a.server.Node.Enqueue(&presence.AdoptLeaseParams{Session: att.session})
}

// handleStart starts a session. current is what the socket is attached to, nil: nothing.
func (a *anchor) handleStart(ctx context.Context, m *wire.Start, current *attachment) error {
	if current != nil {
		return &wire.Error{Code: wire.CodeAlreadyLive, Message: "this socket has a live session: stop it first"}
	}
	m.Suffix = "" // only back ends may choose it, over HTTP
	command, err := a.server.Broadcasts.NewStart(m, a.currentIdentity().Subject, a.id)
	if err != nil {
		return err
	}
	return a.startOrResume(ctx, m.ID, command)
}

func (a *anchor) handleResume(ctx context.Context, m *wire.Resume, att *attachment) (err error) {
	defer func() { a.server.Broadcasts.CountResume(err) }()
	session, err := presence.ParseSession(m.Session)
	if err != nil {
		return &wire.Error{Code: wire.CodeBadRequest, Message: "session is not a session id"}
	}
	if att != nil && att.session != session {
		return &wire.Error{Code: wire.CodeAlreadyLive, Message: "this socket has another live session: stop it first"}
	}
	return a.startOrResume(ctx, m.ID, &presence.Resume{Session: session, Anchor: a.currentIdentity().Subject, Socket: a.id})
}

// startOrResume runs a start or a resume, attaches the socket to the session, and sends the
// push URLs.
func (a *anchor) startOrResume(ctx context.Context, id wire.ID, command presence.Command) error {
	broadcasts := a.server.Broadcasts
	result, err := broadcasts.Do(ctx, command)
	if err != nil {
		return err
	}
	st := result.Stream
	a.attachment.Store(&attachment{
		session: st.Session, code: st.Code, lease: result.Lease, leaseDuration: result.TTL, settings: broadcasts.Settings(),
	})
	a.lastBeat = time.Now()
	isAttached, isAttachedElsewhere := a.server.Attachments.attachIfInRegistry(a, st.Session, a.server.Node)
	if !isAttached {
		a.attachment.Store(nil)
	}
	a.Send(&wire.Started{
		ID: id, Stream: hub.Entry(st), Session: st.Session.String(), Push: a.server.URLs.PushURLs(st.Code),
	})
	if isAttachedElsewhere {
		a.onSocketReplaced()
	}
	return nil
}

func (a *anchor) handleUpdate(ctx context.Context, m *wire.Update, att *attachment) error {
	command := broadcast.NewUpdate(m, att.session)
	command.Socket = a.id
	result, err := a.server.Broadcasts.Do(ctx, command)
	if err != nil {
		return err
	}
	a.Send(&wire.Updated{ID: m.ID, Stream: hub.Entry(result.Stream)})
	return nil
}

func (a *anchor) handleStop(ctx context.Context, m *wire.Stop, att *attachment) error {
	a.isStopping.Store(true)
	result, err := a.server.Broadcasts.Do(ctx, &presence.Stop{
		Session: att.session, Reason: presence.Stopped, By: a.currentIdentity().Subject, Socket: a.id,
	})
	if err == nil {
		a.server.Attachments.detachSession(a, att.session)
	}
	a.isStopping.Store(false)
	if err != nil {
		return err
	}
	a.attachment.Store(nil)
	a.Send(&wire.Stopped{ID: m.ID, Summary: *broadcast.Summary(result.Ended)})
	return nil
}
