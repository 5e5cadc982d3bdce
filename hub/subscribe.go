package hub

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/presence"
)

// subscriptions are the open views and watches of one socket. Hub.mu guards them.
type subscriptions struct {
	cursors       []*cursor // guarded by Socket.mu, too: read with either, written with both
	watches       []*socketWatch
	closed        bool          // Close was called
	hasSubscribed bool          // most sockets subscribe once
	limiter       *rate.Limiter // of later subscriptions, made with the second
}

// cursorOf finds the cursor of a view, or nil. There are few cursors.
func (s *subscriptions) cursorOf(viewID string) *cursor {
	for _, c := range s.cursors {
		if c.view.query.viewID == viewID {
			return c
		}
	}
	return nil
}

// watchOf finds the watch of a live code, or nil. There are few watches.
func (s *subscriptions) watchOf(code string) *socketWatch {
	for _, w := range s.watches {
		if w.code == code {
			return w
		}
	}
	return nil
}

// Subscribe opens a view on a socket, or moves an open one to its last frame.
// The answer, a snapshot or a diff, is sent to the socket. The error is for the
// client: the query is invalid, or a limit is exceeded.
func (h *Hub) Subscribe(s *Socket, m *wire.Subscribe) *wire.Error {
	q, e := h.normalizeQuery(m)
	if e != nil {
		return e
	}
	r := &request{id: m.ID}
	if m.View == "" || m.View == q.viewID {
		// An invalid position is as good as none.
		from, err := presence.ParsePosition(m.Pos)
		r.resumeFrom, r.canResume = from, err == nil
	}
	e = h.openAndEnqueueSubscription(s, q, r)
	s.writePendingMessages()
	return e
}

func (h *Hub) openAndEnqueueSubscription(s *Socket, q *query, r *request) *wire.Error {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.admitSubscription(s, r.id, now); e != nil {
		return e
	}
	c := s.cursorOf(q.viewID)
	if c == nil {
		if len(s.cursors)-len(s.watches) >= h.options.ViewsPerSocket {
			return limitError(r.id, "this socket has %d views already: unsubscribe one first", h.options.ViewsPerSocket)
		}
		v := h.findOrCreateView(q, now)
		if v == nil {
			return limitError(r.id, "there are %d different views here already", h.options.Views)
		}
		c = h.openCursor(s, v, false, 1)
	} else {
		h.enqueueDeferredForSnapshot(c)
		s.mu.Lock()
		c.unanswered++
		s.mu.Unlock()
	}
	r.cursor = c
	s.enqueueRequest(r)
	return nil
}

// admitSubscription refuses a subscription on a closed socket, or beyond the rate
// limit.
func (h *Hub) admitSubscription(s *Socket, id wire.ID, now time.Time) *wire.Error {
	switch {
	case s.closed:
		return &wire.Error{ID: id, Code: wire.CodeUnavailable, Message: "the socket is closed"}
	case !s.hasSubscribed:
		s.hasSubscribed = true
		return nil
	case s.limiter == nil:
		s.limiter = rate.NewLimiter(rate.Limit(h.options.SnapshotsPerSecond), h.options.ViewsPerSocket)
		s.limiter.AllowN(now, 1)
	}
	if s.limiter.AllowN(now, 1) {
		return nil
	}
	wait := (1 - s.limiter.TokensAt(now)) / h.options.SnapshotsPerSecond
	return &wire.Error{
		ID: id, Code: wire.CodeRateLimited, Message: "too many subscriptions on this socket",
		RetryAfterMS: max(1, int64(wait*1000)),
	}
}

// Unsubscribe closes a view of a socket and sends the answer. The error is for
// the client: the socket has no such view, or a watch opened it.
func (h *Hub) Unsubscribe(s *Socket, m *wire.Unsubscribe) *wire.Error {
	e := h.closeSubscriptionAndAnswer(s, m)
	s.writePendingMessages()
	return e
}

func (h *Hub) closeSubscriptionAndAnswer(s *Socket, m *wire.Unsubscribe) *wire.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := s.cursorOf(m.View)
	switch {
	case c == nil:
		return &wire.Error{ID: m.ID, Code: wire.CodeNotFound, Message: "this socket has no such view"}
	case c.isWatch:
		return &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: "this view is closed by unwatch"}
	}
	h.closeCursor(c)
	s.enqueueAnswerOrClose(answer{kind: answerMessage, text: wire.Append(nil, &wire.Unsubscribed{ID: m.ID, View: m.View})})
	return nil
}

// closeViewsAndWatches closes all views and watches of a socket.
func (h *Hub) closeViewsAndWatches(s *Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.closed = true
	for len(s.watches) > 0 {
		h.closeWatch(s, s.watches[0])
	}
	for len(s.cursors) > 0 {
		h.closeCursor(s.cursors[0])
	}
}

func limitError(id wire.ID, format string, limit int) *wire.Error {
	return &wire.Error{ID: id, Code: wire.CodeLimitExceeded, Message: fmt.Sprintf(format, limit)}
}
