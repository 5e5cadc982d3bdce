package main

import (
	"fmt"
	"maps"
	"time"

	"onair/hub/wire"
)

// scheduleArrivals has all viewers connect, spread over a time.
func (c *viewerLoop) scheduleArrivals(over time.Duration) {
	for i, v := range c.viewers {
		c.schedule(over*time.Duration(i)/time.Duration(len(c.viewers)), v, (*viewerLoop).connect)
	}
}

// startMeasuring begins the phase whose figures count.
func (c *viewerLoop) startMeasuring() {
	c.latencies.reset()
	c.nextLikeAt = c.now
	if c.options.Likes > 0 {
		c.sendDueLikes(nil)
	}
	for i := range c.options.Herds {
		c.schedule(c.options.Duration*time.Duration(i+1)/time.Duration(c.options.Herds+1), nil, (*viewerLoop).disconnectAll)
	}
}

// sendDueLikes sends the likes that are due, each by somebody.
func (c *viewerLoop) sendDueLikes(*viewer) {
	if c.isSettling {
		return
	}
	every := time.Duration(float64(time.Second) / c.options.Likes)
	for ; c.nextLikeAt <= c.now; c.nextLikeAt += every {
		v := c.viewers[c.rand.IntN(len(c.viewers))]
		code := v.watchedCode
		if code == "" {
			for code = range v.list.entries {
				break
			}
		}
		if v.stage == stageOpen && !v.isSubscribing && code != "" {
			c.sendMessage(v, &wire.Like{ID: likeID, Code: code, N: 1 + c.rand.IntN(3)})
			c.counters.likesSent++
		}
	}
	c.timers.schedule(timer{dueAt: c.nextLikeAt, action: (*viewerLoop).sendDueLikes})
}

// disconnectAll has everybody lose the connection at once, and come back within herdIn.
func (c *viewerLoop) disconnectAll(*viewer) {
	if c.isSettling {
		return
	}
	c.counters.herds++
	for _, v := range c.viewers {
		if v.stage == stageClosed {
			continue // comes back anyway
		}
		c.closeViewer(v)
		c.schedule(time.Duration(c.rand.Int64N(int64(c.options.HerdWindow)+1)), v, (*viewerLoop).connect)
	}
}

// takeSample takes a sample, and finds those to whom nothing is said.
func (c *viewerLoop) takeSample(*viewer) {
	c.timers.schedule(timer{dueAt: c.now + time.Second, action: (*viewerLoop).takeSample})
	following := 0
	for _, v := range c.viewers {
		silent := c.now - v.receivedAt
		switch {
		case v.stage == stageClosed:
		case v.stage == stageOpen && v.hasList:
			if !v.isReference {
				following++
			}
			if c.idleInterval > 0 && silent > c.idleInterval*5/2 && !v.isSlow {
				c.handleSocketEnd(v, "heard nothing for 2.5 idle times")
			}
		case silent > c.options.answerTimeout():
			c.handleSocketEnd(v, "not let in for "+c.options.answerTimeout().String())
		}
	}
	c.counters.following = following
	c.counters.processCPU, c.counters.loopCPU = CPUTime()
	s := sample{
		At: c.now, Viewers: following,
		Diffs: c.counters.diffs - c.lastCounters.diffs, Bytes: c.counters.bytes - c.lastCounters.bytes,
		P50: microseconds(c.latencies.lastSecond.ValueAtQuantile(50)), P99: microseconds(c.latencies.lastSecond.ValueAtQuantile(99)),
		Samples: c.latencies.lastSecond.TotalCount(), ClientCPU: c.counters.processCPU - c.lastCounters.processCPU, Busy: c.counters.busyTime - c.lastCounters.busyTime,
	}
	c.latencies.lastSecond.Reset()
	c.lastCounters = c.counters
	c.onSample(s)
}

// currentCounters are the figures so far, fit to be kept.
func (c *viewerLoop) currentCounters() viewerCounters {
	t := c.counters
	t.processCPU, t.loopCPU = CPUTime()
	t.reasons = maps.Clone(t.reasons)
	return t
}

// startSettling has everybody come back, read at full speed and stay.
func (c *viewerLoop) startSettling() {
	c.isSettling = true
	for _, v := range c.viewers {
		v.attempts = 0
		switch {
		case v.stage == stageClosed:
			v.generation++ // whatever it was about to do
			c.schedule(time.Duration(c.rand.Int64N(int64(time.Second))), v, (*viewerLoop).connect)
		case v.isSlow:
			c.resumeSlowReads(v)
		}
	}
}

// viewersWithoutList is how many viewers have no list on a socket.
func (c *viewerLoop) viewersWithoutList() (n int) {
	for _, v := range c.viewers {
		if v.stage != stageOpen || !v.hasList || v.isSubscribing {
			n++
		}
	}
	return n
}

// openReferences opens fresh sockets that all others are compared with: one for each
// view, and one for each stream that is watched, at each node.
func (c *viewerLoop) openReferences() {
	watched := map[string]bool{}
	for _, v := range c.viewers {
		if v.watchedCode != "" {
			watched[v.watchedCode] = true
		}
	}
	for node := range c.options.nodes {
		for _, view := range c.views {
			c.openReference(node, view, "")
		}
		i := 0
		for code := range watched {
			c.openReference(node, c.views[i%len(c.views)], code)
			i++
		}
	}
}

func (c *viewerLoop) openReference(node int, view *view, code string) {
	n := len(c.viewers)
	v := &viewer{
		index: int32(n), view: view, node: node, fd: -1, list: view.emptyList,
		isReference: true, isWatcher: code != "", watchedCode: code, shownLists: map[string]*list{},
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

// compareWithReferences compares everybody's list, and who watches the watched stream, with
// what a reference showed at the same position.
func (c *viewerLoop) compareWithReferences() comparison {
	seen := map[string]*list{}
	out := comparison{fresh: make([][]*list, len(c.views))}
	for i := range out.fresh {
		out.fresh[i] = make([]*list, len(c.options.nodes))
	}
	for _, v := range c.viewers {
		if !v.isReference {
			continue
		}
		maps.Copy(seen, v.shownLists)
		for i, view := range c.views {
			if v.view == view && v.hasList {
				out.fresh[i][v.node] = v.list
			}
		}
	}
	out.examples = nodeDifferences(out.fresh)
	for _, v := range c.viewers {
		if v.isReference {
			continue
		}
		switch same, d := matchesReference(seen, v); {
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

// nodeDifferences tells where the nodes differ. Each view goes forward at its own time on
// each node, so it is the entries that must be the same, not the positions.
func nodeDifferences(fresh [][]*list) (out []string) {
	for _, lists := range fresh {
		for i, l := range lists[1:] {
			if first := lists[0]; first != nil && l != nil {
				if how := first.entryDifferenceTo(l); how != "" {
					out = append(out, fmt.Sprintf("%s at nodes 1 and %d: %s", l.view.id, i+2, how))
				}
			}
		}
	}
	return out
}

// matchesReference tells whether all that a viewer has was shown to references; d says
// how it differs.
func matchesReference(seen map[string]*list, v *viewer) (same bool, d string) {
	if v.stage != stageOpen || !v.hasList || v.isSubscribing {
		return false, ""
	}
	same = true
	for _, has := range []*list{v.list, v.watchedList} {
		if has == nil || has.view.watchedCode != "" && len(has.entries) == 0 {
			continue // of a stream that has ended there is no fresh view
		}
		fresh := seen[has.view.id+" "+has.pos]
		if fresh == nil {
			same = false
		} else if how := fresh.differenceTo(has); how != "" {
			return false, has.view.id + " at " + has.pos + ": " + how
		}
	}
	return same, ""
}
