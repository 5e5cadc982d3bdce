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
func (h *Hub) Subscribe(s *Socket, m *wire.Subscribe) error {
	q, err := h.normalizeQuery(m)
	if err != nil {
		return err
	}
	r := &request{id: m.ID}
	if m.View == "" || m.View == q.viewID {
		// An invalid position is as good as none.
		from, err := presence.ParsePosition(m.Pos)
		r.resumeFrom, r.canResume = from, err == nil
	}
	now := time.Now()
	defer s.writePendingMessages() // after the unlock
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.admitSubscription(s, now); err != nil {
		return err
	}
	if r.cursor = s.cursorOf(q.viewID); r.cursor == nil {
		if len(s.cursors)-len(s.watches) >= h.options.ViewsPerSocket {
			return limitError("this socket has %d views already: unsubscribe one first", h.options.ViewsPerSocket)
		}
		v, err := h.findOrCreateView(q, now)
		if err != nil {
			return err
		}
		r.cursor = h.openCursor(s, v, false, 1)
	} else {
		h.enqueueDeferredAsSnapshots(r.cursor)
		s.mu.Lock()
		r.cursor.unanswered++
		s.mu.Unlock()
	}
	s.enqueueRequestOrClose(r)
	return nil
}

// admitSubscription refuses a subscription on a closed socket, or beyond the rate
// limit.
func (h *Hub) admitSubscription(s *Socket, now time.Time) error {
	switch {
	case s.closed:
		return &wire.Error{Code: wire.CodeUnavailable, Message: "the socket is closed"}
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
		Code: wire.CodeRateLimited, Message: "too many subscriptions on this socket", RetryAfterMS: max(1, int64(wait*1000)),
	}
}

// Unsubscribe closes a view of a socket and sends the answer. The error is for
// the client: the socket has no such view, or a watch opened it.
func (h *Hub) Unsubscribe(s *Socket, m *wire.Unsubscribe) error {
	defer s.writePendingMessages() // after the unlock
	h.mu.Lock()
	defer h.mu.Unlock()
	c := s.cursorOf(m.View)
	switch {
	case c == nil:
		return &wire.Error{Code: wire.CodeNotFound, Message: "this socket has no such view"}
	case c.isWatch:
		return &wire.Error{Code: wire.CodeBadRequest, Message: "this view is closed by unwatch"}
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

func limitError(format string, limit int) error {
	return &wire.Error{Code: wire.CodeLimitExceeded, Message: fmt.Sprintf(format, limit)}
}
