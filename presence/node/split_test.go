package node

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
)

// fork returns a log that continues separately from this one, as a promoted replica does.
func (l *memoryLog) fork() *memoryLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &memoryLog{
		entries: slices.Clone(l.entries), lastSeqs: maps.Clone(l.lastSeqs), lastIncarnation: l.lastIncarnation,
		losses: l.losses + 1, more: make(chan struct{}), reg: l.reg,
	}
}

// movableLog is a node's handle on a log, which changes when the node reaches another
// server.
type movableLog struct {
	mu    sync.Mutex // guards all below
	log   *memoryLog
	moved chan struct{} // closed by moveTo
}

func newMovableLog(l *memoryLog) *movableLog { return &movableLog{log: l, moved: make(chan struct{})} }

func (m *movableLog) moveTo(l *memoryLog) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = l
	close(m.moved)
	m.moved = make(chan struct{})
}

func (m *movableLog) current() (*memoryLog, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log, m.moved
}

func (m *movableLog) Load(ctx context.Context, have *presence.Registry) (*presence.Registry, uint64, error) {
	l, _ := m.current()
	return l.Load(ctx, have)
}

func (m *movableLog) Join(ctx context.Context, node string, above uint64) (uint64, error) {
	l, _ := m.current()
	return l.Join(ctx, node, above)
}

func (m *movableLog) Append(ctx context.Context, b presence.SealedBatch) error {
	l, _ := m.current()
	return l.Append(ctx, b)
}

func (m *movableLog) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for ctx.Err() == nil {
			l, moved := m.current()
			reading, stop := context.WithCancel(ctx)
			go func() {
				defer stop()
				select {
				case <-moved:
				case <-reading.Done():
				}
			}()
			for e, err := range l.Tail(reading, after) {
				if reading.Err() != nil {
					break // the next log continues
				}
				if after = e; !yield(e, err) {
					stop()
					return
				}
			}
			stop()
		}
	}
}

func (m *movableLog) ConfirmApplied(*presence.Registry, presence.Entry) {}
func (m *movableLog) Close() error                                      { return nil }

// runSplitNode starts a node on a movable log.
func runSplitNode(t *testing.T, m *movableLog, cfg Config) *Node {
	t.Helper()
	cfg.Settings, cfg.Shared = fast, true
	n, err := Join(t.Context(), m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestSplitBrain: node a stays with the old primary, node b follows the new one. Each side
// ends the session whose anchor beats on the other. When a reaches the new primary both are
// live, with their likes and viewers, and no beat was answered with an end.
func TestSplitBrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newMemoryLog()
		logA, logB := newMovableLog(old), newMovableLog(old)
		var left []string // by a's views
		isFrozen := false
		a := runSplitNode(t, logA, Config{
			Name: "a", OnFreeze: func() { isFrozen = true }, OnRebuilt: func(*presence.Registry) { isFrozen = false },
			OnApplied: func(x Applied) {
				for _, c := range x.Changes {
					if c.New == nil && !isFrozen {
						left = append(left, c.Old.Code)
					}
				}
			},
		})
		b := runSplitNode(t, logB, Config{Name: "b"})
		time.Sleep(6 * time.Second) // the rules are raised
		for i, n := range []*Node{a, b} {
			if _, err := n.Do(t.Context(), startOf(i+1, []string{"ann", "bob"}[i])); err != nil {
				t.Fatal(err)
			}
		}
		beat := func(seconds int) {
			for range seconds {
				for i, n := range []*Node{a, b} {
					if r, _, err := n.BeatSession(t.Context(), sessionID(i+1)); err == nil && r.Refusal != presence.Granted {
						t.Errorf("session %d: %v", i+1, r.Refusal)
					}
				}
				time.Sleep(time.Second)
				synctest.Wait()
			}
		}
		a.AddLikes(sessionID(1), 5)
		a.SetViewers(sessionID(1), 2)
		beat(3)
		separate := old.fork()
		logB.moveTo(separate)
		beat(20)
		a.AddLikes(sessionID(1), 3)
		beat(1)
		b.Read(func(r *presence.Registry) {
			check(t, "ended by b", r.EndedSession(sessionID(1)).Reason, presence.MissedBeats)
		})
		a.Read(func(r *presence.Registry) {
			check(t, "ended by a", r.EndedSession(sessionID(2)).Reason, presence.MissedBeats)
		})
		logA.moveTo(separate)
		beat(20)
		for name, n := range map[string]*Node{"a": a, "b": b} {
			n.Read(func(r *presence.Registry) {
				for id := 1; id <= 2; id++ {
					if st := r.StreamBySession(sessionID(id)); st == nil || st.State != presence.Live {
						t.Errorf("%s: session %d is %+v", name, id, st)
					}
				}
				if st := r.StreamBySession(sessionID(1)); st != nil && (st.Likes != 8 || st.Viewers != 2) {
					t.Errorf("%s: %d likes, %d viewers", name, st.Likes, st.Viewers)
				}
			})
		}
		if !slices.Equal(left, []string{"8888_bob"}) { // during the partition
			t.Errorf("a's views saw %q leave", left)
		}
	})
}
