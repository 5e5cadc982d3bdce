package sockets

import (
	"slices"
	"sync"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
)

// Attachments has the attached socket of each session, among the anchor sockets of this
// node, and passes changes of the sessions to them. It may be used concurrently.
type Attachments struct {
	mu              sync.Mutex // guards all below
	anchorBySocket  map[string]*anchor
	anchorBySession map[presence.Session]*anchor
}

// NewAttachments returns attachments without sockets.
func NewAttachments() *Attachments {
	return &Attachments{anchorBySocket: map[string]*anchor{}, anchorBySession: map[presence.Session]*anchor{}}
}

// welcomeAndAddAnchor sends the welcome to a socket and adds it. The lock keeps all other messages
// behind the welcome.
func (t *Attachments) welcomeAndAddAnchor(a *anchor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.sendWelcome()
	t.anchorBySocket[a.id] = a
}

func (t *Attachments) removeAnchor(a *anchor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.anchorBySocket, a.id)
	for _, s := range a.sessions {
		if t.anchorBySession[s] == a {
			delete(t.anchorBySession, s)
		}
	}
}

// setSessionAnchorLocked attaches a socket to a session. The caller holds mu.
func (t *Attachments) setSessionAnchorLocked(a *anchor, s presence.Session) {
	a.sessions = slices.DeleteFunc(a.sessions, func(other presence.Session) bool { return t.anchorBySession[other] != a || other == s })
	a.sessions = append(a.sessions, s)
	t.anchorBySession[s] = a
}

// attachIfInRegistry attaches a socket to a session if the registry does. isAttachedElsewhere reports
// that the session is live with another socket. ApplyChange may have missed the attachment
// while the node rebuilt its registry.
func (t *Attachments) attachIfInRegistry(a *anchor, s presence.Session, node *presencenode.Node) (isAttached, isAttachedElsewhere bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	node.Read(func(r *presence.Registry) {
		isAttached = r.LastAttachedSocket(s) == a.id
		isAttachedElsewhere = !isAttached && r.StreamBySession(s) != nil
	})
	if isAttached {
		if old := t.anchorBySession[s]; old != nil && old != a {
			old.onSocketReplaced()
		}
		t.setSessionAnchorLocked(a, s)
	}
	return isAttached, isAttachedElsewhere
}

// detachSession detaches a socket from a session that it has stopped. ApplyChange may have
// missed the end while the node rebuilt its registry, and the socket may soon have another
// session.
func (t *Attachments) detachSession(a *anchor, s presence.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.anchorBySession[s] == a {
		delete(t.anchorBySession, s)
	}
}

// SendSettings sends a new interval, in milliseconds, to all anchors.
func (t *Attachments) SendSettings(interval int64) {
	t.forEachAnchorUnderLock(func(a *anchor) { a.sendAndMarkNewSettings(interval) })
}

// SendDegradedNotice notifies all anchors that this node is isolated.
func (t *Attachments) SendDegradedNotice() {
	t.forEachAnchorUnderLock(func(a *anchor) {
		a.Send(&wire.Notice{
			Code:    wire.NoticeDegraded,
			Message: "this node is isolated: open a second socket, resume on it if another node answers, else stay",
		})
	})
}

func (t *Attachments) forEachAnchorUnderLock(f func(*anchor)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.anchorBySocket {
		f(a)
	}
}

// ApplyChange passes a change of a session to its attached socket. The goroutine that
// applies the log calls it, in the order of the log.
func (t *Attachments) ApplyChange(c *presence.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case c.Ended != nil:
		s := c.Ended.Stream.Session
		if a := t.anchorBySession[s]; a != nil {
			delete(t.anchorBySession, s)
			a.onSessionEnded(c.Ended)
		}
	case c.Cause == presence.ByStart || c.Cause == presence.ByResume || c.Cause == presence.ByRestore:
		t.moveSessionLocked(c.New.Session, c.Socket)
	case c.Cause == presence.BySilence:
		if a := t.anchorBySession[c.New.Session]; a != nil {
			a.Send(&wire.Probe{})
		}
	}
}

// moveSessionLocked attaches a session to the socket with an id, which may be of another node.
// The caller holds mu.
func (t *Attachments) moveSessionLocked(s presence.Session, socketID string) {
	old, next := t.anchorBySession[s], t.anchorBySocket[socketID]
	if old == next {
		return
	}
	if old != nil {
		delete(t.anchorBySession, s)
		old.onSocketReplaced()
	}
	if next != nil {
		t.setSessionAnchorLocked(next, s)
	}
}

// DetachStale detaches the sockets that a rebuilt registry does not have attached. A session
// that is missing from the registry was lost and not restored.
func (t *Attachments) DetachStale(r *presence.Registry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s, a := range t.anchorBySession {
		isLive := r.StreamBySession(s) != nil
		if isLive && r.LastAttachedSocket(s) == a.id {
			continue
		}
		delete(t.anchorBySession, s)
		switch ended := r.EndedSession(s); {
		case isLive:
			a.onSocketReplaced()
		case ended != nil:
			a.onSessionEnded(ended)
		default:
			a.clearAttachment()
		}
	}
}
