package hub

import (
	"slices"
	"time"

	"onair/presence"
)

// cursor is a viewer of a view: a socket, a view, a position.
type cursor struct {
	// Static after construction.
	socket  *Socket
	view    *view
	isWatch bool // opened by Watch instead of Subscribe

	// Guarded by Hub.mu and the shard's mu: read with either, written with both.
	shardIndex int // in the shard's part of the view; -1: closed

	// Guarded by Socket.mu.
	pos         presence.Position // the client's, after the last message written
	behindSince uint64            // number of the broadcast that left it behind
	unanswered  int               // requests without an answer; pos is undefined meanwhile
	closed      bool
}

// openCursor adds a cursor for a socket to a view.
func (h *Hub) openCursor(s *Socket, v *view, isWatch bool, unansweredRequests int) *cursor {
	c := &cursor{socket: s, view: v, isWatch: isWatch, pos: v.published.pos, unanswered: unansweredRequests}
	s.shard.addCursor(c)
	s.mu.Lock()
	s.cursors = append(s.cursors, c)
	s.updatePingTimer()
	s.mu.Unlock()
	if v.cursorCount == 1 {
		v.times.lastFrame = time.Now()
		h.updateViewDueTime(v)
		h.schedule.wakeRunIfDueEarlier()
	}
	h.metrics.cursors.Inc()
	return c
}

// closeCursor removes a cursor from its view and its socket.
func (h *Hub) closeCursor(c *cursor) {
	s, v := c.socket, c.view
	h.enqueueDeferredAsSnapshots(c)
	s.shard.removeCursor(c)
	s.mu.Lock()
	c.closed = true
	s.cursors = slices.DeleteFunc(s.cursors, func(other *cursor) bool { return other == c })
	s.updatePingTimer()
	s.mu.Unlock()
	if v.cursorCount == 0 {
		v.times.unusedSince = time.Now()
		h.updateViewDueTime(v)
		h.schedule.wakeRunIfDueEarlier()
	}
	h.metrics.cursors.Dec()
}

// catchUpCursorLongestBehind moves the cursor of a socket that is behind for
// longest to its view's last frame, and returns the frame. The caller has set
// Socket.pumping.
func (h *Hub) catchUpCursorLongestBehind(s *Socket) (catchUp outgoing, hasCatchUp bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, moreBehind := s.cursorLongestBehind()
	if c == nil {
		return catchUp, false
	}
	f := h.catchUpOrSnapshotFrame(c.view, c.pos)
	s.mu.Lock()
	c.pos = c.view.published.pos
	s.behind = s.behind || moreBehind
	s.mu.Unlock()
	return outgoing{f.message(""), messageInfo{kind: f.kind}}, true
}

// cursorLongestBehind returns the cursor that is behind for longest, or nil, and
// whether others are behind, too. The caller holds Hub.mu, and has set s.pumping.
func (s *Socket) cursorLongestBehind() (longest *cursor, anyOtherBehind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	behind := 0
	for _, c := range s.cursors {
		if c.unanswered > 0 || c.pos == c.view.published.pos {
			continue
		}
		if behind++; longest == nil || c.behindSince < longest.behindSince {
			longest = c
		}
	}
	return longest, behind > 1
}
