package main

import (
	"slices"
	"sync"

	"onair/hub/wire"
	"onair/presence"
	"onair/presence/node"
)

// holders knows which session each anchor socket of this node holds, so that
// what the log says of a session reaches the socket that holds it.
type holders struct {
	mu        sync.Mutex // guards all below
	sockets   map[string]*anchor
	bySession map[presence.Session]*anchor
}

func newHolders() *holders {
	return &holders{sockets: map[string]*anchor{}, bySession: map[presence.Session]*anchor{}}
}

// welcome takes a socket in. Whatever the log says from now on reaches it, after
// its welcome.
func (h *holders) welcome(a *anchor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.welcome()
	h.sockets[a.id] = a
}

func (h *holders) remove(a *anchor) {
	h.mu.Lock()
	delete(h.sockets, a.id)
	for _, s := range a.given {
		if h.bySession[s] == a {
			delete(h.bySession, s)
		}
	}
	h.mu.Unlock()
}

// give has a socket hold the session. The caller holds mu.
func (h *holders) give(s presence.Session, a *anchor) {
	a.given = slices.DeleteFunc(a.given, func(was presence.Session) bool { return h.bySession[was] != a || was == s })
	a.given = append(a.given, s)
	h.bySession[s] = a
}

// claim has a socket hold the session, if it does by the registry, and reports
// whether so, and whether somebody else does. The log may have said it while the
// list was rebuilt, and then nobody was told.
func (h *holders) claim(a *anchor, s presence.Session, node *node.Node) (mine, others bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	node.Read(func(r *presence.Registry) {
		mine = r.AttachedSocket(s) == a.id
		others = !mine && r.StreamBySession(s) != nil
	})
	if mine {
		if was := h.bySession[s]; was != nil && was != a {
			was.replaced()
		}
		h.give(s, a)
	}
	return mine, others
}

// drop has a socket no longer hold a session that it was told has ended. The
// log may have said it while the list was rebuilt, and then would say it again
// to a socket that may hold another session by now.
func (h *holders) drop(a *anchor, s presence.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bySession[s] == a {
		delete(h.bySession, s)
	}
}

func (h *holders) each(f func(*anchor)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.sockets {
		f(a)
	}
}

// tell passes one change on to the socket that it concerns. It is called by
// the goroutine that applies, in order.
func (h *holders) tell(c *presence.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case c.Ended != nil:
		s := c.Ended.Stream.Session
		if a := h.bySession[s]; a != nil {
			delete(h.bySession, s)
			a.ended(c.Ended)
		}
	case c.Cause == presence.ByStart || c.Cause == presence.ByResume || c.Cause == presence.ByRestore:
		h.move(c.New.Session, c.Socket)
	case c.Cause == presence.BySilence:
		if a := h.bySession[c.New.Session]; a != nil {
			a.send(&wire.Probe{})
		}
	}
}

// reconcile tells the sockets what became of their sessions in a list that was
// not come to entry by entry. A session of which nothing is known was lost with
// the log's tail, and nobody was there to put it back.
func (h *holders) reconcile(r *presence.Registry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, a := range h.bySession {
		switch ended := r.EndedSession(s); {
		case r.StreamBySession(s) != nil && r.AttachedSocket(s) == a.id:
		case r.StreamBySession(s) != nil:
			delete(h.bySession, s)
			a.replaced()
		case ended != nil:
			delete(h.bySession, s)
			a.ended(ended)
		default:
			delete(h.bySession, s)
			a.lost()
		}
	}
}

// move lets a session be held by the connection of that id, on whatever node.
func (h *holders) move(s presence.Session, holder string) {
	was, is := h.bySession[s], h.sockets[holder]
	if was == is {
		return
	}
	if was != nil {
		delete(h.bySession, s)
		was.replaced()
	}
	if is != nil {
		h.give(s, is)
	}
}
