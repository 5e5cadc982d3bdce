package hub

import (
	"slices"
	"time"

	"onair/hub/wire"
)

// watch is one socket's watching of one stream: it counts as a viewer of
// whatever session has the code. It is guarded by Hub.mu.
type watch struct {
	code   string
	cursor *cursor
}

// Watch counts a socket as a viewer of a live stream until Unwatch or Close,
// and opens the stream's view. The answer goes out through the socket. To
// watch again what one watches is to have it answered again, maybe with other
// URLs.
func (h *Hub) Watch(s *Socket, m *wire.Watch) *wire.Error {
	q, e := h.options.newCodeQuery(m)
	if e != nil {
		return e
	}
	e = h.watch(s, m, q)
	s.pump()
	return e
}

func (h *Hub) watch(s *Socket, m *wire.Watch, q *query) *wire.Error {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	w := s.watchOf(m.Code)
	switch {
	case s.closed:
		return &wire.Error{ID: m.ID, Code: wire.CodeUnavailable, Message: "the socket is closed"}
	case h.streams[m.Code] == nil:
		return &wire.Error{ID: m.ID, Code: wire.CodeNotFound, Message: "no live stream has this code"}
	case w == nil && len(s.watches) >= h.options.WatchesPerSocket:
		return exceeded(m.ID, "this socket watches %d streams already: unwatch one first", h.options.WatchesPerSocket)
	}
	v := h.viewOf(q, now)
	if v == nil {
		return exceeded(m.ID, "there are %d different views here already", h.options.Views)
	}
	if len(v.last.window) == 0 { // the code is live again, and that was not shown yet
		h.advance(v, now)
		h.reschedule(v)
	}
	// The answer first: no diff overtakes it.
	s.queue(answer{kind: answerMessage, text: wire.Append(nil, h.watching(m, v))})
	h.open(s, w, v)
	return nil
}

// open makes a view the one of a watch, or of a new one.
func (h *Hub) open(s *Socket, w *watch, v *view) {
	if w == nil {
		w = &watch{code: v.query.code}
		s.watches = append(s.watches, w)
		h.count(w.code, +1)
	}
	if c := w.cursor; c != nil && c.view != v {
		h.leave(c)
		w.cursor = nil
	}
	if w.cursor == nil {
		w.cursor = h.enrol(s, v, true, 0)
		return
	}
	s.mu.Lock()
	w.cursor.pos = v.last.pos
	s.mu.Unlock()
}

// watching is the answer to a Watch.
func (h *Hub) watching(m *wire.Watch, v *view) *wire.Watching {
	a := &wire.Watching{ID: m.ID, Code: m.Code, View: v.query.id, Pos: v.last.pos.String()}
	h.encoder.player = v.player
	a.Entry = *h.encoder.entry(0, v.last.window[0], true, v.last.time)
	if h.options.Signer != nil {
		a.ExpiresAt = h.options.Signer.Expiry(m.Code, v.last.time)
	}
	return a
}

// Unwatch ends a Watch, and answers.
func (h *Hub) Unwatch(s *Socket, m *wire.Unwatch) *wire.Error {
	h.mu.Lock()
	w := s.watchOf(m.Code)
	if w != nil {
		h.unwatch(s, w)
	}
	h.mu.Unlock()
	if w == nil {
		return &wire.Error{ID: m.ID, Code: wire.CodeNotFound, Message: "this socket does not watch this code"}
	}
	s.Send(wire.Append(nil, &wire.Unwatched{ID: m.ID, Code: m.Code}))
	return nil
}

func (h *Hub) unwatch(s *Socket, w *watch) {
	s.watches = slices.DeleteFunc(s.watches, func(other *watch) bool { return other == w })
	h.leave(w.cursor)
	h.count(w.code, -1)
}

// count keeps the number of sockets that watch a code, and reports it.
func (h *Hub) count(code string, by int) {
	n := h.watchers[code] + by
	if h.watchers[code] = n; n == 0 {
		delete(h.watchers, code)
	}
	if st := h.streams[code]; st != nil {
		h.options.Viewers(st, n)
	}
}

// watchOf finds the watch of a code. There are a handful.
func (s *Socket) watchOf(code string) *watch {
	for _, w := range s.watches {
		if w.code == code {
			return w
		}
	}
	return nil
}
