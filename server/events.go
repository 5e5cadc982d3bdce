package main

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/auth"
)

// A reader of events is held to what a socket is: it is closed after so long
// without taking a byte, or when one message took so long.
const (
	eventStall   = 30 * time.Second
	eventFrame   = 5 * time.Minute
	eventChunk   = 16 << 10         // bytes, written under one deadline
	eventBuffer  = 16 << 10         // bytes, the kernel's send buffer: a reader that stops must not pin megabytes
	tooManyFor   = 10 * time.Second // before an address that has too many connections may ask again
	eventBackoff = "retry: 1000\n\n"
)

// events is one response of server-sent events, to which the hub writes as to a
// socket. The handler's goroutine is the one that writes it.
type events struct {
	// Static after construction.
	w     http.ResponseWriter
	rc    *http.ResponseController
	view  string      // whose positions are the events' ids
	ready func(error) // set once, by OnWritable
	next  chan []byte // of size one: the event to be written; the hub waits until it was
	last  chan []byte // of size one: the same, and then no more
	gone  chan struct{}
	done  chan struct{} // closed when over

	mu   sync.Mutex // guards over
	over bool       // the handler writes no more

	leave   sync.Once   // closes gone
	writing atomic.Bool // so a deadline would end it
	begun   bool        // something was written; owned by the handler
}

var _ hub.Conn = (*events)(nil)

// streamEvents answers GET /v1/streams/events: what a viewer socket would be
// sent of one query, and of the streams that are watched.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	if r.ContentLength != 0 {
		// One that never comes would keep the client's end from being noticed.
		return refuse(wire.CodeBadRequest, "this call takes no body")
	}
	q, e := queryOf(r)
	if e != nil {
		return e
	}
	if q.Pos = r.Header.Get("Last-Event-ID"); q.Pos == "" {
		q.Pos = r.URL.Query().Get("pos")
	}
	if err := q.Validate(); err != nil {
		return err.(*wire.Error)
	}
	view, e := s.hub.ViewID(q)
	if e != nil {
		return e
	}
	watched := split(r.URL.Query()["watch"])
	if e := s.foreign(r); e != nil && len(watched) > 0 {
		return e
	}
	if most := s.now().cfg.Limits.WatchesPerSocket; len(watched) > most {
		return refuse(wire.CodeLimitExceeded, "watch names more streams than one socket may watch")
	}
	for _, code := range watched {
		if s.hub.StreamByCode(code) == nil {
			return notLive()
		}
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	obstacle := ""
	if s.hub.IsOverloaded() {
		obstacle = overloaded
	}
	place, e := s.gate.reserve(obstacle)
	if e != nil {
		return e
	}
	defer place.free()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would collect what is to go at once
	ev := &events{
		w: w, rc: http.NewResponseController(w), view: view,
		next: make(chan []byte, 1), last: make(chan []byte, 1), gone: make(chan struct{}), done: make(chan struct{}),
	}
	ev.rc.SetReadDeadline(time.Time{}) // the request has come whole; what follows has no end
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		socket.SetSendBuffer(conn, eventBuffer) // if it fails we only use more memory
	}
	out := s.hub.Attach(ev)
	defer out.Close()
	defer ev.end()
	g := &guest{out: out, kind: kindEvents, address: s.addressOf(r)}
	if !s.gate.enter(place, g, roleOf(who)) {
		return &wire.Error{
			Code: wire.CodeRateLimited, Message: "too many connections from this address", RetryAfterMS: tooManyFor.Milliseconds(),
		}
	}
	defer s.gate.leave(g)
	e = s.hub.Subscribe(out, q)
	for _, code := range watched {
		if e == nil {
			e = s.hub.Watch(out, &wire.Watch{Code: code, Play: q.Play})
		}
	}
	if e != nil {
		return e // nothing was written yet
	}
	expired := make(<-chan time.Time)
	if !who.ExpiresAt.IsZero() {
		timer := time.NewTimer(time.Until(who.ExpiresAt))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		select {
		case text := <-ev.next:
			err := ev.send(text)
			if ev.ready(err); err == nil {
				continue
			}
		case text := <-ev.last:
			ev.send(text) // nobody is left to be told of an error
		case <-expired:
			g.finish(wire.CloseUnauthorized, "the token has expired")
			continue
		case <-ev.gone:
		case <-r.Context().Done():
			g.said.CompareAndSwap(0, int64(websocket.StatusGoingAway))
		}
		s.metrics.closed(kindEvents, websocket.StatusCode(g.code()))
		return nil
	}
}

// roleOf is what an identity counts as.
func roleOf(who auth.Identity) string {
	if who.Role == "" {
		return roleAnonymous
	}
	return string(who.Role)
}

// connKey is under which a request's context has its connection.
type connKey struct{}

// OnWritable implements hub.Conn.
func (ev *events) OnWritable(f func(error)) { ev.ready = f }

// Write has the handler write a message as one event.
func (ev *events) Write(m socket.Message) (full bool, err error) {
	message := m.AppendText(nil)
	typ, view, pos := wire.PeekHeader(message)
	text := make([]byte, 0, len(message)+128)
	text = append(append(text, "event: "...), typ...)
	if pos != "" && view == ev.view {
		text = append(append(text, "\nid: "...), pos...)
	}
	text = append(append(text, "\ndata: "...), message...)
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if ev.over {
		return false, net.ErrClosed
	}
	ev.next <- append(text, "\n\n"...)
	return true, nil
}

// end is when the handler writes no more.
func (ev *events) end() {
	ev.mu.Lock()
	ev.over = true
	ev.mu.Unlock()
	close(ev.done)
	select {
	case <-ev.next:
		ev.ready(net.ErrClosed)
	default:
	}
}

// errSlowReader ends a response whose reader took too long for one message.
var errSlowReader = errors.New("events: the reader is too slow")

// send writes an event. It is called by the handler.
func (ev *events) send(text []byte) error {
	ev.writing.Store(true)
	defer ev.writing.Store(false)
	if !ev.begun {
		ev.begun = true
		text = append([]byte(eventBackoff), text...)
	}
	limit := time.Now().Add(eventFrame)
	for len(text) > 0 {
		now := time.Now()
		if !now.Before(limit) {
			return errSlowReader
		}
		n := min(len(text), eventChunk)
		if err := ev.deadline(now.Add(eventStall)); err != nil {
			return err
		}
		if _, err := ev.w.Write(text[:n]); err != nil {
			return err
		}
		if err := ev.rc.Flush(); err != nil {
			return err
		}
		text = text[n:]
	}
	return ev.deadline(time.Time{}) // HTTP/2 ends a response when it passes, written or not
}

// deadline sets when writing ends, unless it has been ended meanwhile.
func (ev *events) deadline(at time.Time) error {
	if err := ev.rc.SetWriteDeadline(at); err != nil {
		return err
	}
	select {
	case <-ev.gone:
		return net.ErrClosed
	default:
		return nil
	}
}

// Close says why, as the last event.
func (ev *events) Close(code websocket.StatusCode, reason string) error {
	text := append([]byte("event: close\ndata: {\"type\":\"close\",\"code\":"), strconv.Itoa(int(code))...)
	text = wire.AppendJSONString(append(text, `,"reason":`...), reason)
	ev.last <- append(text, "}\n\n"...)
	<-ev.done
	return nil
}

// CloseNow ends a send that is under way, and lets the handler return.
func (ev *events) CloseNow() error {
	var err error
	ev.leave.Do(func() {
		close(ev.gone)
		if ev.writing.Load() {
			err = ev.rc.SetWriteDeadline(time.Unix(1, 0))
		}
	})
	return err
}
