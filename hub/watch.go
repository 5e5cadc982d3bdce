package hub

import (
	"slices"
	"time"

	"onair/hub/wire"
)

// socketWatch counts one socket as a viewer of the session that has a live code.
// Hub.mu guards it.
type socketWatch struct {
	code   string
	cursor *cursor
}

// Watch counts a socket as a viewer of a live stream until Unwatch or Close, and
// opens the stream's view. The answer is sent to the socket. A repeated Watch is
// answered again, with other protocols if it has them. The error is for the
// client: no such stream, an unknown protocol, or a limit is exceeded.
func (h *Hub) Watch(s *Socket, m *wire.Watch) error {
	q, err := h.options.singleStreamQuery(m)
	if err != nil {
		return err
	}
	now := time.Now()
	defer s.writePendingMessages() // after the unlock
	h.mu.Lock()
	defer h.mu.Unlock()
	w := s.watchOf(m.Code)
	switch {
	case s.closed:
		return &wire.Error{Code: wire.CodeUnavailable, Message: "the socket is closed"}
	case h.list.streams[m.Code] == nil:
		return &wire.Error{Code: wire.CodeNotFound, Message: "no live stream has this code"}
	case w == nil && len(s.watches) >= h.options.WatchesPerSocket:
		return limitError("this socket watches %d streams already: unwatch one first", h.options.WatchesPerSocket)
	}
	v, err := h.findOrCreateView(q, now)
	if err != nil {
		return err
	}
	if len(v.published.window) == 0 { // the view has not published the new session yet
		h.publishChangesOrIdleDiff(v, now)
		h.updateViewDueTime(v)
	}
	// The answer is enqueued first, so that no diff overtakes it.
	s.enqueueAnswerOrClose(answer{kind: answerMessage, text: wire.Append(nil, h.watchAnswer(m, v))})
	h.addOrMoveWatch(s, w, v)
	return nil
}

// addOrMoveWatch moves a watch to a view. A nil watch is a new one.
func (h *Hub) addOrMoveWatch(s *Socket, watchOrNil *socketWatch, v *view) {
	if watchOrNil == nil {
		watchOrNil = &socketWatch{code: v.query.code}
		s.watches = append(s.watches, watchOrNil)
		h.addWatchers(watchOrNil.code, +1)
	}
	if c := watchOrNil.cursor; c != nil && c.view != v {
		h.closeCursor(c)
		watchOrNil.cursor = nil
	}
	if watchOrNil.cursor == nil {
		watchOrNil.cursor = h.openCursor(s, v, true, 0)
		return
	}
	s.mu.Lock()
	watchOrNil.cursor.pos = v.published.pos
	s.mu.Unlock()
}

// watchAnswer is the answer to a Watch.
func (h *Hub) watchAnswer(m *wire.Watch, v *view) *wire.Watching {
	state := &v.published
	a := &wire.Watching{ID: m.ID, Code: m.Code, View: v.query.viewID, Pos: state.pos.String()}
	h.encoder.urls = v.urls
	a.Entry = *h.encoder.fillEntry(0, state.window[0], true, state.logTime)
	if h.options.Signer != nil {
		a.ExpiresAt = h.options.Signer.Expiry(m.Code, state.logTime)
	}
	return a
}

// Unwatch ends a watch and sends the answer. The error is for the client: the
// socket does not watch the code.
func (h *Hub) Unwatch(s *Socket, m *wire.Unwatch) error {
	defer s.writePendingMessages() // after the unlock
	h.mu.Lock()
	defer h.mu.Unlock()
	w := s.watchOf(m.Code)
	if w == nil {
		return &wire.Error{Code: wire.CodeNotFound, Message: "this socket does not watch this code"}
	}
	h.closeWatch(s, w)
	s.enqueueAnswerOrClose(answer{kind: answerMessage, text: wire.Append(nil, &wire.Unwatched{ID: m.ID, Code: m.Code})})
	return nil
}

func (h *Hub) closeWatch(s *Socket, w *socketWatch) {
	s.watches = slices.DeleteFunc(s.watches, func(other *socketWatch) bool { return other == w })
	h.closeCursor(w.cursor)
	h.addWatchers(w.code, -1)
}

// addWatchers changes the number of sockets that watch a code, and reports it.
func (h *Hub) addWatchers(code string, difference int) {
	n := h.watchers[code] + difference
	if h.watchers[code] = n; n == 0 {
		delete(h.watchers, code)
	}
	if st := h.list.streams[code]; st != nil {
		h.options.OnViewersChange(st, n)
	}
}
