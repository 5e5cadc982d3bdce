package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"onair/hub"
	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

// answerWithin is how long a command may take before its answer is "unknown".
const answerWithin = 10 * time.Second

// anchor is a client that streams. Its messages are handled by the goroutine
// that reads its socket; what the log says of its session comes from the one
// that applies.
type anchor struct {
	*client
	buffer []byte // owned by the reading goroutine: acks are built in it

	hold sync.Mutex // guards all below
	held *held      // nil: this socket holds no session
}

// held is the session that a socket holds.
type held struct {
	session presence.Session
	code    string
	lease   presence.Lease
	term    int64 // how long it lives without a beat, in milliseconds
	newer   bool  // the client was told of new settings and has not beaten since
}

func (s *server) attendAnchor(c *client) speaker {
	a := &anchor{client: c}
	s.holders.welcome(a)
	return a
}

// identify keeps a socket with the anchor that opened it.
func (a *anchor) identify(was, is auth.Identity) *wire.Error {
	if is.Subject != was.Subject || is.Role != auth.Anchor {
		return refuse(wire.CodeForbidden, "the new token belongs to somebody else than the one that opened this socket")
	}
	return nil
}

// left notes that the socket is gone. That ends nothing by itself: three
// missed beats do.
func (a *anchor) left() {
	a.server.holders.remove(a)
	if h := a.holding(); h != nil {
		a.server.node.Tell(&presence.Observe{
			Session: h.session, Source: presence.FromSocket, Sign: presence.Detached, Holder: a.id, Detail: a.id,
		})
	}
}

func (a *anchor) holding() *held {
	a.hold.Lock()
	defer a.hold.Unlock()
	return a.held
}

func (a *anchor) keep(h *held) {
	a.hold.Lock()
	a.held = h
	a.hold.Unlock()
}

// ended is told by the log that this socket's session is over.
func (a *anchor) ended(e *presence.Ended) {
	a.keep(nil)
	if e.Reason == presence.Stopped {
		return // the answer says so
	}
	a.send(&wire.Ended{Reason: e.Reason.String(), Summary: summaryOf(e)})
	switch e.Reason {
	case presence.MissedBeats:
		a.finish(wire.CloseMissedBeats, "three missed beats")
	case presence.TakenOver:
		a.finish(wire.CloseTakenOver, "taken over by another device")
	case presence.Kicked, presence.Banned:
		a.finish(wire.CloseRemoved, e.Reason.String())
	}
}

// replaced is told by the log that another socket holds the session now.
func (a *anchor) replaced() {
	a.keep(nil)
	a.finish(wire.CloseTakenOver, "the session was resumed on another socket")
}

// retune tells the client of a new interval; its lease runs by it from its
// next beat on.
func (a *anchor) retune(interval int64) {
	a.hold.Lock()
	if a.held != nil {
		h := *a.held
		h.newer = true
		a.held = &h
	}
	a.hold.Unlock()
	a.send(&wire.Settings{HeartbeatMS: interval})
}

// hear takes one message.
func (a *anchor) hear(ctx context.Context, data []byte) error {
	m, err := wire.DecodeAnchor(data)
	if err != nil {
		return err
	}
	h := a.holding()
	var late bool // the beat is heard, but not in the log
	if h != nil {
		late = a.server.node.Beat(h.lease)
	}
	switch m := m.(type) {
	case *wire.Beat:
		return a.beat(m, h, late)
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
func gone(id wire.ID) *wire.Error {
	return &wire.Error{ID: id, Code: wire.CodeSessionGone, Message: "this socket holds no session"}
}

func (a *anchor) beat(m *wire.Beat, h *held, late bool) error {
	if h == nil {
		return gone(m.ID)
	}
	a.server.metrics.stats(&m.Stats)
	if h.newer {
		a.adopt(h)
	}
	ack := wire.Ack{
		ID: m.ID, N: m.N, ServerTime: time.Now().UnixMilli(), DeadlineInMS: h.term, Held: late,
	}
	a.buffer = wire.AppendAck(a.buffer[:0], &ack)
	a.out.Send(slices.Clone(a.buffer))
	return nil
}

// adopt says that the client has beaten by the new settings.
func (a *anchor) adopt(h *held) {
	s := a.server.settings()
	next := *h
	next.newer, next.term = false, s.Missed*s.Interval+s.Grace
	a.hold.Lock()
	if a.held == h {
		a.held = &next
	}
	a.hold.Unlock()
	a.server.node.Tell(&presence.Adopt{Session: h.session})
}

func (a *anchor) start(ctx context.Context, m *wire.Start, h *held) error {
	if h != nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeAlreadyLive, Message: "this socket holds a live session; stop it first"}
	}
	s := a.server
	c, e := s.startCommand(m, a.identity().Subject, a.id)
	if e != nil {
		return withID(e, m.ID)
	}
	return a.begin(ctx, m.ID, c)
}

func (a *anchor) resume(ctx context.Context, m *wire.Resume, h *held) error {
	session, err := presence.ParseSession(m.Session)
	if err != nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: "session is not a session id"}
	}
	if h != nil && h.session != session {
		return &wire.Error{ID: m.ID, Code: wire.CodeAlreadyLive, Message: "this socket holds another live session; stop it first"}
	}
	return a.begin(ctx, m.ID, &presence.Resume{Session: session, Anchor: a.identity().Subject, Holder: a.id})
}

// begin starts or resumes, and answers with what to push to.
func (a *anchor) begin(ctx context.Context, id wire.ID, c presence.Command) error {
	result, e := a.server.do(ctx, c)
	if e != nil {
		return withID(e, id)
	}
	st := result.Stream
	a.keep(&held{session: st.Session, code: st.Code, lease: result.Lease, term: result.Term})
	if !a.server.holders.holds(a, st.Session) {
		a.keep(nil) // it has ended or moved on since
	}
	a.send(&wire.Started{
		ID: id, Stream: hub.Entry(st), Session: st.Session.String(), Push: a.server.pushURLs(st.Code),
	})
	return nil
}

func (a *anchor) update(ctx context.Context, m *wire.Update, h *held) error {
	if h == nil {
		return gone(m.ID)
	}
	c := &presence.Update{Session: h.session, Holder: a.id}
	if m.Title.Set {
		c.Title = &m.Title.Value
	}
	if m.Cover.Set {
		c.Cover = &m.Cover.Value
	}
	if m.Tags.Set {
		c.Tags = &m.Tags.Value
	}
	if m.Extra.Set {
		c.Extra = new([]byte(m.Extra.Value))
	}
	result, e := a.server.do(ctx, c)
	if e != nil {
		return withID(e, m.ID)
	}
	a.send(&wire.Updated{ID: m.ID, Stream: hub.Entry(result.Stream)})
	return nil
}

func (a *anchor) push(m *wire.PushRequest, h *held) error {
	if h == nil {
		return gone(m.ID)
	}
	a.send(&wire.Pushed{ID: m.ID, Push: a.server.pushURLs(h.code)})
	return nil
}

func (a *anchor) stop(ctx context.Context, m *wire.Stop, h *held) error {
	if h == nil {
		return gone(m.ID)
	}
	who := a.identity().Subject
	result, e := a.server.do(ctx, &presence.Stop{Session: h.session, Reason: presence.Stopped, By: who, Holder: a.id})
	if e != nil {
		return withID(e, m.ID)
	}
	a.keep(nil)
	a.send(&wire.Stopped{ID: m.ID, Summary: *summaryOf(result.Ended)})
	return nil
}

// withID puts a request's id on the error that answers it.
func withID(e *wire.Error, id wire.ID) *wire.Error {
	e.ID = id
	return e
}

func summaryOf(e *presence.Ended) *wire.Summary {
	return &wire.Summary{DurationMS: e.DurationMS(), PeakViewers: e.Stream.Peak, Likes: e.Stream.Likes}
}

// do appends a command and waits for what the log says of it, in the
// protocol's words.
func (s *server) do(ctx context.Context, c presence.Command) (presence.Result, *wire.Error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	result, err := s.node.Do(ctx, c)
	switch {
	case errors.Is(err, presence.ErrUnavailable):
		return result, refuse(wire.CodeUnavailable, "the server cannot write at present; nothing was changed, try again")
	case err != nil:
		return result, refuse(wire.CodeUnknown, "no answer came in time; it may yet take effect, repeat with the same key")
	case result.Refusal != presence.Granted:
		return result, refusal(&result)
	}
	return result, nil
}

// refusals are the sentences for what the registry refuses.
var refusals = map[presence.Refusal]string{
	presence.AlreadyLive:  "this anchor is live on another device",
	presence.CodeTaken:    "another live session has this live code",
	presence.SessionGone:  "the session is not the live one",
	presence.AnchorBanned: "this anchor is banned",
	presence.NotYours:     "the session belongs to another anchor",
}

func refusal(result *presence.Result) *wire.Error {
	e := refuse(wire.Code(result.Refusal.String()), refusals[result.Refusal])
	if result.Refusal == presence.SessionGone && result.Ended != nil {
		e.Reason, e.Summary = result.Ended.Reason.String(), summaryOf(result.Ended)
	}
	return e
}

// startCommand checks a start against the configuration.
func (s *server) startCommand(m *wire.Start, sub, holder string) (*presence.Start, *wire.Error) {
	list := m.List
	if list == "" {
		list = s.cfg.Lists[0]
	}
	if !slices.Contains(s.cfg.Lists, list) {
		return nil, refuse(wire.CodeBadRequest, "list is not one of the configured lists")
	}
	if len(m.Sources) > 0 && (len(m.Sources) != 1 || m.Sources[0] != presence.FromBeats.String()) {
		return nil, refuse(wire.CodeBadRequest, `sources names a source that is not configured here; "heartbeat" is`)
	}
	session := presence.NewSession()
	code, err := s.code.make(sub, session)
	if err != nil {
		return nil, refuse(wire.CodeBadRequest, err.Error())
	}
	full := false
	s.node.Read(func(r *presence.Registry) { full = r.Len() >= s.cfg.Limits.Streams && r.Live(sub) == nil })
	if full {
		return nil, refuse(wire.CodeLimitExceeded, "as many streams are live as limits.streams allows")
	}
	return &presence.Start{
		Session: session, Anchor: sub, Code: code, List: list, Title: m.Title, Cover: m.Cover, Tags: m.Tags,
		Extra: json.RawMessage(m.Extra), Listed: !m.Unlisted, Key: m.Key, Holder: holder,
	}, nil
}
