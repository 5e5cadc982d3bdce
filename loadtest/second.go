package main

import (
	"context"
	"time"

	"onair/hub/wire"
)

// standby is a socket at another node, on which a session was resumed while the
// first one was still open. The server then closes the first.
type standby struct {
	socket       *anchorSocket
	node         int
	started      *wire.Started
	resumeSentAt time.Duration // the resume
	beatInterval time.Duration
}

// searchStandby has the other nodes tried, after a while: all anchors of a degraded node
// are told at once. Until one of them has the session, it stays where it is.
func (b *broadcast) searchStandby() {
	if !b.options.hasManyNodes() || b.standbyResult != nil {
		return
	}
	found := make(chan *standby, 1)
	wait, session, first, step := backoffDelay(b.rand, 0), b.sessionID, b.node, b.step
	to, err := b.dialTarget(first)
	if err != nil {
		return
	}
	b.standbyResult = found
	a := b.anchorPool
	b.readers.Go(func() {
		defer close(found)
		// All that follows is bounded, and whoever looks waits for it.
		ctx := context.Background()
		sleep(ctx, wait)
		for to.node = a.options.nextNode(first, step); to.node != first; to.node = a.options.nextNode(to.node, step) {
			if s := a.openStandby(ctx, to, session); s != nil {
				found <- s
				return
			}
		}
	})
}

// openStandby tries one node. It returns nil when it does not let the anchor in, or
// have the session.
func (a *anchorPool) openStandby(ctx context.Context, to dialTarget, session string) *standby {
	l, err := a.dial(ctx, to)
	if err != nil {
		return nil
	}
	s := &standby{socket: l, node: to.node}
	if s.beatInterval, err = a.awaitWelcome(ctx, l, to.timeout); err == nil {
		s.resumeSentAt = a.clock()
		err = l.send(&wire.Resume{ID: resumeID, Session: session})
	}
	if err == nil {
		var m wire.Message
		if m, err = l.awaitAnswer(ctx, resumeID, to.timeout); err == nil {
			s.started, _ = m.(*wire.Started)
		}
	}
	if s.started == nil {
		l.closeAndWait()
		return nil
	}
	return s
}

// awaitStandby waits for the second socket that is being tried, if one is, and goes
// over to it if it has the session.
func (b *broadcast) awaitStandby() bool {
	if b.standbyResult == nil {
		return false
	}
	return b.switchToStandby(<-b.standbyResult)
}

// switchToStandby goes over to a second socket; nil: there is none, all others refused.
func (b *broadcast) switchToStandby(s *standby) bool {
	b.standbyResult = nil
	if s == nil {
		return false
	}
	b.anchorSocket.closeAndWait()
	b.recordUnanswered()
	b.ackTimer.Stop()
	b.drainTimer.Stop()
	b.isAwaitingAck, b.isDegraded = false, false
	b.anchorSocket, b.node, b.beatInterval = s.socket, s.node, s.beatInterval
	b.failovers.Add(1)
	b.recordStarted(s.started, s.resumeSentAt)
	return true
}
