package main

import (
	"context"
	"time"

	"onair/hub/wire"
)

// standby is a second socket, at another node, that has resumed the session while the
// first socket was still open. The server then closes the first.
type standby struct {
	socket       *anchorSocket
	node         int
	started      *wire.Started
	resumeSentAt time.Duration
	beatInterval time.Duration
}

// startStandbySearch tries the other nodes in turn, in another goroutine. It waits a random
// time first: all anchors of a degraded node search at once. The session stays here
// until another node has resumed it.
func (b *broadcast) startStandbySearch() {
	if !b.hasManyNodes() || b.standbyResult != nil {
		return
	}
	result := make(chan *standby, 1)
	delay, sessionID, start, pool := randomBackoff(b.rand, 0, backoffCap), b.sessionID, b.route, b.anchorPool
	to, err := b.newDialTarget(start.node)
	if err != nil {
		return
	}
	b.standbyResult = result
	b.readers.Go(func() {
		defer close(result)
		ctx := context.Background() // each step has a timeout, and stopSession waits for the result
		sleep(ctx, delay)
		for range max(1, len(pool.options.nodes)-1) { // a balancer may lead to another node
			to.node = pool.options.nextNode(route{to.node, start.step})
			if s := pool.resumeOnStandby(ctx, to, sessionID); s != nil {
				result <- s
				return
			}
		}
	})
}

// resumeOnStandby resumes a session at a node. It returns nil when the node does not admit
// the anchor, or refuses the resume.
func (p *anchorPool) resumeOnStandby(ctx context.Context, to dialTarget, sessionID string) *standby {
	socket, err := p.openAnchorSocket(ctx, to)
	if err != nil {
		return nil
	}
	s := &standby{socket: socket, node: to.node}
	if s.beatInterval, err = p.awaitAndRecordWelcome(ctx, socket, to.timeout); err == nil {
		s.resumeSentAt = p.clock()
		err = socket.sendMessage(&wire.Resume{ID: resumeID, Session: sessionID})
	}
	if err == nil {
		var m wire.Message
		if m, err = socket.skipToAnswer(ctx, resumeID, to.timeout); err == nil {
			s.started, _ = m.(*wire.Started)
		}
	}
	if s.started == nil {
		socket.closeAndWait()
		return nil
	}
	return s
}

// awaitAndSwitchToStandby waits for the result of a search, if there is one, and
// switches to its standby.
func (b *broadcast) awaitAndSwitchToStandby() (hasSwitched bool) {
	if b.standbyResult == nil {
		return false
	}
	return b.switchToStandby(<-b.standbyResult)
}

// switchToStandby makes a standby the socket of the broadcast. It does nothing with
// nil: all other nodes have refused.
func (b *broadcast) switchToStandby(resumedOrNil *standby) (hasSwitched bool) {
	b.standbyResult = nil
	if resumedOrNil == nil {
		return false
	}
	b.anchorSocket.closeAndWait()
	b.moveUnansweredToLedger()
	b.ackTimer.Stop()
	b.drainTimer.Stop()
	b.isAwaitingAck, b.isDegraded = false, false
	b.anchorSocket, b.node, b.beatInterval = resumedOrNil.socket, resumedOrNil.node, resumedOrNil.beatInterval
	b.incrementFigure(&b.figures.Failovers)
	b.recordStarted(resumedOrNil.started, resumedOrNil.resumeSentAt)
	return true
}
