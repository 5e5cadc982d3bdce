package main

import (
	"fmt"
	"maps"
	"time"

	"onair/hub/wire"
)

// arrive has all viewers connect, spread over a time.
func (c *crowd) arrive(over time.Duration) {
	for i, v := range c.viewers {
		c.after(over*time.Duration(i)/time.Duration(len(c.viewers)), v, (*crowd).connect)
	}
}

// measure begins the phase whose figures count.
func (c *crowd) measure() {
	c.counts.reset()
	c.likes = c.now
	if c.o.Likes > 0 {
		c.like(nil)
	}
	for i := range c.o.Herds {
		c.after(c.o.Duration*time.Duration(i+1)/time.Duration(c.o.Herds+1), nil, (*crowd).herd)
	}
}

// like sends the likes that are due, each by somebody.
func (c *crowd) like(*viewer) {
	if c.calm {
		return
	}
	every := time.Duration(float64(time.Second) / c.o.Likes)
	for ; c.likes <= c.now; c.likes += every {
		v := c.viewers[c.rand.IntN(len(c.viewers))]
		code := v.wanted
		if code == "" {
			for code = range v.at.entries {
				break
			}
		}
		if v.stage == stageFollowing && !v.asked && code != "" {
			c.say(v, &wire.Like{ID: answersLike, Code: code, N: 1 + c.rand.IntN(3)})
			c.tally.likesSent++
		}
	}
	c.timers.add(timer{at: c.likes, do: (*crowd).like})
}

// herd has everybody lose the connection at once, and come back within herdIn.
func (c *crowd) herd(*viewer) {
	if c.calm {
		return
	}
	c.tally.herds++
	for _, v := range c.viewers {
		if v.stage == stageAway {
			continue // comes back anyway
		}
		c.hangUp(v)
		c.after(time.Duration(c.rand.Int64N(int64(c.o.HerdIn)+1)), v, (*crowd).connect)
	}
}

// everySecond takes a sample, and finds those to whom nothing is said.
func (c *crowd) everySecond(*viewer) {
	c.timers.add(timer{at: c.now + time.Second, do: (*crowd).everySecond})
	following := 0
	for _, v := range c.viewers {
		silent := c.now - v.heard
		switch {
		case v.stage == stageAway:
		case v.stage == stageFollowing && v.followed:
			if !v.reference {
				following++
			}
			if c.idle > 0 && silent > c.idle*5/2 && !v.slow {
				c.lost(v, "heard nothing for 2.5 idle times")
			}
		case silent > c.o.patience():
			c.lost(v, "not let in for "+c.o.patience().String())
		}
	}
	c.tally.following = following
	c.tally.process, c.tally.thread = cpuTime()
	s := sample{
		At: c.now, Viewers: following,
		Diffs: c.tally.diffs - c.before.diffs, Bytes: c.tally.bytes - c.before.bytes,
		P50: micros(c.counts.second.ValueAtQuantile(50)), P99: micros(c.counts.second.ValueAtQuantile(99)),
		Samples: c.counts.second.TotalCount(), ClientCPU: c.tally.process - c.before.process, Busy: c.tally.busy - c.before.busy,
	}
	c.counts.second.Reset()
	c.before = c.tally
	c.report(s)
}

// totals are the figures so far, fit to be kept.
func (c *crowd) totals() tally {
	t := c.tally
	t.process, t.thread = cpuTime()
	t.reasons = maps.Clone(t.reasons)
	return t
}

// settle has everybody come back, read at full speed and stay.
func (c *crowd) settle() {
	c.calm = true
	for _, v := range c.viewers {
		v.tries = 0
		switch {
		case v.stage == stageAway:
			v.life++ // whatever it was about to do
			c.after(time.Duration(c.rand.Int64N(int64(time.Second))), v, (*crowd).connect)
		case v.slow:
			c.sip(v)
		}
	}
}

// missing is how many viewers have no list on a socket.
func (c *crowd) missing() (n int) {
	for _, v := range c.viewers {
		if v.stage != stageFollowing || !v.followed || v.asked {
			n++
		}
	}
	return n
}

// refer opens fresh sockets that all others are compared with: one for each
// view, and one for each stream that is watched, at each node.
func (c *crowd) refer() {
	watched := map[string]bool{}
	for _, v := range c.viewers {
		if v.wanted != "" {
			watched[v.wanted] = true
		}
	}
	for node := range c.o.nodes {
		for _, view := range c.views {
			c.reference(node, view, "")
		}
		i := 0
		for code := range watched {
			c.reference(node, c.views[i%len(c.views)], code)
			i++
		}
	}
}

func (c *crowd) reference(node int, view *view, code string) {
	n := len(c.viewers)
	v := &viewer{
		index: int32(n), view: view, node: node, fd: -1, at: view.start,
		reference: true, looks: code != "", wanted: code, seen: map[string]*list{},
	}
	c.viewers = append(c.viewers, v)
	c.connect(v)
}

// comparison is what came of comparing viewers with references.
type comparison struct {
	Equal   int `json:"equal"`   // viewers whose lists are those of a fresh snapshot
	Differ  int `json:"differ"`  // at the same position, otherwise
	Waiting int `json:"waiting"` // not at the position of any reference (yet)

	examples []string
	fresh    [][]*list // by view, then node; nil where there is none
}

// compare compares everybody's list, and who watches the watched stream, with
// what a reference showed at the same position.
func (c *crowd) compare() comparison {
	seen := map[string]*list{}
	out := comparison{fresh: make([][]*list, len(c.views))}
	for i := range out.fresh {
		out.fresh[i] = make([]*list, len(c.o.nodes))
	}
	for _, v := range c.viewers {
		if !v.reference {
			continue
		}
		maps.Copy(seen, v.seen)
		for i, view := range c.views {
			if v.view == view && v.followed {
				out.fresh[i][v.node] = v.at
			}
		}
	}
	out.examples = apart(out.fresh)
	for _, v := range c.viewers {
		if v.reference {
			continue
		}
		switch same, d := isSeen(seen, v); {
		case d != "":
			out.Differ++
			out.examples = append(out.examples, d)
		case same:
			out.Equal++
		default:
			out.Waiting++
		}
	}
	return out
}

// apart tells where the nodes differ. Each view goes forward at its own time on
// each node, so it is the entries that must be the same, not the positions.
func apart(fresh [][]*list) (out []string) {
	for _, lists := range fresh {
		for i, l := range lists[1:] {
			if first := lists[0]; first != nil && l != nil {
				if how := first.distance(l); how != "" {
					out = append(out, fmt.Sprintf("%s at nodes 1 and %d: %s", l.view.id, i+2, how))
				}
			}
		}
	}
	return out
}

// isSeen tells whether all that a viewer has was shown to references; d says
// how it differs.
func isSeen(seen map[string]*list, v *viewer) (same bool, d string) {
	if v.stage != stageFollowing || !v.followed || v.asked {
		return false, ""
	}
	same = true
	for _, has := range []*list{v.at, v.watch} {
		if has == nil || has.view.code != "" && len(has.entries) == 0 {
			continue // of a stream that has ended there is no fresh view
		}
		fresh := seen[has.view.id+" "+has.pos]
		if fresh == nil {
			same = false
		} else if how := fresh.difference(has); how != "" {
			return false, has.view.id + " at " + has.pos + ": " + how
		}
	}
	return same, ""
}
