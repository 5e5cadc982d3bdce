package node

import (
	"context"
	"testing"

	"onair/presence"
)

// TestLateResumeAfterLoss: a resume without an answer reaches the log after the log
// has lost entries. It does not take the session from the socket that its client has
// resumed on since, before the loss or after it.
func TestLateResumeAfterLoss(t *testing.T) {
	for name, c := range map[string]struct{ newerIsLost bool }{
		"the newer resume comes after the loss": {newerIsLost: false},
		"the newer resume is lost and restored": {newerIsLost: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *memoryLog) {
				f := newFleet(t, l, 0)
				f.mustDo("a", startOf(1, "ann"))
				f.sleep(1000)
				before := f.numEntries()
				f.sleep(5000) // entries that are lost
				l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node != "a" })
				older := doInBackground(f.nodes["a"], &presence.Resume{Session: sessionID(1), Anchor: "ann", Socket: "older"})
				f.sleep(100)
				resumeNewer := func() {
					f.mustDo("b", &presence.Resume{Session: sessionID(1), Anchor: "ann", Socket: "newer"})
				}
				if c.newerIsLost {
					resumeNewer()
					l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node == "a" })
				}
				l.loseTail(f.numEntries() - before)
				f.sleep(1500)
				if !c.newerIsLost {
					resumeNewer()
				}
				l.setFaults(nil, nil)
				f.sleep(6000)
				<-older
				check(t, "attached", f.requireAgreement(crew...).LastAttachedSocket(sessionID(1)), "newer")
			})
		})
	}
}

// TestLateUpdateAfterLoss: an update without an answer reaches the log after the log has
// lost a newer one, and before that is restored. The newer one counts.
func TestLateUpdateAfterLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		f.mustDo("a", startOf(1, "ann"))
		f.sleep(1000)
		before := f.numEntries()
		l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node != "a" })
		older := doInBackground(f.nodes["a"], &presence.Update{Session: sessionID(1), Title: new("older")})
		f.sleep(100)
		f.mustDo("b", &presence.Update{Session: sessionID(1), Title: new("newer")})
		l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node == "a" })
		l.loseTail(f.numEntries() - before)
		f.sleep(1500)
		check(t, "the older one is in the log", len(older), 1)
		l.setFaults(nil, nil)
		f.sleep(6000)
		check(t, "title", f.requireAgreement(crew...).StreamBySession(sessionID(1)).Title, "newer")
	})
}

// doInBackground runs a command, and returns a channel that gets a value when it is answered.
func doInBackground(n *Node, c presence.Command) (answered <-chan struct{}) {
	done := make(chan struct{}, 1)
	go func() {
		_, _ = n.Do(context.Background(), c)
		done <- struct{}{}
	}()
	return done
}
