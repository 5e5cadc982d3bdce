package sockets

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"onair/hub"
	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/broadcast"
)

// anchor is a client that streams. Its messages are handled by the goroutine
// that reads its socket; what the log says of its session comes from the one
// that applies.
type anchor struct {
	*client

	// Owned by the reading goroutine.
	ackBuffer []byte    // acks are built in it
	lastBeat  time.Time // when the session was last renewed on this socket

	sessions []presence.Session // that Attachments has for this socket, and may have had; guarded by Attachments.mu

	mu         sync.Mutex  // guards all below
	attachment *attachment // nil: this socket has no session
	isStopping bool        // this socket has asked for the end
}

// attachment is the session that a socket controls. It does not change.
type attachment struct {
	session        presence.Session
	code           string
	lease          presence.Lease
	leaseDuration  int64 // how long it lives without a beat, in milliseconds
	hasNewSettings bool  // the client was told of new settings and has not beaten since

	settings presence.Settings // by which its client beats
}

// newAnchor welcomes an anchor.
func (e *Server) newAnchor(c *client) messageHandler {
	a := &anchor{client: c}
	e.Attachments.addAnchor(a)
	return a
}

// checkNewIdentity leaves a socket to the anchor that opened it.
func (a *anchor) checkNewIdentity(was, is auth.Identity) error {
	if is.Subject != was.Subject || is.Role != auth.Anchor {
		return &wire.Error{Code: wire.CodeForbidden, Message: "the new token belongs to somebody else than the one that opened this socket"}
	}
	return nil
}

// onClose ends the attachment. That ends no session by itself: missed beats do.
func (a *anchor) onClose() {
	a.server.Attachments.removeAnchor(a)
	if h := a.currentAttachment(); h != nil {
		a.server.Node.Enqueue(&presence.Observe{
			Session: h.session, Source: presence.FromSocket, Signal: presence.Detached, Socket: a.id, Detail: a.id,
		})
	}
}

// currentAttachment is the attachment, nil for none.
func (a *anchor) currentAttachment() *attachment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.attachment
}

func (a *anchor) setAttachment(h *attachment) {
	a.mu.Lock()
	a.attachment = h
	a.mu.Unlock()
}

// onSessionEnded is called when the log has the end of this socket's session.
func (a *anchor) onSessionEnded(e *presence.Ended) {
	a.mu.Lock()
	asked := a.isStopping
	a.attachment, a.isStopping = nil, false
	a.mu.Unlock()
	if e.Reason == presence.Stopped && asked {
		return // the answer says so
	}
	a.Send(&wire.Ended{Reason: e.Reason.String(), Summary: broadcast.Summary(e)})
	switch e.Reason {
	case presence.MissedBeats:
		a.Close(wire.CloseMissedBeats, "three missed beats")
	case presence.TakenOver:
		a.Close(wire.CloseTakenOver, "taken over by another device")
	case presence.Kicked, presence.Banned:
		a.Close(wire.CloseRemoved, e.Reason.String())
	}
}

// onSocketReplaced is called when the log has given the session to another socket.
func (a *anchor) onSocketReplaced() {
	a.setAttachment(nil)
	a.Close(wire.CloseTakenOver, "the session was resumed on another socket")
}

// onSessionLost is called when the log has lost the session, which its client may start
// again: the next message about it is answered with session_gone.
func (a *anchor) onSessionLost() { a.setAttachment(nil) }

// sendSettings sends a new interval to the client; its lease runs by it from its
// next beat on.
func (a *anchor) sendSettings(interval int64) {
	a.mu.Lock()
	if a.attachment != nil {
		h := *a.attachment
		h.hasNewSettings = true
		a.attachment = &h
	}
	a.mu.Unlock()
	a.Send(&wire.Settings{HeartbeatMS: interval})
}

// handleRequest handles one message.
func (a *anchor) handleRequest(ctx context.Context, data []byte) error {
	m, err := wire.DecodeAnchorRequest(data)
	if err != nil {
		return err
	}
	h := a.currentAttachment()
	isPending, known := false, true // isPending: the beat counts, but is not in the log yet
	if h != nil {
		isPending, known = a.server.Node.Beat(h.lease)
	}
	switch m := m.(type) {
	case *wire.Beat:
		if !known {
			if h, isPending = a.renewLease(ctx, h); h == nil {
				return sessionGoneError(m.ID)
			}
		}
		return a.handleBeat(m, h, isPending)
	case *wire.Auth:
		return a.replaceIdentity(ctx, m)
	case *wire.Start:
		return a.handleStart(ctx, m, h)
	case *wire.Resume:
		return a.handleResume(ctx, m, h)
	case *wire.Update:
		return a.handleUpdate(ctx, m, h)
	case *wire.PushRequest:
		return a.handlePushRequest(m, h)
	case *wire.Stop:
		return a.handleStop(ctx, m, h)
	}
	return nil
}

// sessionGoneError is the answer to a message about a session that this socket does not hold.
func sessionGoneError(id wire.ID) error {
	return &wire.Error{ID: id, Code: wire.CodeSessionGone, Message: "this socket holds no session"}
}

// renewLease renews the lease by the session's id, when it is not one that beats
// through this node: after the log has lost its tail, or this node. Until the log
// has the beat, it is held. It returns nil when the session is gone.
func (a *anchor) renewLease(ctx context.Context, h *attachment) (renewed *attachment, isPending bool) {
	result, isPending, err := a.server.Broadcasts.RenewLease(ctx, h.session)
	switch {
	case err == nil:
	case broadcast.ErrorCode(err) == wire.CodeSessionGone:
		return nil, false
	default:
		return h, true
	}
	next := *h
	next.lease, next.leaseDuration = result.Lease, result.TTL
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.attachment == h {
		a.attachment = &next
	}
	return &next, isPending
}

func (a *anchor) handleBeat(m *wire.Beat, h *attachment, isPending bool) error {
	if h == nil {
		return sessionGoneError(m.ID)
	}
	now := time.Now()
	a.server.Broadcasts.CountBeat(now.Sub(a.lastBeat), &h.settings)
	a.lastBeat = now
	a.server.Broadcasts.CountEncoderStats(&m.Stats)
	if h.hasNewSettings {
		a.adoptSettings(h)
	}
	ack := wire.Ack{
		ID: m.ID, N: m.N, ServerTime: now.UnixMilli(), DeadlineInMS: h.leaseDuration, Pending: isPending,
	}
	a.ackBuffer = wire.AppendAck(a.ackBuffer[:0], &ack)
	a.Socket.Send(slices.Clone(a.ackBuffer))
	return nil
}

// adoptSettings appends that the client beats by the new settings.
func (a *anchor) adoptSettings(h *attachment) {
	s := a.server.Broadcasts.Settings()
	next := *h
	next.hasNewSettings, next.settings = false, s
	if next.leaseDuration != 0 { // 0: it does not live by beats
		next.leaseDuration = s.Missed*s.Interval + s.Grace
	}
	a.mu.Lock()
	if a.attachment == h {
		a.attachment = &next
	}
	a.mu.Unlock()
	a.server.Node.Enqueue(&presence.AdoptSettings{Session: h.session})
}

func (a *anchor) handleStart(ctx context.Context, m *wire.Start, h *attachment) error {
	if h != nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeAlreadyLive, Message: "this socket holds a live session; stop it first"}
	}
	m.Suffix = "" // a back end's, over HTTP
	c, err := a.server.Broadcasts.NewStart(m, a.currentIdentity().Subject, a.id)
	if err != nil {
		return withRequestID(err, m.ID)
	}
	return a.startOrResume(ctx, m.ID, c)
}

func (a *anchor) handleResume(ctx context.Context, m *wire.Resume, h *attachment) (err error) {
	defer func() { a.server.Broadcasts.CountResume(err) }()
	session, err := presence.ParseSession(m.Session)
	if err != nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: "session is not a session id"}
	}
	if h != nil && h.session != session {
		return &wire.Error{ID: m.ID, Code: wire.CodeAlreadyLive, Message: "this socket holds another live session; stop it first"}
	}
	return a.startOrResume(ctx, m.ID, &presence.Resume{Session: session, Anchor: a.currentIdentity().Subject, Socket: a.id})
}

// startOrResume starts or resumes, and answers with what to push to.
func (a *anchor) startOrResume(ctx context.Context, id wire.ID, c presence.Command) error {
	broadcasts := a.server.Broadcasts
	result, err := broadcasts.Do(ctx, c)
	if err != nil {
		return withRequestID(err, id)
	}
	st := result.Stream
	a.setAttachment(&attachment{
		session: st.Session, code: st.Code, lease: result.Lease, leaseDuration: result.TTL, settings: broadcasts.Settings(),
	})
	a.lastBeat = time.Now()
	mine, others := a.server.Attachments.confirmAttachment(a, st.Session, a.server.Node)
	if !mine {
		a.setAttachment(nil) // it has ended or moved on since
	}
	a.Send(&wire.Started{
		ID: id, Stream: hub.Entry(st), Session: st.Session.String(), Push: a.server.URLs.PushURLs(st.Code),
	})
	if others {
		a.onSocketReplaced()
	}
	return nil
}

func (a *anchor) handleUpdate(ctx context.Context, m *wire.Update, h *attachment) error {
	if h == nil {
		return sessionGoneError(m.ID)
	}
	c := broadcast.NewUpdate(m, h.session)
	c.Socket = a.id
	result, err := a.server.Broadcasts.Do(ctx, c)
	if err != nil {
		return withRequestID(err, m.ID)
	}
	a.Send(&wire.Updated{ID: m.ID, Stream: hub.Entry(result.Stream)})
	return nil
}

func (a *anchor) handlePushRequest(m *wire.PushRequest, h *attachment) error {
	if h == nil {
		return sessionGoneError(m.ID)
	}
	a.Send(&wire.Pushed{ID: m.ID, Push: a.server.URLs.PushURLs(h.code)})
	return nil
}

func (a *anchor) handleStop(ctx context.Context, m *wire.Stop, h *attachment) error {
	if h == nil {
		return sessionGoneError(m.ID)
	}
	who := a.currentIdentity().Subject
	a.mu.Lock()
	a.isStopping = true
	a.mu.Unlock()
	result, err := a.server.Broadcasts.Do(ctx, &presence.Stop{Session: h.session, Reason: presence.Stopped, By: who, Socket: a.id})
	if err == nil {
		a.server.Attachments.detachSession(a, h.session)
	}
	a.mu.Lock()
	a.isStopping = false
	a.mu.Unlock()
	if err != nil {
		return withRequestID(err, m.ID)
	}
	a.setAttachment(nil)
	a.Send(&wire.Stopped{ID: m.ID, Summary: *broadcast.Summary(result.Ended)})
	return nil
}

// withRequestID puts a request's id on the error that answers it.
func withRequestID(err error, id wire.ID) error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		e.ID = id
	}
	return err
}
