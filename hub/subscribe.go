package hub

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/presence"
)

// Subscribe opens a view for a socket, or brings one that it has to its last
// frame. The answer, a snapshot or a diff, goes out through the socket.
func (h *Hub) Subscribe(s *Socket, m *wire.Subscribe) *wire.Error {
	q, e := h.newQuery(m)
	if e != nil {
		return e
	}
	r := &request{id: m.ID}
	if m.View == "" || m.View == q.id {
		// What is not a position is one of a history that does not exist.
		from, err := presence.ParsePosition(m.Pos)
		r.from, r.resume = from, err == nil
	}
	e = h.subscribe(s, q, r)
	s.pump()
	return e
}

func (h *Hub) subscribe(s *Socket, q *query, r *request) *wire.Error {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.mayAsk(s, r.id, now); e != nil {
		return e
	}
	c := s.cursorOf(q.id)
	if c == nil {
		if len(s.cursors)-len(s.watches) >= h.options.ViewsPerSocket {
			return exceeded(r.id, "this socket has %d views already: unsubscribe one first", h.options.ViewsPerSocket)
		}
		v := h.viewOf(q, now)
		if v == nil {
			return exceeded(r.id, "there are %d different views here already", h.options.Views)
		}
		c = h.enrol(s, v, false, 1)
	} else {
		h.hurry(c)
		s.mu.Lock()
		c.asks++
		s.mu.Unlock()
	}
	r.cursor = c
	s.ask(r)
	return nil
}

// mayAsk refuses a subscription that comes too fast.
func (h *Hub) mayAsk(s *Socket, id wire.ID, now time.Time) *wire.Error {
	if s.closed {
		return &wire.Error{ID: id, Code: wire.CodeUnavailable, Message: "the socket is closed"}
	}
	switch {
	case !s.asked: // most ask once
		s.asked = true
		return nil
	case s.asking == nil:
		s.asking = rate.NewLimiter(rate.Limit(h.options.SnapshotsPerSecond), h.options.ViewsPerSocket)
		s.asking.AllowN(now, 1)
	}
	if s.asking.AllowN(now, 1) {
		return nil
	}
	wait := (1 - s.asking.TokensAt(now)) / h.options.SnapshotsPerSecond
	return &wire.Error{
		ID: id, Code: wire.CodeRateLimited, Message: "too many subscriptions on this socket",
		RetryAfterMS: max(1, int64(wait*1000)),
	}
}

// Unsubscribe closes a view of a socket, and answers.
func (h *Hub) Unsubscribe(s *Socket, m *wire.Unsubscribe) *wire.Error {
	e := h.unsubscribe(s, m)
	s.pump()
	return e
}

func (h *Hub) unsubscribe(s *Socket, m *wire.Unsubscribe) *wire.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := s.cursorOf(m.View)
	switch {
	case c == nil:
		return &wire.Error{ID: m.ID, Code: wire.CodeNotFound, Message: "this socket has no such view"}
	case c.watch:
		return &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: "this view is closed by unwatch"}
	}
	h.leave(c)
	s.queue(answer{kind: answerMessage, text: wire.Append(nil, &wire.Unsubscribed{ID: m.ID, View: m.View})})
	return nil
}

// release takes a socket off all that it looks at.
func (h *Hub) release(s *Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.closed = true
	for len(s.watches) > 0 {
		h.unwatch(s, s.watches[0])
	}
	for len(s.cursors) > 0 {
		h.leave(s.cursors[0])
	}
}

// cursorOf finds the cursor of a view. There are a handful.
func (s *Socket) cursorOf(view string) *cursor {
	for _, c := range s.cursors {
		if c.view.query.id == view {
			return c
		}
	}
	return nil
}

func exceeded(id wire.ID, format string, n int) *wire.Error {
	return &wire.Error{ID: id, Code: wire.CodeLimitExceeded, Message: fmt.Sprintf(format, n)}
}
