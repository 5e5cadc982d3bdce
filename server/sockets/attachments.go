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
	mu              sync.Mutex // guards all below
	anchorBySocket  map[string]*anchor
	anchorBySession map[presence.Session]*anchor
}

// NewAttachments has no sockets yet.
func NewAttachments() *Attachments {
	return &Attachments{anchorBySocket: map[string]*anchor{}, anchorBySession: map[presence.Session]*anchor{}}
}

// addAnchor adds a socket. Changes from now on reach it, after its welcome.
func (h *Attachments) addAnchor(a *anchor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.sendWelcome()
	h.anchorBySocket[a.id] = a
}

func (h *Attachments) removeAnchor(a *anchor) {
	h.mu.Lock()
	delete(h.anchorBySocket, a.id)
	for _, s := range a.sessions {
		if h.anchorBySession[s] == a {
			delete(h.anchorBySession, s)
		}
	}
	h.mu.Unlock()
}

// attachSession attaches a socket to a session. The caller holds mu.
func (h *Attachments) attachSession(s presence.Session, a *anchor) {
	a.sessions = slices.DeleteFunc(a.sessions, func(was presence.Session) bool { return h.anchorBySession[was] != a || was == s })
	a.sessions = append(a.sessions, s)
	h.anchorBySession[s] = a
}

// confirmAttachment attaches a socket to the session, if it is by the registry, and reports
// whether it is, and whether another socket is. The change may have come while the
// list was rebuilt, and then it reached no socket.
func (h *Attachments) confirmAttachment(a *anchor, s presence.Session, node *presencenode.Node) (mine, others bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	node.Read(func(r *presence.Registry) {
		mine = r.AttachedSocket(s) == a.id
		others = !mine && r.StreamBySession(s) != nil
	})
	if mine {
		if was := h.anchorBySession[s]; was != nil && was != a {
			was.onSocketReplaced()
		}
		h.attachSession(s, a)
	}
	return mine, others
}

// detachSession ends the attachment to a session whose end the socket knows. The change
// may have come while the list was rebuilt; later it would come again to a socket
// that may have another session by then.
func (h *Attachments) detachSession(a *anchor, s presence.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.anchorBySession[s] == a {
		delete(h.anchorBySession, s)
	}
}

// SendSettings sends a new interval, in milliseconds, to all anchors.
func (h *Attachments) SendSettings(interval int64) {
	h.forEachAnchor(func(a *anchor) { a.sendSettings(interval) })
}

// SendDegradedNotice sends to all anchors that this node is isolated.
func (h *Attachments) SendDegradedNotice() {
	h.forEachAnchor(func(a *anchor) {
		a.Send(&wire.Notice{
			Code:    wire.NoticeDegraded,
			Message: "this node does not hear the others: try a second socket, resume there if it is welcomed, else stay",
		})
	})
}

func (h *Attachments) forEachAnchor(f func(*anchor)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.anchorBySocket {
		f(a)
	}
}

// ApplyChange passes one change on to the socket that it concerns. The goroutine that
// applies calls it, in order.
func (h *Attachments) ApplyChange(c *presence.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case c.Ended != nil:
		s := c.Ended.Stream.Session
		if a := h.anchorBySession[s]; a != nil {
			delete(h.anchorBySession, s)
			a.onSessionEnded(c.Ended)
		}
	case c.Cause == presence.ByStart || c.Cause == presence.ByResume || c.Cause == presence.ByRestore:
		h.moveSession(c.New.Session, c.Socket)
	case c.Cause == presence.BySilence:
		if a := h.anchorBySession[c.New.Session]; a != nil {
			a.Send(&wire.Probe{})
		}
	}
}

// DetachStale compares all sockets with a list that was rebuilt. A session that it
// does not have was lost with the log's tail, and was not restored.
func (h *Attachments) DetachStale(r *presence.Registry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, a := range h.anchorBySession {
		switch ended := r.EndedSession(s); {
		case r.StreamBySession(s) != nil && r.AttachedSocket(s) == a.id:
		case r.StreamBySession(s) != nil:
			delete(h.anchorBySession, s)
			a.onSocketReplaced()
		case ended != nil:
			delete(h.anchorBySession, s)
			a.onSessionEnded(ended)
		default:
			delete(h.anchorBySession, s)
			a.onSessionLost()
		}
	}
}

// moveSession attaches a session to the socket of that id, on whatever node.
func (h *Attachments) moveSession(s presence.Session, socket string) {
	was, is := h.anchorBySession[s], h.anchorBySocket[socket]
	if was == is {
		return
	}
	if was != nil {
		delete(h.anchorBySession, s)
		was.onSocketReplaced()
	}
	if is != nil {
		h.attachSession(s, is)
	}
}
