package main

import (
	"errors"
	"syscall"
	"time"
)

// doing is what viewers noticed of a node's restarts. A slow one notices late,
// and does not count.
type doing struct {
	away bool          // it drains, or nobody listens
	back time.Duration // when it was first welcoming again; 0: it was never away
}

// youth is how long a node counts as restarted just now.
const youth = time.Minute

// returns counts viewers who came back with a position, and those of them who
// were then given a diff from there.
type returns struct{ all, resumed, young, youngResumed int }

// came counts the first answer on a socket of a viewer that brought a position.
func (c *crowd) came(v *viewer, resumed bool) {
	at, r := &c.doing[v.node], &c.tally.returns
	young := at.back > 0 && c.now-at.back < youth
	r.all++
	if young {
		r.young++
	}
	if resumed {
		r.resumed++
		if young {
			r.youngResumed++
		}
	}
}

// welcomed notes that a node lets viewers in.
func (c *crowd) welcomed(v *viewer) {
	if at := &c.doing[v.node]; at.away && !v.slow {
		at.away, at.back = false, c.now
	}
}

// drain has a viewer go elsewhere when its node says so; the node may be the
// first to close.
func (c *crowd) drain(v *viewer, in time.Duration) {
	v.drained = true
	if !v.slow {
		c.doing[v.node].away = true
	}
	c.after(in, v, (*crowd).moveOn)
}

func (c *crowd) moveOn(v *viewer) {
	if v.stage != stageAway {
		c.farewell(v)
		c.lost(v, "moved on, as the node asked")
	}
}

// lost notes a socket that ended though nobody here wanted that, and comes back:
// after a drain at once, for then the node has spread those who come.
func (c *crowd) lost(v *viewer, why string) {
	wait := backoff(c.rand, v.tries)
	switch {
	case v.drained:
		c.tally.drained++
		if v.tries == 0 {
			wait = 0
		}
	case v.stage == stageFollowing || v.stage == stageGreeting:
		c.tally.disconnects++
	default:
		c.tally.refusals++
	}
	c.tally.reasons[why]++
	c.hangUp(v)
	c.after(wait, v, (*crowd).connect)
	v.tries++
}

// refusedToConnect notes that nobody listens.
func (c *crowd) refusedToConnect(v *viewer, err error) {
	if errors.Is(err, syscall.ECONNREFUSED) {
		c.doing[v.node].away = true
	}
	c.lost(v, "connect: "+err.Error())
}
