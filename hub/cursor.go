package hub

import (
	"slices"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// cursor is a viewer of a view: a socket, a view, a position.
type cursor struct {
	// Static after construction.
	socket *Socket
	view   *view
	watch  bool // opened by Watch, not by Subscribe

	// Guarded by Hub.mu and the shard's lock: to be read with either.
	slot int // in its part of the view, -1: it has left

	// Guarded by Socket.mu.
	pos  presence.Position // where its client is once it has read what was written
	left uint64            // the flush at which it was left behind
	asks int               // subscriptions not answered yet; until then pos means nothing
	gone bool              // it has left
}

// request is a subscription that is to be answered. The answer is made when
// the socket's writer is free to send it, so that it leads to the view's last
// frame and nothing is pinned for slow sockets. It is guarded by Hub.mu.
type request struct {
	cursor   *cursor
	id       wire.ID
	from     presence.Position
	resume   bool      // from is a position
	deadline time.Time // set once it has waited
}

// patience is how long a position that this node has not read yet, or a Rebase,
// is waited for, before a snapshot lets the list go back in time.
const patience = 10 * time.Second

// enrol puts a socket on a view. It has so many subscriptions to be answered.
func (h *Hub) enrol(s *Socket, v *view, watch bool, asks int) *cursor {
	c := &cursor{socket: s, view: v, watch: watch, pos: v.last.pos, asks: asks}
	s.shard.join(c)
	s.mu.Lock()
	s.cursors = append(s.cursors, c)
	s.listen()
	s.mu.Unlock()
	if v.count == 1 {
		v.spoke = time.Now()
		h.reschedule(v)
		h.poke()
	}
	h.metrics.cursors.Inc()
	return c
}

// leave takes a cursor off its view.
func (h *Hub) leave(c *cursor) {
	s, v := c.socket, c.view
	h.hurry(c)
	s.shard.part(c)
	s.mu.Lock()
	c.gone = true
	s.cursors = slices.DeleteFunc(s.cursors, func(other *cursor) bool { return other == c })
	s.listen()
	s.mu.Unlock()
	if v.count == 0 {
		v.quiet = time.Now()
		h.reschedule(v)
		h.poke()
	}
	h.metrics.cursors.Dec()
}

// answer makes the answer to a subscription, or sets it aside when it has to
// wait. It is called by who has the socket's turn.
func (h *Hub) answer(r *request) (o outgoing, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := r.cursor
	if c.slot < 0 {
		r.resume = false
	}
	if r.resume && h.mustWait(r) && h.wait(r) {
		return o, false
	}
	var f *frame
	if r.resume {
		f = h.bring(c.view, r.from)
	} else {
		f = h.snapshotOf(c.view)
	}
	h.metrics.answered(r, f)
	c.socket.mu.Lock()
	c.asks--
	c.pos = c.view.last.pos
	c.socket.mu.Unlock()
	return outgoing{f.message(r.id), what{kind: f.kind}}, true
}

// mustWait tells whether a position is one that the view has not come to yet,
// or may be: this node has not read as far, or the view has not shown it. A
// view that shows the same as at that position need not move first.
func (h *Hub) mustWait(r *request) bool {
	v := r.cursor.view
	switch {
	case r.from == v.last.pos:
		return false
	case v.last.history != h.ring.history:
		return true // nobody can say which is ahead, until the view has moved
	case v.catchUps[r.from] != nil:
		return false
	case r.from.ID.Compare(h.ring.last().pos.ID) > 0:
		return true
	case h.held && !h.ring.has(r.from):
		return true // it may be of the history that is to come
	}
	return v.dirty() && r.from.ID.Compare(v.last.pos.ID) > 0
}

// wait sets a request aside; it reports false if that has lasted for too long.
func (h *Hub) wait(r *request) bool {
	now := time.Now()
	if r.deadline.IsZero() {
		r.deadline = now.Add(patience)
		h.metrics.resumes.WithLabelValues("waited").Inc()
	}
	if !now.Before(r.deadline) {
		r.resume = false
		return false
	}
	i, _ := slices.BinarySearchFunc(h.waiting, r, func(a, b *request) int { return a.deadline.Compare(b.deadline) })
	h.waiting = slices.Insert(h.waiting, i, r)
	v := r.cursor.view
	if v.dirty() && v.noteText(now) { // do not keep it waiting for counters
		h.reschedule(v)
	}
	h.poke()
	return true
}

// retry has those requests answered that need not wait any more. The caller
// pumps their sockets when it has let go of Hub.mu.
func (h *Hub) retry(now time.Time) (pump []*Socket) {
	h.heard = false
	h.waiting = slices.DeleteFunc(h.waiting, func(r *request) bool {
		if now.Before(r.deadline) && h.mustWait(r) {
			v := r.cursor.view
			if v.dirty() && v.noteText(now) {
				h.reschedule(v)
			}
			return false
		}
		r.cursor.socket.ask(r)
		pump = append(pump, r.cursor.socket)
		return true
	})
	return pump
}

// hurry has what a cursor waits for answered by a snapshot, when its socket is
// next pumped.
func (h *Hub) hurry(c *cursor) {
	h.waiting = slices.DeleteFunc(h.waiting, func(r *request) bool {
		if r.cursor != c {
			return false
		}
		r.resume = false
		c.socket.ask(r)
		return true
	})
}

// catchUp brings the cursor of a socket that has been behind for longest to
// its view's last frame. It is called by who has the socket's turn.
func (h *Hub) catchUp(s *Socket) (o outgoing, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := s.longestBehind()
	if c == nil {
		return o, false
	}
	f := h.bring(c.view, c.pos)
	s.mu.Lock()
	c.pos = c.view.last.pos
	s.mu.Unlock()
	return outgoing{f.message(""), what{kind: f.kind}}, true
}

// longestBehind finds the cursor to be brought next, or nil. The caller holds
// Hub.mu, and has the turn.
func (s *Socket) longestBehind() (first *cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	behind := 0
	for _, c := range s.cursors {
		if c.asks > 0 || c.pos == c.view.last.pos {
			continue
		}
		if behind++; first == nil || c.left < first.left {
			first = c
		}
	}
	s.behind = s.behind || behind > 1
	return first
}
