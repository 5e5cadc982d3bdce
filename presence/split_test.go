package presence

import (
	"slices"
	"testing"
)

// splitLogs returns two logs with the same first entries, of nodes a and b. Node a
// writes to the old one and b to the new one. Both have the sessions 1 to n.
func splitLogs(t *testing.T, n int) (old, current *testLog) {
	x := newTestLog(t)
	s := fast
	s.EventKinds = EventKindsOf(StreamEnded, StreamResumed)
	x.applySettings(s)
	x.applyCommand(&RaiseRules{LatestRules})
	for i := range n {
		x.applyCommandOn("b", startOf(i+1, string(rune('a'+i))))
	}
	y := newTestLog(t)
	for _, e := range x.entries {
		y.applyEntry(e)
	}
	y.num, y.time, y.epoch = x.num, x.time, "r2"
	for node, b := range x.lastBatches {
		y.lastBatches[node] = &Batch{Incarnation: b.Incarnation, Seq: b.Seq}
	}
	return x, y
}

// beatFor lets time pass on a log, with beats of some sessions at one node.
func (x *testLog) beatFor(seconds int, node string, sessions ...int) {
	x.t.Helper()
	for range seconds {
		x.time += 1_000
		var leases []Lease
		for _, n := range sessions {
			if st := x.reg.StreamBySession(sessionID(n)); st != nil {
				leases = append(leases, st.Lease())
			}
		}
		x.applyBeats(node, leases...)
	}
}

// restoreFrom restores what the old log has, as node a does when it returns.
func (x *testLog) restoreFrom(old *testLog) {
	x.t.Helper()
	commands := RestoreCommands(old.reg, x.reg, LastSharedEntry(old.reg, x.reg), "a", OwnSessions)
	x.applyBatch("a", Batch{Incarnation: x.reg.Incarnation("a") + 1, Commands: commands})
}

// TestEndDisprovedByLostBeats: the new epoch has ended sessions whose anchors sent
// beats to a node on the other side. They are live again when that node returns,
// with a full lease. Other ends stand.
func TestEndDisprovedByLostBeats(t *testing.T) {
	x, y := splitLogs(t, 7)
	x.beatFor(5, "a", 1, 2, 3, 4, 5)
	x.beatFor(20, "a", 1, 3, 4, 5)
	y.beatFor(1, "b", 1, 7)
	y.applyCommandOn("b", &Stop{Session: sessionID(3), By: "op"})
	y.applyCommandOn("b", &Ban{Anchor: "d", By: "op"})
	y.beatFor(24, "b", 7)
	y.applyCommandOn("b", startOf(9, "e"))
	y.restoreFrom(x)
	y.restoreFrom(x) // changes nothing
	for n, want := range map[int]string{
		1: "live",         // it beat on the other side
		2: "missed_beats", // it was silent there, too
		3: "stopped",
		4: "banned",
		5: "missed_beats", // its anchor has started anew
		6: "missed_beats", // silent on both sides
		7: "live",         // the other side ended it
		9: "starting",
	} {
		check(t, string(rune('0'+n)), y.sessionState(sessionID(n)), want)
	}
	var events []string
	for _, e := range y.reg.OutboxEvents(0) {
		if e.Stream.Session == sessionID(1) {
			events = append(events, e.Kind.String())
		}
	}
	if want := []string{"stream.ended", "stream.resumed"}; !slices.Equal(events, want) {
		t.Errorf("events %q, want %q", events, want)
	}
	again, err := DecodeRegistry(y.reg.Encode())
	if err != nil {
		t.Fatal(err)
	}
	requireEqual(t, "encoded", again, y.reg)
	y.beatFor(12, "b", 7)
	check(t, "full lease", y.sessionState(sessionID(1)), "away")
	y.beatFor(2, "b", 7)
	check(t, "silent", y.sessionState(sessionID(1)), "missed_beats")
}

// TestLeaseRenewedByLostBeats: a session that has missed a beat in the new epoch gets a
// full lease when the node returns to which its anchor sent beats.
func TestLeaseRenewedByLostBeats(t *testing.T) {
	x, y := splitLogs(t, 2)
	x.beatFor(11, "a", 1)
	y.beatFor(11, "b")
	y.restoreFrom(x)
	check(t, "with beats", y.sessionState(sessionID(1)), "live")
	check(t, "without beats", y.sessionState(sessionID(2)), "away")
	y.beatFor(4, "b")
	check(t, "with beats", y.sessionState(sessionID(1)), "live")
	check(t, "without beats", y.sessionState(sessionID(2)), "missed_beats")
}

// TestStaleNodeDisprovesNoEnd: a node that was isolated during the failover, and has
// no later beats, restores no session that has missed its beats since.
func TestStaleNodeDisprovesNoEnd(t *testing.T) {
	x, y := splitLogs(t, 1)
	x.beatFor(3, "a", 1)
	y.beatFor(20, "b")
	y.restoreFrom(x)
	check(t, "silent", y.sessionState(sessionID(1)), "missed_beats")
}
