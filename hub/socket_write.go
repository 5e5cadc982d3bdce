package hub

import (
	"time"

	"onair/hub/socket"
)

// messageInfo describes a message for metrics.
type messageInfo struct {
	kind      messageKind
	changedAt time.Time // of a diff: when the hub received the first change in it
}

// outgoing is a message to be written.
type outgoing struct {
	socket.Message
	messageInfo
}

// writePendingMessages writes the pending messages, in order, until the connection
// is full. Only one goroutine at a time does so. A concurrent call returns at once,
// and the first goroutine writes its messages. The caller must not hold Hub.mu.
func (s *Socket) writePendingMessages() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pumping {
		return
	}
	s.pumping = true
	for !s.stopped && !s.full && s.hasPendingMessages() {
		if m, ok := s.popMessageOrClose(); ok && !s.stopped {
			s.writeMessage(&m, time.Time{})
		}
	}
	s.pumping = false
}

// hasPendingMessages reports whether anything is to be written before the next
// broadcast. The caller holds mu.
func (s *Socket) hasPendingMessages() bool {
	return len(s.answers.list) > 0 || s.closing != nil || s.behind
}

// popMessageOrClose returns the next pending message: an answer, or a diff for a
// cursor that is behind. If the socket is to close next, it starts that. It may
// unlock mu meanwhile. hasMessage is false if there is nothing to write. The caller holds
// mu, and has set pumping.
func (s *Socket) popMessageOrClose() (next outgoing, hasMessage bool) {
	switch {
	case len(s.answers.list) > 0:
		a := s.answers.pop()
		if a.request == nil {
			return outgoing{socket.Message{Head: a.text}, messageInfo{kind: a.kind}}, true
		}
		s.mu.Unlock()
		defer s.mu.Lock()
		return s.hub.answerOrDeferRequest(a.request)
	case s.closing != nil:
		s.startClose()
		return next, false
	default:
		s.behind = false
		s.mu.Unlock()
		defer s.mu.Lock()
		return s.hub.catchUpCursorLongestBehind(s)
	}
}

// writeMessage gives a message to the connection. sentAt may be zero. The caller
// holds mu; the socket is neither full nor stopped.
func (s *Socket) writeMessage(m *outgoing, sentAt time.Time) {
	full, err := s.conn.Write(m.Message)
	switch {
	case err != nil:
		s.stopWriting()
		if err != socket.ErrClosed { // else another goroutine closes it, maybe with a close frame
			go s.conn.CloseNow()
		}
		return
	case full:
		s.full = true
		s.inFlight = m.messageInfo
	default:
		s.hub.metrics.countSentMessage(&m.messageInfo, sentAt)
		s.hub.reportDiffIfLate(&m.messageInfo, sentAt)
	}
	if s.pingTimer != nil {
		s.pingTimer.Reset(s.hub.options.IdleInterval)
	}
}

// handleWritable is called by the connection when it is no longer full, or with
// the reason why it stays so.
func (s *Socket) handleWritable(err error) {
	s.mu.Lock()
	s.full = false
	if err != nil {
		s.stopWriting()
	} else {
		s.hub.metrics.countSentMessage(&s.inFlight, time.Now())
	}
	s.inFlight = messageInfo{}
	s.mu.Unlock()
	s.writePendingMessages()
}

// writeOutcome is the outcome of writeBroadcast.
type writeOutcome uint8

const (
	outcomeSkipped writeOutcome = iota // the frame does not continue from the cursor's position
	outcomeWritten
	outcomeFull // left behind: the connection is full
	outcomeBusy // left behind: pending messages go first
)

// writeBroadcast writes a frame for a cursor at its prev. If another message has
// to go first, it leaves the cursor behind for writePendingMessages.
func (s *Socket) writeBroadcast(c *cursor, b *broadcast, now time.Time) writeOutcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.closed || c.unanswered > 0 || c.pos != b.prev || s.stopped:
		return outcomeSkipped
	case s.full:
		c.behindSince = b.number
		s.behind = true
		return outcomeFull
	case s.pumping || len(s.answers.list) > 0 || s.closing != nil:
		c.behindSince = b.number
		s.behind = true
		return outcomeBusy
	}
	c.pos = b.next
	s.writeMessage(&b.outgoing, now)
	return outcomeWritten
}
