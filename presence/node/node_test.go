package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
)

var fast = presence.Settings{Revision: 1, Interval: 4_000, Missed: 3, Grace: 400}

// runNode starts a node in a bubble. The returned function stops it and returns
// Run's error.
func runNode(t *testing.T, l *memoryLog, cfg Config) (*Node, func() error) {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "a"
	}
	if cfg.Settings == (presence.Settings{}) {
		cfg.Settings = fast
	}
	n, err := Join(t.Context(), l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	synctest.Wait()
	var once bool
	stop := func() error {
		if once {
			return nil
		}
		once = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { cancel() })
	return n, stop
}

func inBubble(t *testing.T, f func(t *testing.T, l *memoryLog)) {
	synctest.Test(t, func(t *testing.T) { f(t, newMemoryLog()) })
}

func TestNodeAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		var seen []Applied
		n, stop := runNode(t, l, Config{OnApplied: func(a Applied) { seen = append(seen, a) }})
		n.Read(func(r *presence.Registry) { check(t, "settings", r.Settings(), fast) })
		began := time.Now()
		r, err := n.Do(t.Context(), startOf(1, "ann"))
		if err != nil || r.Stream.Session != sessionID(1) {
			t.Fatalf("%+v %v", r, err)
		}
		check(t, "at once", time.Since(began), 0)
		synctest.Wait()
		check(t, "applied first", seen[len(seen)-1].Changes[0].New, r.Stream)
		r, err = n.Do(t.Context(), &presence.Stop{Session: sessionID(2)})
		if err != nil || r.Refusal != presence.SessionGone {
			t.Errorf("%+v %v", r, err)
		}
		n.Enqueue(&presence.Observe{Session: sessionID(1), Source: presence.FromSocket, Signal: presence.Detached})
		time.Sleep(1_001 * time.Millisecond)
		synctest.Wait()
		n.Read(func(r *presence.Registry) {
			check(t, "detached", r.Evidence(sessionID(1))[1].Signal, presence.Detached)
		})
		if err := stop(); err != nil {
			t.Errorf("run: %v", err)
		}
		all := l.batches()
		last := all[len(all)-1]
		if _, ok := last.Commands[0].(*presence.Leave); !ok {
			t.Errorf("the last batch is %+v", last)
		}
		if _, err = n.Do(t.Context(), startOf(3, "bob")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestNodeBeats(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		r, _ := n.Do(t.Context(), startOf(1, "ann"))
		time.Sleep(300 * time.Millisecond)
		held, known := n.Beat(r.Lease)
		check(t, "held", held, false)
		check(t, "known", known, true)
		_, known = n.Beat(presence.Lease{Index: 7, Tag: 7})
		check(t, "another's", known, false)
		n.Beat(r.Lease)
		time.Sleep(500 * time.Millisecond)
		n.Read(func(r *presence.Registry) {
			check(t, "not before the tick", r.StreamBySession(sessionID(1)).State, presence.Starting)
		})
		time.Sleep(201 * time.Millisecond)
		all := l.batches()
		want := []presence.Beat{{Lease: r.Lease, Age: 700}}
		if got := all[len(all)-1].Beats; !slices.Equal(got, want) {
			t.Errorf("beats %v, want %v", got, want)
		}
		n.Read(func(r *presence.Registry) { check(t, "renewed", r.StreamBySession(sessionID(1)).State, presence.Live) })
		time.Sleep(100 * time.Millisecond)
		n.Beat(r.Lease)
		n.AddLikes(sessionID(1), 3)
		stop()
		all = l.batches()
		if last := all[len(all)-1]; len(last.Beats) != 1 || len(last.Likes) != 1 {
			t.Errorf("what waited is not appended at the end: %+v", last)
		}
	})
}

func TestNodeIsolated(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		r, _ := n.Do(t.Context(), startOf(1, "ann"))
		l.setFaults(nil, func(presence.SealedBatch) bool { return false }) // accepted, never seen
		time.Sleep(1_999 * time.Millisecond)
		check(t, "within half an interval", n.IsIsolated(), false)
		time.Sleep(1_002 * time.Millisecond)
		held, _ := n.Beat(r.Lease)
		check(t, "after it", held, true)
		check(t, "after it", n.IsIsolated(), true)
		l.setFaults(nil, nil)
		time.Sleep(1_001 * time.Millisecond)
		check(t, "no longer isolated", n.IsIsolated(), false)
		if _, err := n.Do(t.Context(), &presence.SetSettings{Settings: presence.Settings{Revision: 2, Interval: 30_000, Missed: 3}}); err != nil {
			t.Fatal(err)
		}
		l.setFaults(nil, func(presence.SealedBatch) bool { return false })
		time.Sleep(9 * time.Second)
		check(t, "by the log's own settings", n.IsIsolated(), false)
		time.Sleep(2 * time.Second)
		check(t, "ten seconds at most", n.IsIsolated(), true)
		stop()
	})
}

func TestNodeUnavailable(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		r, err := n.Do(t.Context(), startOf(1, "ann"))
		if err != nil {
			t.Fatal(err)
		}
		l.setFaults(func(b presence.SealedBatch) error { // a full disk
			if b.Durable {
				return presence.ErrNotWritten
			}
			return nil
		}, nil)
		resumed := make(chan error, 1)
		go func() {
			_, err := n.Do(t.Context(), &presence.Resume{Session: sessionID(1), Anchor: "ann", Socket: "c"})
			resumed <- err
		}()
		n.Beat(r.Lease)
		n.SetViewers(sessionID(1), 2)
		n.AddLikes(sessionID(1), 1)
		for range 5 {
			if _, err := n.Do(t.Context(), startOf(2, "bob")); !errors.Is(err, ErrUnavailable) {
				t.Errorf("durable: %v", err)
			}
			time.Sleep(500 * time.Millisecond)
		}
		if err := <-resumed; err != nil {
			t.Errorf("resume: %v", err)
		}
		n.Read(func(r *presence.Registry) {
			st := r.StreamBySession(sessionID(1))
			check(t, "goes on", fmt.Sprint(st.State, st.Viewers, st.Likes), "live 2 1")
			check(t, "not applied", r.StreamBySession(sessionID(2)) == nil, true)
		})
		l.setFaults(nil, nil)
		if _, err := n.Do(t.Context(), startOf(2, "bob")); err != nil {
			t.Errorf("after: %v", err)
		}
		for i, b := range l.batches() {
			check(t, "number", b.Seq, uint64(i+1))
		}
		l.setFaults(func(presence.SealedBatch) error { return presence.ErrNotWritten }, nil) // the log is unreachable
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := n.Do(ctx, &presence.Resume{Session: sessionID(1), Anchor: "ann", Socket: "c"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("withdrawn: %v", err)
		}
		stop()
	})
}

func TestNodeUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		before := len(l.appended)
		l.setFaults(func(presence.SealedBatch) error { return errors.New("timed out") }, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := n.Do(ctx, startOf(1, "ann")); !errors.Is(err, ErrUnknown) {
			t.Errorf("on its way: %v", err)
		}
		queued, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Do(queued, startOf(2, "bob")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("not on its way: %v", err)
		}
		l.mu.Lock()
		tries := slices.Clone(l.appended[before:])
		l.mu.Unlock()
		if len(tries) < 4 {
			t.Fatalf("%d tries", len(tries))
		}
		for _, s := range tries {
			if s.Seq != tries[0].Seq || !bytes.Equal(s.Bytes, tries[0].Bytes) {
				t.Errorf("other bytes or number: %d, first %d", s.Seq, tries[0].Seq)
			}
		}
		l.setFaults(nil, nil)
		time.Sleep(1_100 * time.Millisecond)
		n.Read(func(r *presence.Registry) { check(t, "took effect", r.StreamBySession(sessionID(1)) != nil, true) })
		l.setFaults(nil, func(presence.SealedBatch) bool { return false })
		last := make(chan error, 1)
		go func() {
			_, err := n.Do(context.Background(), startOf(3, "cid"))
			last <- err
		}()
		synctest.Wait()
		stop()
		if err := <-last; !errors.Is(err, ErrUnknown) {
			t.Errorf("at the end: %v", err)
		}
	})
}

// TestNodeDeclaredLost: a node that was declared lost rejoins; no command is
// lost or applied twice.
func TestNodeDeclaredLost(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		_, _ = n.Do(t.Context(), startOf(1, "ann"))
		_, _ = n.Do(t.Context(), startOf(3, "cat"))
		n.SetViewers(sessionID(1), 3)
		n.SetViewers(sessionID(3), 4)
		n.AddLikes(sessionID(1), 2)
		l.mu.Lock() // a batch of its own comes twice
		l.appendEntry(presence.SealedBatch{Node: "a", Incarnation: 1, Seq: l.lastSeqs[nodeIncarnation{"a", 1}], Bytes: l.entries[len(l.entries)-1].Batch})
		l.mu.Unlock()
		time.Sleep(1_100 * time.Millisecond)
		check(t, "not isolated", n.IsIsolated(), false)
		n.Read(func(r *presence.Registry) { check(t, "incarnation", r.Incarnation("a"), 1) })
		b, stopB := runNode(t, l, Config{Name: "b"})
		l.setFaults(nil, func(s presence.SealedBatch) bool { return s.Node != "a" })
		n.SetViewers(sessionID(3), 0) // is lost with its batch
		time.Sleep(5 * time.Second)
		b.Read(func(r *presence.Registry) { check(t, "lost", r.LivingNodeCount(), 1) })
		l.setFaults(nil, nil)
		answered := make(chan presence.Result, 1)
		go func() {
			r, err := n.Do(t.Context(), startOf(2, "bob"))
			if err != nil {
				t.Error(err)
			}
			answered <- r
		}()
		time.Sleep(3 * time.Second)
		check(t, "answered", (<-answered).Stream.Session, sessionID(2))
		n.Read(func(r *presence.Registry) {
			check(t, "back", r.LivingNodeCount(), 2)
			check(t, "another incarnation", r.Incarnation("a") > 1, true)
			check(t, "viewers", r.StreamBySession(sessionID(1)).Viewers, 3)
			check(t, "viewers that went meanwhile", r.StreamBySession(sessionID(3)).Viewers, 0)
			check(t, "likes", r.StreamBySession(sessionID(1)).Likes, 2)
		})
		if err := stop(); err != nil {
			t.Error(err)
		}
		stopB()
	})
}

// TestNodeRequeuesLostBatches: what the log accepted and lost before the node
// read it is appended again when the log shows a later batch: commands, in
// order, and counts.
func TestNodeRequeuesLostBatches(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		_, _ = n.Do(t.Context(), startOf(1, "ann"))
		time.Sleep(1_500 * time.Millisecond)
		l.setFaults(nil, func(presence.SealedBatch) bool { return false }) // taken, and lost
		n.SetViewers(sessionID(1), 3)
		n.AddLikes(sessionID(1), 2)
		n.Enqueue(&presence.Observe{Session: sessionID(1), Source: presence.FromSocket, Signal: presence.Detached})
		answers := make(chan presence.Result, 2)
		for i := range 2 {
			go func() {
				r, err := n.Do(t.Context(), startOf(2+i, fmt.Sprint("anchor", i)))
				if err != nil {
					t.Error(err)
				}
				answers <- r
			}()
		}
		time.Sleep(time.Second)
		n.Read(func(r *presence.Registry) {
			check(t, "lost", r.StreamBySession(sessionID(1)).Viewers+r.StreamBySession(sessionID(1)).Likes, 0)
			check(t, "lost", r.StreamBySession(sessionID(2)) == nil, true)
		})
		l.setFaults(nil, nil)
		time.Sleep(1_100 * time.Millisecond)
		check(t, "answered", len(answers), 2)
		time.Sleep(time.Second)
		n.Read(func(r *presence.Registry) {
			check(t, "viewers", r.StreamBySession(sessionID(1)).Viewers, 3)
			check(t, "likes", r.StreamBySession(sessionID(1)).Likes, 2)
			check(t, "detached", r.Evidence(sessionID(1))[1].Signal, presence.Detached)
			check(t, "both", r.StreamBySession(sessionID(2)) != nil && r.StreamBySession(sessionID(3)) != nil, true)
		})
		b, _ := n.Do(t.Context(), startOf(2, "anchor0"))
		check(t, "once", b.Repeated, true)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestUndecidedAppendIsNotRefused: an append that may have been ordered is not
// refused because a later attempt certainly was not.
func TestUndecidedAppendIsNotRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		tries := 0
		l.setFaults(func(b presence.SealedBatch) error {
			if !b.Durable {
				return nil
			}
			if tries++; tries == 1 {
				return errors.New("timed out")
			}
			return presence.ErrNotWritten
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := n.Do(ctx, startOf(1, "ann")); !errors.Is(err, ErrUnknown) {
			t.Errorf("got %v", err)
		}
		stop()
	})
}

// TestNodeLateResume: a resume without an answer, which is applied after its
// client has used another node, leaves the session there.
func TestNodeLateResume(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		a, stopA := runNode(t, l, Config{})
		b, stopB := runNode(t, l, Config{Name: "b"})
		_, _ = a.Do(t.Context(), startOf(1, "ann"))
		l.setFaults(func(s presence.SealedBatch) error {
			if s.Node == "a" {
				return errors.New("no answer")
			}
			return nil
		}, nil)
		late := make(chan presence.Result, 1)
		go func() {
			r, _ := a.Do(context.Background(), &presence.Resume{Session: sessionID(1), Anchor: "ann", Socket: "at a"})
			late <- r
		}()
		time.Sleep(500 * time.Millisecond)
		if r, err := b.Do(t.Context(), &presence.Resume{Session: sessionID(1), Anchor: "ann", Socket: "at b"}); err != nil || r.Refusal != presence.Granted {
			t.Fatalf("%+v %v", r, err)
		}
		l.setFaults(nil, nil)
		check(t, "the late one", (<-late).Refusal, presence.Superseded)
		b.Read(func(r *presence.Registry) { check(t, "holder", r.LastAttachedSocket(sessionID(1)), "at b") })
		stopA()
		stopB()
	})
}

// TestNodeLeavesWithManyBeats: a leaving node first appends all its beats,
// however many batches that takes.
func TestNodeLeavesWithManyBeats(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{BatchBytes: 60 * maxBeatBytes})
		var leases []presence.Lease
		for i := range 200 {
			r, err := n.Do(t.Context(), startOf(i, fmt.Sprint("anchor", i)))
			if err != nil {
				t.Fatal(err)
			}
			leases = append(leases, r.Lease)
		}
		time.Sleep(1_500 * time.Millisecond)
		before := len(l.batches())
		for _, lease := range leases {
			n.Beat(lease)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		beats, all := 0, l.batches()[before:]
		for _, b := range all {
			beats += len(b.Beats)
		}
		check(t, "beats", beats, len(leases))
		last := all[len(all)-1]
		_, leaves := last.Commands[len(last.Commands)-1].(*presence.Leave)
		check(t, "leaves last", leaves, true)
	})
}

// TestNodeSuperseded: another process of the same name ends the older one.
func TestNodeSuperseded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		_, stop := runNode(t, l, Config{})
		_, stop2 := runNode(t, l, Config{})
		time.Sleep(2 * time.Second)
		if err := stop(); !errors.Is(err, ErrSuperseded) {
			t.Errorf("the older one ends with %v", err)
		}
		if err := stop2(); err != nil {
			t.Errorf("the newer one ends with %v", err)
		}
	})
}

func TestNodeSettings(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, stop := runNode(t, l, Config{})
		n.Read(func(r *presence.Registry) { l.reg, _ = presence.DecodeRegistry(r.Encode()) })
		l.loadsNoTail = true
		other, newer := fast, fast
		other.Missed = 2
		newer.Missed, newer.Revision = 5, 2
		for _, c := range []struct {
			cfg  Config
			want error
		}{
			{Config{Name: "b", Settings: other}, presence.ErrSettingsConflict},
			{Config{Name: "b", Settings: presence.Settings{}}, presence.ErrInvalidSettings},
		} {
			if _, err := Join(t.Context(), l, c.cfg); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		}
		if _, err := Join(t.Context(), l, Config{Settings: fast}); err == nil {
			t.Error("a node without a name")
		}
		_, stop2 := runNode(t, l, Config{Name: "b", Settings: newer})
		n.Read(func(r *presence.Registry) { check(t, "newer", r.Settings(), newer) })
		// A third read the log before; the same revision, other values.
		newer.Missed = 6
		_, stop3 := runNode(t, l, Config{Name: "c", Settings: newer})
		time.Sleep(time.Second)
		if err := stop3(); !errors.Is(err, presence.ErrSettingsConflict) {
			t.Errorf("a race of two: %v", err)
		}
		stop2()
		stop()
	})
}

// TestNodeStopsWhenLogFails: a log that ends, or that this build cannot read,
// ends the node.
func TestNodeStopsWhenLogFails(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		_, stop := runNode(t, l, Config{})
		l.mu.Lock()
		l.appendEntry(presence.SealedBatch{Node: "z", Seq: 1, Bytes: []byte{99}})
		l.mu.Unlock()
		time.Sleep(time.Second)
		if err := stop(); !errors.Is(err, presence.ErrNewerVersion) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNodeDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		n, err := Join(t.Context(), l, Config{Name: "a", Settings: fast})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.Run(ctx); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestTwoNodes(t *testing.T) {
	inBubble(t, func(t *testing.T, l *memoryLog) {
		a, stopA := runNode(t, l, Config{})
		b, stopB := runNode(t, l, Config{Name: "b"})
		_, _ = a.Do(t.Context(), startOf(1, "ann"))
		b.SetViewers(sessionID(1), 4)
		a.SetViewers(sessionID(1), 1)
		for range 30 {
			if _, _, err := b.BeatSession(t.Context(), sessionID(1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
		}
		time.Sleep(100 * time.Millisecond) // between ticks
		synctest.Wait()
		a.Read(func(x *presence.Registry) {
			b.Read(func(y *presence.Registry) {
				requireEqual(t, "two nodes", x, y)
				check(t, "viewers", x.StreamBySession(sessionID(1)).Viewers, 5)
			})
		})
		_, _ = a.Do(t.Context(), &presence.Stop{Session: sessionID(1)})
		synctest.Wait()
		check(t, "forgotten by the other", len(b.queue.viewers.counts), 0)
		stopB()
		stopA()
	})
}

// TestLeaveAfterUndecidedAppend: a node that stops with an undecided batch
// appends it again before it leaves. Either its acknowledged beats are in the
// log, or it does not leave.
func TestLeaveAfterUndecidedAppend(t *testing.T) {
	for _, reached := range []bool{true, false} {
		inBubble(t, func(t *testing.T, l *memoryLog) {
			n, stop := runNode(t, l, Config{})
			a, _ := n.Do(t.Context(), startOf(1, "ann"))
			time.Sleep(1500 * time.Millisecond)
			var away atomic.Bool
			away.Store(true)
			l.setFaults(func(presence.SealedBatch) error {
				if away.Load() {
					return errors.New("no answer")
				}
				return nil
			}, nil)
			n.Beat(a.Lease)
			time.Sleep(1200 * time.Millisecond) // the beat is on its way
			away.Store(!reached)
			if err := stop(); err != nil {
				t.Error(err)
			}
			beaten, left := 0, false
			for _, b := range l.batches() {
				beaten += len(b.Beats)
				left = left || slices.ContainsFunc(b.Commands, func(c presence.Command) bool { _, is := c.(*presence.Leave); return is })
			}
			check(t, "beats in the log", beaten == 1, reached)
			check(t, "left", left, reached)
		})
	}
}
