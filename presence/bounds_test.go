package presence

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// pendingBeat is a beat that a node has acknowledged and not yet appended.
type pendingBeat struct {
	session Session
	lease   Lease
	at      int64 // log time
}

// TestBounds: no session ends within missed × interval of a beat that a living
// node acknowledged before the last miss was due. While all nodes append at
// every tick, none stays for more than two ticks past missed × interval + grace.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := &testLog{t: rt, reg: NewRegistry(), time: dawn, epoch: "r", lastBatches: map[string]*Batch{}}
		s := Settings{Interval: intervals.Draw(rt, "interval"), Missed: rapid.Int64Range(1, 3).Draw(rt, "missed")}
		s.Grace = s.Interval / 10
		if s.Interval == 60_000 {
			s.Interval, s.Grace = 8_000, 0
		}
		x.applySettings(s)
		calm := rapid.Bool().Draw(rt, "calm")
		tick, boots := s.Tick(), map[string]uint64{}
		queued := map[string][]pendingBeat{}
		lastEntries := map[string]int64{} // by node, log time
		beatAt := map[Session]map[string]int64{}
		latest := map[Session]int64{}
		var sessions []Session
		for n := range 3 {
			x.applyCommandOn(nodeNames[n], startOf(n, nodeNames[n]))
			sessions, beatAt[sessionID(n)] = append(sessions, sessionID(n)), map[string]int64{nodeNames[n]: 0}
			lastEntries[nodeNames[n]] = x.time
		}
		silent := ""
		for range rapid.IntRange(20, 200).Draw(rt, "steps") {
			step := rapid.Int64Range(1, tick/2).Draw(rt, "step")
			if !calm {
				switch rapid.IntRange(0, 40).Draw(rt, "trouble") {
				case 0:
					step = 10 * tick
				case 1:
					silent = rapid.SampledFrom(nodeNames).Draw(rt, "silent")
				case 2:
					silent = ""
				}
			}
			from, clock := x.time, x.reg.Clock()
			// Beats arrive before the next entry.
			for range rapid.IntRange(0, 1).Draw(rt, "beats") {
				b := pendingBeat{session: rapid.SampledFrom(sessions).Draw(rt, "session"), at: from + rapid.Int64Range(0, step).Draw(rt, "at")}
				if st := x.reg.StreamBySession(b.session); st != nil {
					b.lease = st.Lease()
					node := rapid.SampledFrom(nodeNames).Draw(rt, "node")
					queued[node] = append(queued[node], b)
					at := clock
					if step <= 2*tick {
						at += b.at - from
					}
					// A beat that comes after the last miss is due, but before it
					// is judged, is acknowledged and may be too late. Beats that a
					// lost node has not appended are lost with it.
					last := x.reg.leases.all[b.lease.Index].lastRenewal(clock)
					if at < last+s.Missed*s.Interval+s.Grace {
						beatAt[b.session][node] = at
					}
					latest[b.session] = at
				}
			}
			x.time += step
			always := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(nodeNames), func(n string) bool { return n == silent })).Draw(rt, "speaker") // every step has an entry
			for _, node := range nodeNames {
				if node != always && (node == silent || calm && x.time-lastEntries[node] < tick/2 || !calm && rapid.IntRange(0, 2).Draw(rt, "quiet") == 0) {
					continue
				}
				b := Batch{Incarnation: max(1, boots[node])}
				if p, _ := x.reg.nodes.find(node); p != nil && !p.isAlive {
					b.Incarnation = p.incarnation + 1 // and what it acknowledged died with it
					boots[node], queued[node] = b.Incarnation, nil
					for s := range beatAt {
						delete(beatAt[s], node)
					}
				}
				for _, q := range queued[node] {
					b.Beats = append(b.Beats, Beat{q.lease, uint32(x.time - q.at)})
				}
				queued[node], lastEntries[node] = nil, x.time
				a := x.applyBatch(node, b)
				for _, c := range a.Changes {
					if c.Ended == nil {
						continue
					}
					for via, at := range beatAt[c.Old.Session] {
						if p, _ := x.reg.nodes.find(via); p != nil && p.isAlive && x.reg.Clock() < at+s.Missed*s.Interval {
							rt.Fatalf("ended %d ms after a beat that %s acknowledged", x.reg.Clock()-at, via)
						}
					}
				}
			}
			if !calm {
				continue
			}
			for _, session := range sessions {
				if late := x.reg.Clock() - latest[session] - s.Missed*s.Interval - s.Grace; x.reg.StreamBySession(session) != nil && late > 2*tick {
					rt.Fatalf("still listed %d ms too late", late)
				}
			}
		}
	})
}
