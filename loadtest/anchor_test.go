package main

import (
	"testing"
	"time"

	"onair/hub/wire"
)

// expectCounters compares the counters of an anchor's sockets.
func expectCounters(t *testing.T, p *anchorPool, starts, resumes, failures, drained, refusals, failovers int64) {
	t.Helper()
	f := &p.figures
	got := [6]int64{f.Starts, f.Resumes, f.Disconnects + f.Errors, f.Drained, f.Refusals, f.Failovers}
	if want := [6]int64{starts, resumes, failures, drained, refusals, failovers}; got != want {
		t.Errorf("starts, resumes, failures, drained, refusals, failovers: %d, want %d", got, want)
	}
}

// TestAnchorLeavesDrainingNode: an anchor obeys a drain at once, and it is no failure.
func TestAnchorLeavesDrainingNode(t *testing.T) {
	for name, drain := range map[string]func(s *nodeSocket){
		"by message": func(s *nodeSocket) { s.send(&wire.Drain{ReconnectInMS: 20}) },
		"by close": func(s *nodeSocket) {
			s.send(&wire.Drain{ReconnectInMS: 60_000})
			s.conn.Close(wire.CloseDrained, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := runAnchor(t, 2, handleOnce(func(s *nodeSocket, m wire.Message) bool {
				_, isBeat := m.(*wire.Beat)
				if isBeat {
					drain(s)
				}
				return isBeat
			}), "0 start", "0 beat", "1 resume", "1 beat")
			expectCounters(t, p, 1, 1, 0, 1, 0, 0)
		})
	}
}

// TestAnchorRepeatsStart: an unanswered start is repeated unchanged at the next node.
func TestAnchorRepeatsStart(t *testing.T) {
	p, fake := runAnchor(t, 2, handleOnce(func(s *nodeSocket, m wire.Message) bool {
		_, isStart := m.(*wire.Start)
		if isStart {
			s.sendError(startID, wire.CodeUnknown)
		}
		return isStart
	}), "0 start", "1 start", "1 beat")
	first, second := fake.messages[0].(*wire.Start), fake.messages[1].(*wire.Start)
	if first.Key == "" || first.Key != second.Key || first.Title != second.Title || string(first.Extra) != string(second.Extra) {
		t.Errorf("repeated %+v as %+v", first, second)
	}
	expectCounters(t, p, 1, 0, 0, 0, 1, 0)
}

// TestAnchorRepeatsResume: a resume that is unavailable is repeated at the next node.
func TestAnchorRepeatsResume(t *testing.T) {
	p, _ := runAnchor(t, 3, func(s *nodeSocket, m wire.Message) bool {
		switch m := m.(type) {
		case *wire.Beat:
			if s.node == 0 {
				s.conn.CloseNow()
				return true
			}
		case *wire.Resume:
			if s.node == 1 {
				s.sendError(m.ID, wire.CodeUnavailable)
				return true
			}
		}
		return false
	}, "0 start", "1 resume", "2 resume", "2 beat")
	expectCounters(t, p, 1, 1, 1, 0, 1, 0)
}

// TestAnchorLeavesNodeWithoutAcks: an anchor leaves a node that acknowledges nothing.
func TestAnchorLeavesNodeWithoutAcks(t *testing.T) {
	dropBeats := func(s *nodeSocket, m wire.Message) bool {
		_, isBeat := m.(*wire.Beat)
		return isBeat && s.node == 0
	}
	p, _ := runAnchor(t, 2, dropBeats, "0 start", "0 beat", "1 resume", "1 beat")
	expectCounters(t, p, 1, 1, 0, 0, 0, 1)
}

// TestAnchorSwitchesToStandby: with a degraded node, an anchor tries the others by a
// second socket, and switches to it.
func TestAnchorSwitchesToStandby(t *testing.T) {
	p, _ := runAnchor(t, 3, degradedNode(func(node int) bool { return node == 2 }),
		"0 start", "0 beat", "1 resume", "2 resume", "2 beat")
	expectCounters(t, p, 1, 1, 0, 0, 0, 1)
	for _, s := range p.ledger.sessions {
		if s.acknowledgedAt == 0 {
			t.Error("the resume does not count as acknowledged")
		}
	}
}

// TestAnchorStaysWithoutStandby: where no other node resumes the session, an anchor
// stays, beats, and searches again. Pending acks promise nothing.
func TestAnchorStaysWithoutStandby(t *testing.T) {
	p, _ := runAnchor(t, 2, degradedNode(func(int) bool { return false }),
		"0 start", "0 beat", "1 resume", "0 beat", "1 resume", "0 beat")
	expectCounters(t, p, 1, 0, 0, 0, 0, 0)
}

// TestAnchorRepeatsStop: when the answer to a stop is lost, the session has ended, or
// the anchor resumes and stops it again.
func TestAnchorRepeatsStop(t *testing.T) {
	for name, hasEnded := range map[string]bool{"ended": true, "still live": false} {
		t.Run(name, func(t *testing.T) {
			loseStop := handleOnce(func(s *nodeSocket, m wire.Message) bool {
				_, isStop := m.(*wire.Stop)
				if isStop {
					s.sendError(stopID, wire.CodeUnknown)
				}
				return isStop
			})
			want := []string{"0 stop", "1 resume", "0 start"}
			if !hasEnded {
				want = []string{"0 stop", "1 resume", "1 stop", "0 start"}
			}
			script := func(s *nodeSocket, m wire.Message) bool {
				if m, ok := m.(*wire.Resume); ok && hasEnded {
					s.send(&wire.Error{ID: m.ID, Code: wire.CodeSessionGone, Message: "x", Reason: wire.EndStopped})
					return true
				}
				return loseStop(s, m)
			}
			p, _ := runAnchorFor(t, 50*time.Millisecond, 2, script, want...)
			if f := &p.figures; f.Stops == 0 || f.Disconnects != 0 || f.Errors != 0 {
				t.Errorf("%d stops, %d disconnects, %d errors", f.Stops, f.Disconnects, f.Errors)
			}
		})
	}
}
