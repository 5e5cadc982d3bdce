package main

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
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
// socket.
type events struct {
	// Static after construction.
	w    http.ResponseWriter
	rc   *http.ResponseController
	view string // whose positions are the events' ids

	once sync.Once
	done chan struct{} // closed when nothing more is to be written

	mu  sync.Mutex // guards buf, and the response
	buf []byte
}

var _ hub.Writer = (*events)(nil)

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
		if s.hub.Lookup(code) == nil {
			return notLive()
		}
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	place, e := s.gate.reserve(false)
	if e != nil {
		return e
	}
	defer place.free()
	h := w.Header() // before anybody has ev: what it writes first sends them
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would collect what is to go at once
	ev := &events{w: w, rc: http.NewResponseController(w), view: view, done: make(chan struct{})}
	ev.rc.SetReadDeadline(time.Time{}) // the request has come whole; what follows has no end
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		socket.BoundSendBuffer(conn, eventBuffer) // if it fails we only use more memory
	}
	out := s.hub.Attach(ev)
	defer out.Close()
	g := &guest{out: out, kind: kindEvents, address: s.addressOf(r)}
	if !s.gate.enter(place, g, roleOf(who)) {
		return ev.instead(out, &wire.Error{
			Code: wire.CodeRateLimited, Message: "too many connections from this address", RetryAfterMS: tooManyFor.Milliseconds(),
		})
	}
	defer s.gate.leave(g)
	e = s.hub.Subscribe(out, q)
	for _, code := range watched {
		if e == nil {
			e = s.hub.Watch(out, &wire.Watch{Code: code, Play: q.Play})
		}
	}
	if e != nil {
		return ev.instead(out, e)
	}
	expired := make(<-chan time.Time)
	if !who.ExpiresAt.IsZero() {
		timer := time.NewTimer(time.Until(who.ExpiresAt))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-r.Context().Done():
		s.metrics.closed(kindEvents, websocket.StatusGoingAway)
		return nil
	case <-expired:
		g.finish(wire.CloseUnauthorized, "the token has expired")
	case <-ev.done:
	}
	select {
	case <-ev.done:
	case <-r.Context().Done():
	}
	s.metrics.closed(kindEvents, websocket.StatusCode(g.code()))
	return nil
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

// instead ends the events, so that the handler can answer with a problem; nil
// where something was written already.
func (ev *events) instead(out *hub.Socket, e *wire.Error) *wire.Error {
	ev.once.Do(func() { close(ev.done) }) // HTTP/2 has no way back from a deadline that has passed
	out.Close()
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if len(ev.buf) > 0 {
		return nil
	}
	ev.rc.SetWriteDeadline(time.Time{})
	return e
}

// Write sends a message as one event.
func (ev *events) Write(m socket.Message) error {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if len(ev.buf) == 0 {
		ev.buf = append(ev.buf, eventBackoff...)
	} else {
		ev.buf = ev.buf[:0]
	}
	text := m.AppendText(nil)
	typ, view, pos := wire.Position(text)
	ev.buf = append(append(ev.buf, "event: "...), typ...)
	if pos != "" && view == ev.view {
		ev.buf = append(append(ev.buf, "\nid: "...), pos...)
	}
	ev.buf = append(append(ev.buf, "\ndata: "...), text...)
	ev.buf = append(ev.buf, "\n\n"...)
	return ev.send(ev.buf)
}

// errSlowReader ends a response whose reader took too long for one message.
var errSlowReader = errors.New("events: the reader is too slow")

func (ev *events) send(text []byte) error {
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
	case <-ev.done:
		return net.ErrClosed
	default:
		return nil
	}
}

// Close says why, as the last event.
func (ev *events) Close(code websocket.StatusCode, reason string) error {
	text := append([]byte("event: close\ndata: {\"type\":\"close\",\"code\":"), strconv.Itoa(int(code))...)
	text = wire.AppendString(append(text, `,"reason":`...), reason)
	ev.mu.Lock()
	defer ev.mu.Unlock()
	err := ev.send(append(text, "}\n\n"...))
	ev.once.Do(func() { close(ev.done) }) // what was sent still has its time to go out
	return err
}

// CloseNow ends a Write that is under way, and lets the handler return.
func (ev *events) CloseNow() error {
	var err error
	ev.once.Do(func() {
		close(ev.done)
		err = ev.rc.SetWriteDeadline(time.Unix(1, 0))
	})
	return err
}
