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
	buffer   []byte    // acks are built in it
	lastBeat time.Time // when the session was last renewed on this socket

	attached []presence.Session // that Attachments has for this socket, and may have had; guarded by Attachments.mu

	mu       sync.Mutex  // guards all below
	session  *attachment // nil: this socket has no session
	stopping bool        // this socket has asked for the end
}

// attachment is the session that a socket controls. It does not change.
type attachment struct {
	session presence.Session
	code    string
	lease   presence.Lease
	term    int64 // how long it lives without a beat, in milliseconds
	retuned bool  // the client was told of new settings and has not beaten since

	settings presence.Settings // by which its client beats
}

// serveAnchor welcomes an anchor.
func (e *Endpoints) serveAnchor(c *client) handler {
	a := &anchor{client: c}
	e.Attachments.add(a)
	return a
}

// checkIdentity leaves a socket to the anchor that opened it.
func (a *anchor) checkIdentity(was, is auth.Identity) error {
	if is.Subject != was.Subject || is.Role != auth.Anchor {
		return &wire.Error{Code: wire.CodeForbidden, Message: "the new token belongs to somebody else than the one that opened this socket"}
	}
	return nil
}

// onClose ends the attachment. That ends no session by itself: missed beats do.
func (a *anchor) onClose() {
	a.endpoints.Attachments.remove(a)
	if h := a.current(); h != nil {
		a.endpoints.Node.Enqueue(&presence.Observe{
			Session: h.session, Source: presence.FromSocket, Signal: presence.Detached, Socket: a.id, Detail: a.id,
		})
	}
}

// current is the attachment, nil for none.
func (a *anchor) current() *attachment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session
}

func (a *anchor) attach(h *attachment) {
	a.mu.Lock()
	a.session = h
	a.mu.Unlock()
}

// onEnd is called when the log has the end of this socket's session.
func (a *anchor) onEnd(e *presence.Ended) {
	a.mu.Lock()
	asked := a.stopping
	a.session, a.stopping = nil, false
	a.mu.Unlock()
	if e.Reason == presence.Stopped && asked {
		return // the answer says so
	}
	a.Send(&wire.Ended{Reason: e.Reason.String(), Summary: broadcast.Summary(e)})
	switch e.Reason {
	case presence.MissedBeats:
		a.Finish(wire.CloseMissedBeats, "three missed beats")
	case presence.TakenOver:
		a.Finish(wire.CloseTakenOver, "taken over by another device")
	case presence.Kicked, presence.Banned:
		a.Finish(wire.CloseRemoved, e.Reason.String())
	}
}

// onReplace is called when the log has given the session to another socket.
func (a *anchor) onReplace() {
	a.attach(nil)
	a.Finish(wire.CloseTakenOver, "the session was resumed on another socket")
}

// onLoss is called when the log has lost the session, which its client may start
// again: the next message about it is answered with session_gone.
func (a *anchor) onLoss() { a.attach(nil) }

// sendSettings sends a new interval to the client; its lease runs by it from its
// next beat on.
func (a *anchor) sendSettings(interval int64) {
	a.mu.Lock()
	if a.session != nil {
		h := *a.session
		h.retuned = true
		a.session = &h
	}
	a.mu.Unlock()
	a.Send(&wire.Settings{HeartbeatMS: interval})
}

// handle handles one message.
func (a *anchor) handle(ctx context.Context, data []byte) error {
	m, err := wire.DecodeAnchorRequest(data)
	if err != nil {
		return err
	}
	h := a.current()
	isPending, known := false, true // isPending: the beat counts, but is not in the log yet
	if h != nil {
		isPending, known = a.endpoints.Node.Beat(h.lease)
	}
	switch m := m.(type) {
	case *wire.Beat:
		if !known {
			if h, isPending = a.renewLease(ctx, h); h == nil {
				return gone(m.ID)
			}
		}
		return a.beat(m, h, isPending)
	case *wire.Auth:
		return a.authenticate(ctx, m)
	case *wire.Start:
		return a.start(ctx, m, h)
	case *wire.Resume:
		return a.resume(ctx, m, h)
	case *wire.Update:
		return a.update(ctx, m, h)
	case *wire.PushRequest:
		return a.push(m, h)
	case *wire.Stop:
		return a.stop(ctx, m, h)
	}
	return nil
}

// gone is the answer to a message about a session that this socket does not hold.
func gone(id wire.ID) error {
	return &wire.Error{ID: id, Code: wire.CodeSessionGone, Message: "this socket holds no session"}
}

// renewLease renews the lease by the session's id, when it is not one that beats
// through this node: after the log has lost its tail, or this node. Until the log
// has the beat, it is held. It returns nil when the session is gone.
func (a *anchor) renewLease(ctx context.Context, h *attachment) (renewed *attachment, isPending bool) {
	result, isPending, err := a.endpoints.Broadcasts.Renew(ctx, h.session)
	switch {
	case err == nil:
	case broadcast.CodeOf(err) == wire.CodeSessionGone:
		return nil, false
	default:
		return h, true
	}
	next := *h
	next.lease, next.term = result.Lease, result.TTL
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == h {
		a.session = &next
	}
	return &next, isPending
}

func (a *anchor) beat(m *wire.Beat, h *attachment, isPending bool) error {
	if h == nil {
		return gone(m.ID)
	}
	now := time.Now()
	a.endpoints.Broadcasts.CountBeat(now.Sub(a.lastBeat), &h.settings)
	a.lastBeat = now
	a.endpoints.Broadcasts.CountStats(&m.Stats)
	if h.retuned {
		a.adopt(h)
	}
	ack := wire.Ack{
		ID: m.ID, N: m.N, ServerTime: now.UnixMilli(), DeadlineInMS: h.term, Pending: isPending,
	}
	a.buffer = wire.AppendAck(a.buffer[:0], &ack)
	a.Out.Send(slices.Clone(a.buffer))
	return nil
}

// adopt appends that the client beats by the new settings.
func (a *anchor) adopt(h *attachment) {
	s := a.endpoints.Broadcasts.Settings()
	next := *h
	next.retuned, next.settings = false, s
	if next.term != 0 { // 0: it does not live by beats
		next.term = s.Missed*s.Interval + s.Grace
	}
	a.mu.Lock()
	if a.session == h {
		a.session = &next
	}
	a.mu.Unlock()
	a.endpoints.Node.Enqueue(&presence.AdoptSettings{Session: h.session})
}

func (a *anchor) start(ctx context.Context, m *wire.Start, h *attachment) error {
	if h != nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeAlreadyLive, Message: "this socket holds a live session; stop it first"}
	}
	m.Suffix = "" // a back end's, over HTTP
	c, err := a.endpoints.Broadcasts.NewStart(m, a.identity().Subject, a.id)
	if err != nil {
		return withID(err, m.ID)
	}
	return a.begin(ctx, m.ID, c)
}

func (a *anchor) resume(ctx context.Context, m *wire.Resume, h *attachment) (err error) {
	defer func() { a.endpoints.Broadcasts.CountResume(err) }()
	session, err := presence.ParseSession(m.Session)
	if err != nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: "session is not a session id"}
	}
	if h != nil && h.session != session {
		return &wire.Error{ID: m.ID, Code: wire.CodeAlreadyLive, Message: "this socket holds another live session; stop it first"}
	}
	return a.begin(ctx, m.ID, &presence.Resume{Session: session, Anchor: a.identity().Subject, Socket: a.id})
}

// begin starts or resumes, and answers with what to push to.
func (a *anchor) begin(ctx context.Context, id wire.ID, c presence.Command) error {
	broadcasts := a.endpoints.Broadcasts
	result, err := broadcasts.Do(ctx, c)
	if err != nil {
		return withID(err, id)
	}
	st := result.Stream
	a.attach(&attachment{
		session: st.Session, code: st.Code, lease: result.Lease, term: result.TTL, settings: broadcasts.Settings(),
	})
	a.lastBeat = time.Now()
	mine, others := a.endpoints.Attachments.claim(a, st.Session, a.endpoints.Node)
	if !mine {
		a.attach(nil) // it has ended or moved on since
	}
	a.Send(&wire.Started{
		ID: id, Stream: hub.Entry(st), Session: st.Session.String(), Push: a.endpoints.URLs.Push(st.Code),
	})
	if others {
		a.onReplace()
	}
	return nil
}

func (a *anchor) update(ctx context.Context, m *wire.Update, h *attachment) error {
	if h == nil {
		return gone(m.ID)
	}
	c := broadcast.NewUpdate(m, h.session)
	c.Socket = a.id
	result, err := a.endpoints.Broadcasts.Do(ctx, c)
	if err != nil {
		return withID(err, m.ID)
	}
	a.Send(&wire.Updated{ID: m.ID, Stream: hub.Entry(result.Stream)})
	return nil
}

func (a *anchor) push(m *wire.PushRequest, h *attachment) error {
	if h == nil {
		return gone(m.ID)
	}
	a.Send(&wire.Pushed{ID: m.ID, Push: a.endpoints.URLs.Push(h.code)})
	return nil
}

func (a *anchor) stop(ctx context.Context, m *wire.Stop, h *attachment) error {
	if h == nil {
		return gone(m.ID)
	}
	who := a.identity().Subject
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	result, err := a.endpoints.Broadcasts.Do(ctx, &presence.Stop{Session: h.session, Reason: presence.Stopped, By: who, Socket: a.id})
	if err == nil {
		a.endpoints.Attachments.detach(a, h.session)
	}
	a.mu.Lock()
	a.stopping = false
	a.mu.Unlock()
	if err != nil {
		return withID(err, m.ID)
	}
	a.attach(nil)
	a.Send(&wire.Stopped{ID: m.ID, Summary: *broadcast.Summary(result.Ended)})
	return nil
}

// withID puts a request's id on the error that answers it.
func withID(err error, id wire.ID) error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		e.ID = id
	}
	return err
}
