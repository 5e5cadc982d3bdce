package main

import (
	"errors"
	"syscall"
	"time"
)

// nodeState is what viewers have seen of a node's restarts. Slow viewers see them too
// late, and do not count.
type nodeState struct {
	isDown  bool          // drains, or refuses connections
	upSince time.Duration // the first welcome after it was down; 0: it never was
}

// recentRestart is how long a node counts as restarted.
const recentRestart = time.Minute

// countReconnect counts the first answer on a new socket to a subscribe with a position.
func (l *viewerLoop) countReconnect(v *viewer, isResumed bool) {
	node, r := &l.nodes[v.node], &l.counters.Reconnects
	hasRestarted := node.upSince > 0 && l.now-node.upSince < recentRestart
	r.All++
	if hasRestarted {
		r.Restarted++
	}
	if isResumed {
		r.Resumed++
		if hasRestarted {
			r.RestartedResumed++
		}
	}
}

// recordNodeUp notes that a node admits viewers.
func (l *viewerLoop) recordNodeUp(v *viewer) {
	if node := &l.nodes[v.node]; node.isDown && !v.isSlow {
		node.isDown, node.upSince = false, l.now
	}
}

// handleDrain schedules the move to the next node. The node may close the socket first.
func (l *viewerLoop) handleDrain(v *viewer, reconnectIn time.Duration) {
	v.isDrained = true
	if !v.isSlow {
		l.nodes[v.node].isDown = true
	}
	l.scheduleAction(reconnectIn, v, (*viewerLoop).leaveDrainingNode)
}

func (l *viewerLoop) leaveDrainingNode(v *viewer) {
	if v.stage != stageClosed {
		l.sendCloseFrameIfIdle(v)
		l.closeAndScheduleReconnect(v, "left a draining node")
	}
}

// closeAndScheduleReconnect counts a socket that ended against the viewer's will, and
// schedules its reconnect: at once after a drain, since the node has spread the
// reconnects.
func (l *viewerLoop) closeAndScheduleReconnect(v *viewer, reason string) {
	delay := randomBackoff(l.rand, v.attempts, backoffCap)
	switch {
	case v.isDrained:
		l.counters.Drained++
		if v.attempts == 0 {
			delay = 0
		}
	case v.stage == stageOpen || v.stage == stageAwaitingWelcome:
		l.counters.Disconnects++
	default:
		l.counters.Refusals++
	}
	l.reasons[reason]++
	l.closeWithoutFrame(v)
	l.scheduleAction(delay, v, (*viewerLoop).connectViewer)
	v.attempts++
}

// handleDialError also notes that a node refuses connections.
func (l *viewerLoop) handleDialError(v *viewer, err error) {
	if errors.Is(err, syscall.ECONNREFUSED) {
		l.nodes[v.node].isDown = true
	}
	l.closeAndScheduleReconnect(v, "connect: "+err.Error())
}
