package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
)

// fleet is three nodes on one log, and what their views were told.
type fleet struct {
	t     *testing.T
	log   *memLog
	nodes map[string]*Node
	stops map[string]func() error

	mu    sync.Mutex      // guards all below
	held  map[string]bool // by node: between Hold and Rebuilt
	shown map[string]bool // by node and code: what views show
	gone  []string        // what they saw leave
}

var crew = []string{"a", "b", "c"}

func newFleet(t *testing.T, l *memLog, knows uint64) *fleet {
	f := &fleet{t: t, log: l, nodes: map[string]*Node{}, stops: map[string]func() error{}, held: map[string]bool{}, shown: map[string]bool{}}
	for _, name := range crew {
		f.run(name, knows)
	}
	f.pass(3500)
	return f
}

// run starts a node that knows rules up to a version.
func (f *fleet) run(name string, knows uint64) {
	f.t.Helper()
	f.nodes[name], f.stops[name] = run(f.t, f.log, Config{
		Name: name, Shared: true, knows: knows,
		OnFreeze: func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.held[name] = true
		},
		OnRebuilt: func(r *presence.Registry) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.held[name] = false
			f.show(name, r)
		},
		OnApplied: func(a Applied) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if a.Frozen != f.held[name] {
				f.t.Errorf("%s: hold is %v, an entry says %v", name, f.held[name], a.Frozen)
			}
			for _, c := range a.Changes {
				if f.held[name] {
					break
				}
				if c.New != nil {
					f.shown[name+c.New.Code] = true
				} else {
					delete(f.shown, name+c.Old.Code)
					f.gone = append(f.gone, c.Old.Code)
				}
			}
		},
	})
}

func (f *fleet) holds(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held[name]
}

// left are the codes that views saw leave, since so many had.
func (f *fleet) left(since int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.gone[since:])
}

func (f *fleet) shows(name, code string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shown[name+code]
}

// show has the views of a node show a whole list.
func (f *fleet) show(name string, r *presence.Registry) {
	for key := range f.shown {
		if key[:1] == name && r.Stream(key[1:]) == nil {
			delete(f.shown, key)
			f.gone = append(f.gone, key[1:])
		}
	}
	for st := range r.Streams() {
		f.shown[name+st.Code] = true
	}
}

func (f *fleet) pass(ms int) {
	time.Sleep(time.Duration(ms)*time.Millisecond + time.Microsecond)
	synctest.Wait()
}

func (f *fleet) do(name string, c presence.Command) presence.Result {
	f.t.Helper()
	r, err := f.nodes[name].Do(f.t.Context(), c)
	if err != nil {
		f.t.Fatalf("%T through %s: %v", c, name, err)
	}
	synctest.Wait()
	return r
}

// entries is how many the log holds.
func (f *fleet) entries() int {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	return len(f.log.entries)
}

// agree sees that all nodes have come to the same list, and gives it.
func (f *fleet) agree(names ...string) (r *presence.Registry) {
	f.t.Helper()
	for _, name := range names {
		f.nodes[name].Read(func(have *presence.Registry) {
			check(f.t, name+" has read as far", have.Num(), uint64(f.entries()))
			if r == nil {
				var err error
				if r, err = presence.DecodeRegistry(have.Encode()); err != nil {
					f.t.Fatal(err)
				}
			}
			equal(f.t, name, have, r)
		})
		check(f.t, name+" holds", f.holds(name), false)
	}
	return r
}

// What was done in the tail that a log loses holds again a few ticks later, on
// every node, and no view has seen it undone.
func TestLostTailIsPutBack(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		for n := 1; n <= 4; n++ {
			f.do("a", started(n, fmt.Sprint("old", n)))
		}
		f.do("b", &presence.Ban{Anchor: "forgiven", By: "op"})
		f.pass(1000)
		before := f.entries()
		f.do("a", started(10, "ann"))
		f.do("b", started(11, "bob"))
		f.do("b", &presence.Stop{Session: id(1), By: "op", Reason: presence.Kicked})
		f.do("c", &presence.Update{Session: id(2), Title: new("changed")})
		f.do("a", &presence.Ban{Anchor: "old3", By: "op"})
		f.do("a", &presence.Unban{Anchor: "forgiven"})
		f.do("b", &presence.Resume{Session: id(4), Anchor: "old4", Holder: "another"})
		f.nodes["a"].Like(id(2), 5)
		f.nodes["b"].Viewers(id(2), 7)
		f.pass(1000)
		began := f.do("c", started(10, "ann")).Stream.StartedAt
		gone := len(f.left(0))
		l.lose(f.entries() - before)
		f.pass(200)
		check(t, "all hold", f.holds("a") && f.holds("b") && f.holds("c"), true)
		f.pass(3900)
		r := f.agree(crew...)
		for n, want := range map[int]string{1: "kicked", 2: "live", 3: "banned", 4: "live", 10: "starting", 11: "starting"} {
			got := ""
			if st := r.Session(id(n)); st != nil {
				got = st.State.String()
			} else if e := r.Ended(id(n)); e != nil {
				got = e.Reason.String()
			}
			check(t, fmt.Sprint("session ", n), got, want)
		}
		check(t, "title", r.Session(id(2)).Title, "changed")
		check(t, "likes", r.Session(id(2)).Likes, 5)
		check(t, "viewers", r.Session(id(2)).Viewers, 7)
		check(t, "holder", r.Holder(id(4)), "another")
		check(t, "start", r.Session(id(10)).StartedAt, began)
		_, banned := r.Banned("old3")
		check(t, "ban", banned, true)
		_, banned = r.Banned("forgiven")
		check(t, "unban", banned, false)
		check(t, "key of a start", f.do("c", started(11, "bob")).Again, true)
		check(t, "what views saw leave", fmt.Sprint(f.left(gone)), "[]")
		for _, name := range crew {
			check(t, name+" shows ann", f.shows(name, "8888_ann"), true)
			check(t, name+" shows who was stopped", f.shows(name, "8888_old1"), false)
		}
	})
}

// What only a node heard that is gone as well is put back by the others.
func TestLostTailOfALostNode(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		before := f.entries()
		f.do("c", started(1, "ann"))
		l.set(nil, func(s presence.Sealed) bool { return s.Node != "c" }) // it is heard no more
		l.lose(f.entries() - before)
		f.pass(1000)
		f.nodes["a"].Read(func(r *presence.Registry) { check(t, "at first nobody puts it back", r.Session(id(1)) == nil, true) })
		f.pass(4000)
		r := f.agree("a", "b")
		check(t, "put back", r.Session(id(1)) != nil, true)
		check(t, "nobody saw it leave", len(f.left(0)), 0)
	})
}

// A node that leaves while it puts back what was lost does so at once.
func TestLostTailOfALeavingNode(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		before := f.entries()
		f.do("c", started(1, "ann"))
		l.set(nil, func(s presence.Sealed) bool { return s.Node == "a" }) // the others are heard no more
		l.lose(f.entries() - before)
		f.pass(600)
		f.nodes["a"].Read(func(r *presence.Registry) { check(t, "at first nobody puts it back", r.Session(id(1)) == nil, true) })
		if err := f.stops["a"](); err != nil {
			t.Error(err)
		}
		r := presence.NewRegistry()
		for _, e := range l.entries {
			if _, err := r.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		check(t, "put back", r.Session(id(1)) != nil, true)
	})
}

// A loss that comes upon another one, and takes more, is made good with it.
func TestLossUponLoss(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		f.do("a", started(1, "ann"))
		f.pass(2000)
		before := f.entries()
		f.do("b", started(2, "bob"))
		f.do("c", &presence.Update{Session: id(1), Title: new("older")})
		l.lose(f.entries() - before)
		f.pass(600)
		f.do("c", &presence.Update{Session: id(1), Title: new("newer")})
		l.lose(f.entries() - before + 4)
		f.pass(6000)
		r := f.agree(crew...)
		check(t, "live", r.Len(), 2)
		check(t, "title", r.Session(id(1)).Title, "newer")
		check(t, "what views saw leave", fmt.Sprint(f.left(0)), "[]")
	})
}

// The rules are raised again when the log has lost that they were: only then can
// the nodes read what is put back.
func TestLostRaise(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		f.do("a", started(1, "ann"))
		check(t, "raised", f.agree(crew...).Rules(), presence.Rules)
		l.lose(f.entries() - 2)
		f.pass(5000)
		r := f.agree(crew...)
		check(t, "raised again", r.Rules(), presence.Rules)
		check(t, "live", r.Len(), 1)
		check(t, "what views saw leave", fmt.Sprint(f.left(0)), "[]")
	})
}

// A log that has lost everything goes on with the list of the first node that
// looks, and the others add what that one lacks.
func TestEmptiedLog(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		for n := 1; n <= 3; n++ {
			f.do(crew[n-1], started(n, fmt.Sprint("anchor", n)))
		}
		f.do("a", &presence.Stop{Session: id(3)})
		f.pass(1000)
		num, gone := f.entries(), len(f.left(0))
		l.empty()
		f.pass(5000)
		r := f.agree(crew...)
		check(t, "goes on", r.Num() > uint64(num), true)
		check(t, "live", r.Len(), 2)
		check(t, "stopped", r.Ended(id(3)).Reason, presence.Stopped)
		check(t, "what views saw leave", fmt.Sprint(f.left(gone)), "[]")
		f.do("b", started(4, "dan"))
		f.agree(crew...)
	})
}

// While what was lost may yet be put back nobody is told that a session is
// gone; a start in the new history counts more than what was lost.
func TestHolding(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		before := f.entries()
		f.do("c", started(1, "ann"))
		f.do("c", started(2, "bob"))
		l.set(nil, func(s presence.Sealed) bool { return s.Node != "c" })
		l.lose(f.entries() - before)
		f.pass(1100)
		if _, err := f.nodes["a"].Do(t.Context(), &presence.Resume{Session: id(1), Anchor: "ann", Holder: "x"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a resume meanwhile: %v", err)
		}
		if r, err := f.nodes["b"].Do(t.Context(), started(3, "bob")); err != nil || r.Stream.Session != id(3) {
			t.Errorf("a start meanwhile: %+v, %v", r, err)
		}
		f.pass(5000)
		r := f.agree("a", "b")
		check(t, "put back", r.Session(id(1)) != nil, true)
		check(t, "newer", r.Live("bob").Session, id(3))
		if a := f.do("a", &presence.Resume{Session: id(9), Anchor: "ann"}); a.Refusal != presence.SessionGone {
			t.Errorf("afterwards: %+v", a)
		}
	})
}

// Nodes of two versions share a log. While one of the older lives, nobody writes
// what it cannot read; once there is none the keeper raises the rules, and an
// older one does not go on. Until then the way back is free.
func TestRollingUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		const older, newer = presence.Rules - 1, presence.Rules
		f := newFleet(t, l, older)
		roll := func(name string, knows uint64) {
			t.Helper()
			if err := f.stops[name](); err != nil {
				t.Fatal(err)
			}
			f.run(name, knows)
			f.pass(6000)
			f.agree(crew...)
		}
		// The changed rule: what a loss takes is put back by the newer rules alone.
		lose := func(n int) bool {
			t.Helper()
			before := f.entries()
			f.do("b", started(n, fmt.Sprint("anchor", n)))
			l.lose(f.entries() - before)
			f.pass(6000)
			return f.agree(crew...).Session(id(n)) != nil
		}
		rules := func() uint64 { return f.agree(crew...).Rules() }
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
		f.pass(askEvery)
		check(t, "all are newer", rules(), newer)
		check(t, "by the newer rules", lose(4), true)
		if err := f.stops["c"](); err != nil {
			t.Fatal(err)
		}
		n, err := Join(t.Context(), l, Config{Name: "c", Settings: fast, Shared: true, knows: older})
		if err == nil {
			err = n.Run(t.Context())
		}
		if !errors.Is(err, presence.ErrRules) {
			t.Errorf("an older node: %v", err)
		}
	})
}

// A node whose registry differs from the others' builds it anew.
func TestDiverged(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		f := newFleet(t, l, 0)
		f.do("a", started(1, "ann"))
		n := f.nodes["c"]
		n.mu.Lock()
		wrong, err := presence.DecodeRegistry(bytes.Replace(n.reg.Encode(), []byte("title 1"), []byte("wrong 1"), 1))
		if err != nil {
			t.Fatal(err)
		}
		n.reg = wrong
		n.mu.Unlock()
		for range 15 {
			f.pass(digestEvery / 5)
			f.do("a", &presence.Update{Session: id(1), Title: new("right")})
		}
		r := f.agree(crew...)
		check(t, "title", r.Session(id(1)).Title, "right")
		alive := slices.DeleteFunc(slices.Clone(crew), func(name string) bool { return !r.IsAlive(name) })
		check(t, "nodes", fmt.Sprint(alive, r.Peers()), "[a b c] 3")
	})
}

// However long it takes to put many sessions back, each is put back once, or
// little more: also those that no node heard itself.
func TestManyArePutBackOnce(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		const own, orphans = 4000, 1500
		f := newFleet(t, l, 0)
		f.pass(1000)
		before := f.entries()
		for n := range own {
			f.nodes["a"].Tell(started(2+n, fmt.Sprint("own", n)))
		}
		for n := range orphans {
			f.nodes["c"].Tell(started(2+own+n, fmt.Sprint("orphan", n)))
		}
		f.pass(1000)
		check(t, "streams", f.agree(crew...).Len(), own+orphans)
		f.stops["c"]()
		f.pass(100)
		lost := f.entries() - before
		l.mu.Lock()
		l.takes = 20 * time.Millisecond
		l.mu.Unlock()
		for _, name := range crew[:2] {
			f.nodes[name].cfg.Batch = 8 << 10
		}
		l.lose(lost)
		f.pass(9_000)
		l.mu.Lock()
		l.takes = 0
		l.mu.Unlock()
		f.pass(1_000)
		check(t, "streams", f.agree("a", "b").Len(), own+orphans)
		restores := 0
		for _, b := range l.batches()[before:] {
			for _, c := range b.Commands {
				if _, ok := c.(*presence.Restore); ok {
					restores++
				}
			}
		}
		if most := (own + orphans) * 11 / 10; restores > most {
			t.Errorf("%d sessions were put back %d times", own+orphans, restores)
		}
	})
}

// deafLog is a log whose entries do not reach one node for a while.
type deafLog struct {
	*memLog
	deaf chan struct{} // nil: they do; closed when they do again
}

func (l *deafLog) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		for e, err := range l.memLog.Tail(ctx, after) {
			l.mu.Lock()
			deaf := l.deaf
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

// A command about a session that was missing when the log took it is not
// answered with session_gone by a node that reads of it only when the session has
// been put back.
func TestGoneForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, l *memLog) {
		run(t, l, Config{Name: "a", Shared: true})
		run(t, l, Config{Name: "b", Shared: true})
		log := &deafLog{memLog: l}
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
		if _, err := c.Do(t.Context(), started(1, "ann")); err != nil {
			t.Fatal(err)
		}
		hear := make(chan struct{})
		l.mu.Lock()
		log.deaf = hear
		lost := len(l.entries) - before
		l.mu.Unlock()
		l.lose(lost)
		answered := make(chan error, 1)
		go func() {
			r, err := c.Do(t.Context(), &presence.Update{Session: id(1), Title: new("changed")})
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
		c.Read(func(r *presence.Registry) { check(t, "put back", r.Session(id(1)) != nil, true) })
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
