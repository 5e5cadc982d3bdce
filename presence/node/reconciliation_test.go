package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"onair/presence"
)

// TestLostTailIsRestored: changes in entries that a log loses are restored a few
// ticks later on every node, and no view shows them undone.
func TestLostTailIsRestored(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		for n := 1; n <= 4; n++ {
			f.mustDo("a", startOf(n, fmt.Sprint("old", n)))
		}
		f.mustDo("b", &presence.Ban{Anchor: "forgiven", By: "op"})
		f.sleep(1000)
		before := f.numEntries()
		f.mustDo("a", startOf(10, "ann"))
		f.mustDo("b", startOf(11, "bob"))
		f.mustDo("b", &presence.Stop{Session: sessionID(1), By: "op", Reason: presence.Kicked})
		f.mustDo("c", &presence.Update{Session: sessionID(2), Title: new("changed")})
		f.mustDo("a", &presence.Ban{Anchor: "old3", By: "op"})
		f.mustDo("a", &presence.Unban{Anchor: "forgiven"})
		f.mustDo("b", &presence.Resume{Session: sessionID(4), Anchor: "old4", Socket: "another"})
		f.nodes["a"].AddLikes(sessionID(2), 5)
		f.nodes["b"].SetViewers(sessionID(2), 7)
		f.sleep(1000)
		began := f.mustDo("c", startOf(10, "ann")).Stream.StartedAt
		gone := len(f.goneSince(0))
		l.loseTail(f.numEntries() - before)
		f.sleep(200)
		check(t, "all hold", f.isFrozen("a") && f.isFrozen("b") && f.isFrozen("c"), true)
		f.sleep(3900)
		r := f.requireAgreement(crew...)
		for n, want := range map[int]string{1: "kicked", 2: "live", 3: "banned", 4: "live", 10: "starting", 11: "starting"} {
			got := ""
			if st := r.StreamBySession(sessionID(n)); st != nil {
				got = st.State.String()
			} else if e := r.EndedSession(sessionID(n)); e != nil {
				got = e.Reason.String()
			}
			check(t, fmt.Sprint("session ", n), got, want)
		}
		check(t, "title", r.StreamBySession(sessionID(2)).Title, "changed")
		check(t, "likes", r.StreamBySession(sessionID(2)).Likes, 5)
		check(t, "viewers", r.StreamBySession(sessionID(2)).Viewers, 7)
		check(t, "holder", r.LastAttachedSocket(sessionID(4)), "another")
		check(t, "start", r.StreamBySession(sessionID(10)).StartedAt, began)
		_, banned := r.ActiveBan("old3")
		check(t, "ban", banned, true)
		_, banned = r.ActiveBan("forgiven")
		check(t, "unban", banned, false)
		check(t, "key of a start", f.mustDo("c", startOf(11, "bob")).Repeated, true)
		check(t, "what views saw leave", fmt.Sprint(f.goneSince(gone)), "[]")
		for _, name := range crew {
			check(t, name+" shows ann", f.isShown(name, "8888_ann"), true)
			check(t, name+" shows who was stopped", f.isShown(name, "8888_old1"), false)
		}
	})
}

// TestLostTailOfALostNode: sessions of a node that is lost as well are restored
// by the others.
func TestLostTailOfALostNode(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		before := f.numEntries()
		f.mustDo("c", startOf(1, "ann"))
		l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node != "c" }) // its appends are lost
		l.loseTail(f.numEntries() - before)
		f.sleep(1000)
		f.nodes["a"].Read(func(r *presence.Registry) {
			check(t, "at first no node restores it", r.StreamBySession(sessionID(1)) == nil, true)
		})
		f.sleep(4000)
		r := f.requireAgreement("a", "b")
		check(t, "restored", r.StreamBySession(sessionID(1)) != nil, true)
		check(t, "nobody saw it leave", len(f.goneSince(0)), 0)
	})
}

// TestLostTailOfALeavingNode: a node that leaves while it reconciles restores
// everything at once.
func TestLostTailOfALeavingNode(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		before := f.numEntries()
		f.mustDo("c", startOf(1, "ann"))
		l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node == "a" }) // the others' appends are lost
		l.loseTail(f.numEntries() - before)
		f.sleep(600)
		f.nodes["a"].Read(func(r *presence.Registry) {
			check(t, "at first no node restores it", r.StreamBySession(sessionID(1)) == nil, true)
		})
		if err := f.stops["a"](); err != nil {
			t.Error(err)
		}
		r := presence.NewRegistry()
		for _, e := range l.entries {
			if _, err := r.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		check(t, "restored", r.StreamBySession(sessionID(1)) != nil, true)
	})
}

// TestLossDuringReconciliation: a second, larger loss during a reconciliation is
// restored as well.
func TestLossDuringReconciliation(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		f.mustDo("a", startOf(1, "ann"))
		f.sleep(2000)
		before := f.numEntries()
		f.mustDo("b", startOf(2, "bob"))
		f.mustDo("c", &presence.Update{Session: sessionID(1), Title: new("older")})
		l.loseTail(f.numEntries() - before)
		f.sleep(600)
		f.mustDo("c", &presence.Update{Session: sessionID(1), Title: new("newer")})
		l.loseTail(f.numEntries() - before + 4)
		f.sleep(6000)
		r := f.requireAgreement(crew...)
		check(t, "live", r.Len(), 2)
		check(t, "title", r.StreamBySession(sessionID(1)).Title, "newer")
		check(t, "what views saw leave", fmt.Sprint(f.goneSince(0)), "[]")
	})
}

// TestLostRaiseIsRestored: a lost raise of the rules is restored first, because
// nodes need it to apply the rest.
func TestLostRaiseIsRestored(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		f.mustDo("a", startOf(1, "ann"))
		check(t, "raised", f.requireAgreement(crew...).Rules(), presence.LatestRules)
		l.loseTail(f.numEntries() - 2)
		f.sleep(5000)
		r := f.requireAgreement(crew...)
		check(t, "raised again", r.Rules(), presence.LatestRules)
		check(t, "live", r.Len(), 1)
		check(t, "what views saw leave", fmt.Sprint(f.goneSince(0)), "[]")
	})
}

// TestEmptiedLog: a log that lost everything continues with the list of the
// first node that loads it, and the others add what that one lacks.
func TestEmptiedLog(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		for n := 1; n <= 3; n++ {
			f.mustDo(crew[n-1], startOf(n, fmt.Sprint("anchor", n)))
		}
		f.mustDo("a", &presence.Stop{Session: sessionID(3)})
		f.sleep(1000)
		num, gone := f.numEntries(), len(f.goneSince(0))
		l.loseAll()
		f.sleep(5000)
		r := f.requireAgreement(crew...)
		check(t, "goes on", r.LastNum() > uint64(num), true)
		check(t, "live", r.Len(), 2)
		check(t, "stopped", r.EndedSession(sessionID(3)).Reason, presence.Stopped)
		check(t, "what views saw leave", fmt.Sprint(f.goneSince(gone)), "[]")
		f.mustDo("b", startOf(4, "dan"))
		f.requireAgreement(crew...)
	})
}

// TestCommandsWhileFrozen: while lost sessions may be restored no client learns
// that one is gone. A start in the new epoch takes precedence over a lost one.
func TestCommandsWhileFrozen(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		before := f.numEntries()
		f.mustDo("c", startOf(1, "ann"))
		f.mustDo("c", startOf(2, "bob"))
		l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node != "c" })
		l.loseTail(f.numEntries() - before)
		f.sleep(1100)
		if _, err := f.nodes["a"].Do(t.Context(), &presence.Resume{Session: sessionID(1), Anchor: "ann", Socket: "x"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a resume meanwhile: %v", err)
		}
		if r, err := f.nodes["b"].Do(t.Context(), startOf(3, "bob")); err != nil || r.Stream.Session != sessionID(3) {
			t.Errorf("a start meanwhile: %+v, %v", r, err)
		}
		f.sleep(5000)
		r := f.requireAgreement("a", "b")
		check(t, "restored", r.StreamBySession(sessionID(1)) != nil, true)
		check(t, "newer", r.StreamByAnchor("bob").Session, sessionID(3))
		if a := f.mustDo("a", &presence.Resume{Session: sessionID(9), Anchor: "ann"}); a.Refusal != presence.SessionGone {
			t.Errorf("afterwards: %+v", a)
		}
	})
}

// TestRollingUpgrade: nodes of two versions share a log. While an older one
// lives, no node writes what it cannot apply. When there is none the leader
// raises the rules, and an older node stops. Until then a downgrade is possible.
func TestRollingUpgrade(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		const older, newer = 1, presence.LatestRules
		f := newFleet(t, l, older)
		roll := func(name string, knows uint64) {
			t.Helper()
			if err := f.stops[name](); err != nil {
				t.Fatal(err)
			}
			f.runNode(name, knows)
			f.sleep(6000)
			f.requireAgreement(crew...)
		}
		// The changed rule: only the newer rules restore what a loss takes.
		lose := func(n int) bool {
			t.Helper()
			before := f.numEntries()
			f.mustDo("b", startOf(n, fmt.Sprint("anchor", n)))
			l.loseTail(f.numEntries() - before)
			f.sleep(6000)
			return f.requireAgreement(crew...).StreamBySession(sessionID(n)) != nil
		}
		rules := func() uint64 { return f.requireAgreement(crew...).Rules() }
		check(t, "by the older rules", lose(1), false)
		roll("a", newer)
		roll("b", newer)
		check(t, "as long as one is older", rules(), older)
		check(t, "by the older rules still", lose(2), false)
		roll("a", older)
		roll("b", older)
		check(t, "back", rules(), older)
		check(t, "by the older rules again", lose(3), false)
		for _, name := range crew {
			roll(name, newer)
		}
		f.sleep(retryInterval)
		check(t, "all are newer", rules(), newer)
		check(t, "by the newer rules", lose(4), true)
		if err := f.stops["c"](); err != nil {
			t.Fatal(err)
		}
		n, err := Join(t.Context(), l, Config{Name: "c", Settings: fast, Shared: true, maxRules: older})
		if err == nil {
			err = n.Run(t.Context())
		}
		if !errors.Is(err, presence.ErrNewerVersion) {
			t.Errorf("an older node: %v", err)
		}
	})
}

// TestDivergedNodeRebuilds: a node whose registry differs from the others'
// rebuilds it.
func TestDivergedNodeRebuilds(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		f := newFleet(t, l, 0)
		f.mustDo("a", startOf(1, "ann"))
		n := f.nodes["c"]
		l.mu.Lock() // the applier waits for entries, and reads them under it before n.reg
		n.mu.Lock() // all others read n.reg under it
		wrong, err := presence.DecodeRegistry(bytes.Replace(n.reg.Encode(), []byte("title 1"), []byte("wrong 1"), 1))
		if err != nil {
			t.Fatal(err)
		}
		n.reg = wrong
		n.mu.Unlock()
		l.mu.Unlock()
		for range 15 {
			f.sleep(digestInterval / 5)
			f.mustDo("a", &presence.Update{Session: sessionID(1), Title: new("right")})
		}
		r := f.requireAgreement(crew...)
		check(t, "title", r.StreamBySession(sessionID(1)).Title, "right")
		alive := slices.DeleteFunc(slices.Clone(crew), func(name string) bool { return !r.IsAlive(name) })
		check(t, "nodes", fmt.Sprint(alive, r.LivingNodeCount()), "[a b c] 3")
	})
}

// TestManySessionsAreRestoredOnce: however long it takes to restore many
// sessions, few are restored twice, including those of other nodes.
func TestManySessionsAreRestoredOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		const own, orphans = 4000, 1500
		f := newFleet(t, l, 0)
		f.sleep(1000)
		before := f.numEntries()
		for n := range own {
			f.nodes["a"].Enqueue(startOf(2+n, fmt.Sprint("own", n)))
		}
		for n := range orphans {
			f.nodes["c"].Enqueue(startOf(2+own+n, fmt.Sprint("orphan", n)))
		}
		f.sleep(1000)
		check(t, "streams", f.requireAgreement(crew...).Len(), own+orphans)
		f.stops["c"]()
		f.sleep(100)
		lost := f.numEntries() - before
		l.mu.Lock()
		l.appendDuration = 20 * time.Millisecond
		l.mu.Unlock()
		for _, name := range crew[:2] {
			f.nodes[name].cfg.BatchBytes = 8 << 10
		}
		l.loseTail(lost)
		f.sleep(9_000)
		l.mu.Lock()
		l.appendDuration = 0
		l.mu.Unlock()
		f.sleep(1_000)
		check(t, "streams", f.requireAgreement("a", "b").Len(), own+orphans)
		restores := 0
		for _, b := range l.batches()[before:] {
			for _, c := range b.Commands {
				if _, ok := c.(*presence.RestoreSession); ok {
					restores++
				}
			}
		}
		if most := (own + orphans) * 11 / 10; restores > most {
			t.Errorf("%d sessions were restored %d times", own+orphans, restores)
		}
	})
}

// stallingLog is a log whose entries do not reach one node for a while.
type stallingLog struct {
	*memoryLog
	stalled chan struct{} // nil: they do; closed: they do again
}

func (l *stallingLog) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for e, err := range l.memoryLog.Tail(ctx, after) {
			l.mu.Lock()
			deaf := l.stalled
			l.mu.Unlock()
			if deaf != nil {
				select {
				case <-deaf:
				case <-ctx.Done():
					return
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestCommandAboutMissingSession: a command about a session that was missing for
// a while is not answered with session_gone by a node that reads of it after the
// session is restored.
func TestCommandAboutMissingSession(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		runNode(t, l, Config{Name: "a", Shared: true})
		runNode(t, l, Config{Name: "b", Shared: true})
		log := &stallingLog{memoryLog: l}
		c, err := Join(t.Context(), log, Config{Name: "c", Settings: fast, Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(4 * time.Second)
		l.mu.Lock()
		before := len(l.entries)
		l.mu.Unlock()
		if _, err := c.Do(t.Context(), startOf(1, "ann")); err != nil {
			t.Fatal(err)
		}
		hear := make(chan struct{})
		l.mu.Lock()
		log.stalled = hear
		lost := len(l.entries) - before
		l.mu.Unlock()
		l.loseTail(lost)
		answered := make(chan error, 1)
		go func() {
			r, err := c.Do(t.Context(), &presence.Update{Session: sessionID(1), Title: new("changed")})
			if err == nil {
				err = errors.New(r.Refusal.String())
			}
			answered <- err
		}()
		time.Sleep(6 * time.Second)
		close(hear)
		if err := <-answered; !errors.Is(err, ErrUnavailable) {
			t.Errorf("the update: %v", err)
		}
		time.Sleep(time.Second)
		c.Read(func(r *presence.Registry) { check(t, "restored", r.StreamBySession(sessionID(1)) != nil, true) })
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
