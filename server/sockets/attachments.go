package sockets

import (
	"slices"
	"sync"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
)

// Attachments has the session of each anchor socket of this node, so that changes
// of a session reach its attached socket. It may be used concurrently.
type Attachments struct {
	mu        sync.Mutex // guards all below
	sockets   map[string]*anchor
	bySession map[presence.Session]*anchor
}

// NewAttachments has no sockets yet.
func NewAttachments() *Attachments {
	return &Attachments{sockets: map[string]*anchor{}, bySession: map[presence.Session]*anchor{}}
}

// add adds a socket. Changes from now on reach it, after its welcome.
func (h *Attachments) add(a *anchor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.sendWelcome()
	h.sockets[a.id] = a
}

func (h *Attachments) remove(a *anchor) {
	h.mu.Lock()
	delete(h.sockets, a.id)
	for _, s := range a.attached {
		if h.bySession[s] == a {
			delete(h.bySession, s)
		}
	}
	h.mu.Unlock()
}

// attach attaches a socket to a session. The caller holds mu.
func (h *Attachments) attach(s presence.Session, a *anchor) {
	a.attached = slices.DeleteFunc(a.attached, func(was presence.Session) bool { return h.bySession[was] != a || was == s })
	a.attached = append(a.attached, s)
	h.bySession[s] = a
}

// claim attaches a socket to the session, if it is by the registry, and reports
// whether it is, and whether another socket is. The change may have come while the
// list was rebuilt, and then it reached no socket.
func (h *Attachments) claim(a *anchor, s presence.Session, node *presencenode.Node) (mine, others bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	node.Read(func(r *presence.Registry) {
		mine = r.AttachedSocket(s) == a.id
		others = !mine && r.StreamBySession(s) != nil
	})
	if mine {
		if was := h.bySession[s]; was != nil && was != a {
			was.onReplace()
		}
		h.attach(s, a)
	}
	return mine, others
}

// detach ends the attachment to a session whose end the socket knows. The change
// may have come while the list was rebuilt; later it would come again to a socket
// that may have another session by then.
func (h *Attachments) detach(a *anchor, s presence.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bySession[s] == a {
		delete(h.bySession, s)
	}
}

// SendSettings sends a new interval, in milliseconds, to all anchors.
func (h *Attachments) SendSettings(interval int64) {
	h.each(func(a *anchor) { a.sendSettings(interval) })
}

// SendDegraded sends to all anchors that this node is isolated.
func (h *Attachments) SendDegraded() {
	h.each(func(a *anchor) {
		a.Send(&wire.Notice{
			Code:    wire.NoticeDegraded,
			Message: "this node does not hear the others: try a second socket, resume there if it is welcomed, else stay",
		})
	})
}

func (h *Attachments) each(f func(*anchor)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.sockets {
		f(a)
	}
}

// Apply passes one change on to the socket that it concerns. The goroutine that
// applies calls it, in order.
func (h *Attachments) Apply(c *presence.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case c.Ended != nil:
		s := c.Ended.Stream.Session
		if a := h.bySession[s]; a != nil {
			delete(h.bySession, s)
			a.onEnd(c.Ended)
		}
	case c.Cause == presence.ByStart || c.Cause == presence.ByResume || c.Cause == presence.ByRestore:
		h.move(c.New.Session, c.Socket)
	case c.Cause == presence.BySilence:
		if a := h.bySession[c.New.Session]; a != nil {
			a.Send(&wire.Probe{})
		}
	}
}

// Reconcile compares all sockets with a list that was rebuilt. A session that it
// does not have was lost with the log's tail, and was not restored.
func (h *Attachments) Reconcile(r *presence.Registry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, a := range h.bySession {
		switch ended := r.EndedSession(s); {
		case r.StreamBySession(s) != nil && r.AttachedSocket(s) == a.id:
		case r.StreamBySession(s) != nil:
			delete(h.bySession, s)
			a.onReplace()
		case ended != nil:
			delete(h.bySession, s)
			a.onEnd(ended)
		default:
			delete(h.bySession, s)
			a.onLoss()
		}
	}
}

// move attaches a session to the socket of that id, on whatever node.
func (h *Attachments) move(s presence.Session, socket string) {
	was, is := h.bySession[s], h.sockets[socket]
	if was == is {
		return
	}
	if was != nil {
		delete(h.bySession, s)
		was.onReplace()
	}
	if is != nil {
		h.attach(s, is)
	}
}
