package main

import (
	"errors"
	"syscall"
	"time"
)

// nodeState is what viewers noticed of a node's restarts. A slow one notices late,
// and does not count.
type nodeState struct {
	isDown  bool          // it drains, or nobody listens
	upSince time.Duration // when it was first welcoming again; 0: it was never away
}

// restartedRecently is how long a node counts as restarted just now.
const restartedRecently = time.Minute

// reconnectCounters counts viewers who came back with a position, and those of them who
// were then given a diff from there.
type reconnectCounters struct{ all, resumed, recent, recentResumed int }

// countReconnect counts the first answer on a socket of a viewer that brought a position.
func (c *viewerLoop) countReconnect(v *viewer, resumed bool) {
	at, r := &c.nodes[v.node], &c.counters.reconnects
	young := at.upSince > 0 && c.now-at.upSince < restartedRecently
	r.all++
	if young {
		r.recent++
	}
	if resumed {
		r.resumed++
		if young {
			r.recentResumed++
		}
	}
}

// recordNodeUp notes that a node lets viewers in.
func (c *viewerLoop) recordNodeUp(v *viewer) {
	if at := &c.nodes[v.node]; at.isDown && !v.isSlow {
		at.isDown, at.upSince = false, c.now
	}
}

// handleDrain has a viewer go elsewhere when its node says so; the node may be the
// first to close.
func (c *viewerLoop) handleDrain(v *viewer, in time.Duration) {
	v.isDrained = true
	if !v.isSlow {
		c.nodes[v.node].isDown = true
	}
	c.schedule(in, v, (*viewerLoop).leaveNode)
}

func (c *viewerLoop) leaveNode(v *viewer) {
	if v.stage != stageClosed {
		c.sendClose(v)
		c.handleSocketEnd(v, "moved on, as the node asked")
	}
}

// handleSocketEnd notes a socket that ended though nobody here wanted that, and comes back:
// after a drain at once, for then the node has spread those who come.
func (c *viewerLoop) handleSocketEnd(v *viewer, why string) {
	wait := backoffDelay(c.rand, v.attempts)
	switch {
	case v.isDrained:
		c.counters.drained++
		if v.attempts == 0 {
			wait = 0
		}
	case v.stage == stageOpen || v.stage == stageAwaitingWelcome:
		c.counters.disconnects++
	default:
		c.counters.refusals++
	}
	c.counters.reasons[why]++
	c.closeViewer(v)
	c.schedule(wait, v, (*viewerLoop).connect)
	v.attempts++
}

// handleDialError notes that nobody listens.
func (c *viewerLoop) handleDialError(v *viewer, err error) {
	if errors.Is(err, syscall.ECONNREFUSED) {
		c.nodes[v.node].isDown = true
	}
	c.handleSocketEnd(v, "connect: "+err.Error())
}
