package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"onair/hub"
	"onair/hub/wire"
	"onair/presence"
	"onair/presence/node"
	"onair/server/auth"
)

// answerWithin is how long a command may take before its answer is "unknown".
const answerWithin = 10 * time.Second

// anchor is a client that streams. Its messages are handled by the goroutine
// that reads its socket; what the log says of its session comes from the one
// that applies.
type anchor struct {
	*client

	// Owned by the reading goroutine.
	buffer []byte    // acks are built in it
	heard  time.Time // when the session was last heard on this socket

	given []presence.Session // that holders has for this socket, and may have had; guarded by holders.mu

	hold     sync.Mutex // guards all below
	held     *held      // nil: this socket holds no session
	stopping bool       // this socket has asked for the end
}

// held is the session that a socket holds.
type held struct {
	session presence.Session
	code    string
	lease   presence.Lease
	term    int64 // how long it lives without a beat, in milliseconds
	newer   bool  // the client was told of new settings and has not beaten since

	settings presence.Settings // by which its client beats
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
		a.server.node.Enqueue(&presence.Observe{
			Session: h.session, Source: presence.FromSocket, Signal: presence.Detached, Socket: a.id, Detail: a.id,
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
	a.hold.Lock()
	asked := a.stopping
	a.held, a.stopping = nil, false
	a.hold.Unlock()
	if e.Reason == presence.Stopped && asked {
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

// lost is told that the log has lost the session, which its client may start
// again: the next message about it is answered with session_gone.
func (a *anchor) lost() { a.keep(nil) }

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
	m, err := wire.DecodeAnchorRequest(data)
	if err != nil {
		return err
	}
	h := a.holding()
	late, known := false, true // late: the beat is heard, but not in the log
	if h != nil {
		late, known = a.server.node.Beat(h.lease)
	}
	switch m := m.(type) {
	case *wire.Beat:
		if !known {
			if h, late = a.reheard(ctx, h); h == nil {
				return gone(m.ID)
			}
		}
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

// reheard has the session heard by its name, when its lease is not one that
// beats through this node: after the log has lost its tail, or this node. While
// the log does not say so, the beat is held. It returns nil when the session is
// gone.
func (a *anchor) reheard(ctx context.Context, h *held) (now *held, late bool) {
	result, late, e := a.server.hear(ctx, h.session)
	switch {
	case e == nil:
	case e.Code == wire.CodeSessionGone:
		return nil, false
	default:
		return h, true
	}
	next := *h
	next.lease, next.term = result.Lease, result.TTL
	a.hold.Lock()
	defer a.hold.Unlock()
	if a.held == h {
		a.held = &next
	}
	return &next, late
}

func (a *anchor) beat(m *wire.Beat, h *held, late bool) error {
	if h == nil {
		return gone(m.ID)
	}
	now := time.Now()
	a.server.metrics.beat(now.Sub(a.heard), &h.settings)
	a.heard = now
	a.server.metrics.stats(&m.Stats)
	if h.newer {
		a.adopt(h)
	}
	ack := wire.Ack{
		ID: m.ID, N: m.N, ServerTime: now.UnixMilli(), DeadlineInMS: h.term, Pending: late,
	}
	a.buffer = wire.AppendAck(a.buffer[:0], &ack)
	a.out.Send(slices.Clone(a.buffer))
	return nil
}

// adopt says that the client has beaten by the new settings.
func (a *anchor) adopt(h *held) {
	s := a.server.settings()
	next := *h
	next.newer, next.settings = false, s
	if next.term != 0 { // 0: it does not live by beats
		next.term = s.Missed*s.Interval + s.Grace
	}
	a.hold.Lock()
	if a.held == h {
		a.held = &next
	}
	a.hold.Unlock()
	a.server.node.Enqueue(&presence.AdoptSettings{Session: h.session})
}

func (a *anchor) start(ctx context.Context, m *wire.Start, h *held) error {
	if h != nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeAlreadyLive, Message: "this socket holds a live session; stop it first"}
	}
	s := a.server
	m.Suffix = "" // a back end's, over HTTP
	c, e := s.startCommand(m, a.identity().Subject, a.id)
	if e != nil {
		return withID(e, m.ID)
	}
	return a.begin(ctx, m.ID, c)
}

func (a *anchor) resume(ctx context.Context, m *wire.Resume, h *held) (err error) {
	defer func() { a.server.metrics.resume(err) }()
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
	result, e := a.server.do(ctx, c)
	if e != nil {
		return withID(e, id)
	}
	st := result.Stream
	a.keep(&held{
		session: st.Session, code: st.Code, lease: result.Lease, term: result.TTL, settings: a.server.settings(),
	})
	a.heard = time.Now()
	mine, others := a.server.holders.claim(a, st.Session, a.server.node)
	if !mine {
		a.keep(nil) // it has ended or moved on since
	}
	a.send(&wire.Started{
		ID: id, Stream: hub.Entry(st), Session: st.Session.String(), Push: a.server.pushURLs(st.Code),
	})
	if others {
		a.replaced()
	}
	return nil
}

func (a *anchor) update(ctx context.Context, m *wire.Update, h *held) error {
	if h == nil {
		return gone(m.ID)
	}
	c := updateCommand(m, h.session)
	c.Socket = a.id
	result, e := a.server.do(ctx, c)
	if e != nil {
		return withID(e, m.ID)
	}
	a.send(&wire.Updated{ID: m.ID, Stream: hub.Entry(result.Stream)})
	return nil
}

// updateCommand is what an update asks for.
func updateCommand(m *wire.Update, session presence.Session) *presence.Update {
	c := &presence.Update{Session: session}
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
	return c
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
	a.hold.Lock()
	a.stopping = true
	a.hold.Unlock()
	result, e := a.server.do(ctx, &presence.Stop{Session: h.session, Reason: presence.Stopped, By: who, Socket: a.id})
	if e == nil {
		a.server.holders.drop(a, h.session)
	}
	a.hold.Lock()
	a.stopping = false
	a.hold.Unlock()
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
	return &wire.Summary{DurationMS: e.DurationMS(), PeakViewers: e.Stream.PeakViewers, Likes: e.Stream.Likes}
}

// do appends a command and waits for what the log says of it, in the
// protocol's words.
func (s *server) do(ctx context.Context, c presence.Command) (presence.Result, *wire.Error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	result, err := s.node.Do(ctx, c)
	return s.answered(result, err)
}

// hear is do for a beat of a session that is named.
func (s *server) hear(ctx context.Context, session presence.Session) (presence.Result, bool, *wire.Error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	result, held, err := s.node.BeatSession(ctx, session)
	result, e := s.answered(result, err)
	return result, held, e
}

// sync waits until this node has all that is in the log by now.
func (s *server) sync(ctx context.Context) *wire.Error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	_, e := s.answered(presence.Result{}, s.node.Sync(ctx))
	return e
}

func (s *server) answered(result presence.Result, err error) (presence.Result, *wire.Error) {
	switch {
	case errors.Is(err, node.ErrUnavailable):
		return result, refuse(wire.CodeUnavailable, "the server cannot write at present; nothing was changed, try again")
	case err != nil:
		return result, refuse(wire.CodeUnknown, "no answer came in time; it may yet take effect, repeat with the same key")
	case result.Refusal != presence.Granted:
		if result.Refusal == presence.SessionGone && result.Ended != nil {
			s.regret(result.Ended)
		}
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
	presence.NotOwner:     "the session belongs to another anchor",
	presence.Superseded:   "the session has moved to another socket meanwhile; if it is to move here, ask again",
}

func refusal(result *presence.Result) *wire.Error {
	e := refuse(wire.ErrorCode(result.Refusal.String()), refusals[result.Refusal])
	if result.Refusal == presence.SessionGone && result.Ended != nil {
		e.Reason, e.Summary = result.Ended.Reason.String(), summaryOf(result.Ended)
	}
	return e
}

// startCommand checks a start against the configuration.
func (s *server) startCommand(m *wire.Start, anchor, holder string) (*presence.Start, *wire.Error) {
	list := m.List
	if list == "" {
		list = s.cfg.Lists[0]
	}
	if !slices.Contains(s.cfg.Lists, list) {
		return nil, refuse(wire.CodeBadRequest, "list is not one of the configured lists")
	}
	sources, e := s.sourcesOf(m.Sources)
	if e != nil {
		return nil, e
	}
	session := presence.NewSession()
	code, err := s.code.make(anchor, m.Suffix, session)
	if err != nil {
		return nil, refuse(wire.CodeBadRequest, err.Error())
	}
	if of := s.transcodedFrom(code); of != "" {
		return nil, refuse(wire.CodeBadRequest, "the live code "+code+" is that of "+of+" transcoded, by play.templates: its URLs would be the same")
	}
	full := false
	s.node.Read(func(r *presence.Registry) {
		full = r.Len() >= s.now().cfg.Limits.Streams && r.StreamByAnchor(anchor) == nil
	})
	if full {
		return nil, refuse(wire.CodeLimitExceeded, "as many streams are live as limits.streams allows")
	}
	return &presence.Start{
		Session: session, Anchor: anchor, Code: code, List: list, Title: m.Title, Cover: m.Cover, Tags: m.Tags,
		Extra: json.RawMessage(m.Extra), Listed: !m.Unlisted, Sources: sources, Key: m.Key, Socket: holder,
	}, nil
}

// sourcesOf is what a session lives by: what its start names of the sources
// that are configured, or all of them.
func (s *server) sourcesOf(names []string) (presence.Sources, *wire.Error) {
	have := presence.SourcesOf(presence.FromBeats)
	cfg := s.now().cfg
	if cfg.Hooks.AnyEnabled() {
		have |= presence.SourcesOf(presence.FromCallback)
	}
	if cfg.Poll.Provider != "" {
		have |= presence.SourcesOf(presence.FromPoll)
	}
	if len(names) == 0 {
		return have, nil
	}
	var set presence.Sources
	for _, name := range names {
		source, known := presence.ParseSource(name)
		if !known || !have.Has(source) {
			return 0, refuse(wire.CodeBadRequest, "sources may name what is configured here: "+strings.Join(have.Names(), ", "))
		}
		set |= presence.SourcesOf(source)
	}
	return set, nil
}
