package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"onair/hub/wire"
	"onair/server/nodetest"
)

// crew is who uses a fleet while it fails: performers who are live on all nodes,
// and spectators on all nodes who keep the list. None of them may see a
// performer leave who beats.
type crew struct {
	*fleet
	ctx   context.Context
	tasks sync.WaitGroup
	// resting: whoever has nothing under way begins nothing new.
	resting atomic.Bool
	faults  atomic.Int64

	spectators []*spectator

	company sync.Mutex // guards people
	people  []*performer
}

// performers are all there have been.
func (c *crew) performers() []*performer {
	c.company.Lock()
	defer c.company.Unlock()
	return slices.Clone(c.people)
}

// board lets the crew in: steady performers who are live all the while, restless
// ones who start, update and stop, and two spectators for each node, of whom one
// wanders from node to node. It returns once the list shows them.
func (f *fleet) board(steady, restless int) *crew {
	f.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &crew{fleet: f, ctx: ctx}
	f.t.Cleanup(func() {
		stop()
		c.tasks.Wait()
	})
	for _, n := range f.all() {
		c.admit(n, false)
		c.admit(n, true)
	}
	c.perform("steady", steady, false)
	c.perform("restless", restless, true)
	c.live(c.people)
	return c
}

// perform lets performers in.
func (c *crew) perform(name string, n int, restless bool) []*performer {
	c.company.Lock()
	defer c.company.Unlock()
	from := len(c.people)
	for range n {
		p := newPerformer(c, fmt.Sprintf("%s%d", name, len(c.people)), restless)
		p.silent = !restless && len(c.people)%2 == 0
		c.people = append(c.people, p)
		c.tasks.Go(p.run)
	}
	return slices.Clone(c.people[from:])
}

// live waits until performers have been live.
func (c *crew) live(who []*performer) {
	c.t.Helper()
	for _, p := range who {
		c.await(p.sub+" to be live", nodetest.ProcessTimeout, func() error {
			if p.begun.Load() == 0 {
				return errors.New("it is not")
			}
			return nil
		})
	}
}

// admit lets a spectator in.
func (c *crew) admit(home *fleetNode, wanders bool) {
	s := newSpectator(c, home, wanders)
	c.spectators = append(c.spectators, s)
	c.tasks.Go(s.run)
}

// fault fails the test for what nobody should see. A crew that sees one thing
// go wrong sees much: only the first is said.
func (c *crew) fault(format string, args ...any) {
	if c.faults.Add(1) <= 8 {
		c.t.Errorf("%v: "+format, append([]any{time.Since(c.began).Round(time.Millisecond)}, args...)...)
	}
}

// rest has nothing new begun, and waits until nothing is under way.
func (c *crew) rest() {
	c.t.Helper()
	c.resting.Store(true)
	c.await("all requests to be answered", nodetest.ProcessTimeout, func() error {
		for _, p := range c.performers() {
			if p.standing().next != nil {
				return fmt.Errorf("%s waits for an answer", p.sub)
			}
		}
		return nil
	})
}

// ban bans a performer, and returns once that is acknowledged.
func (c *crew) ban(p *performer) {
	c.t.Helper()
	p.unwanted.Store(true)
	c.await(p.sub+" to be banned", nodetest.ProcessTimeout, func() error { return c.fleet.ban(c.another(nil), p.sub) })
	p.dismiss()
}

// holds tells, by an error, that a node's list is not what was acknowledged, as
// far as no request is under way.
func (c *crew) holds(n *fleetNode) error {
	people := c.performers()
	var before []standing
	for _, p := range people {
		before = append(before, p.standing())
	}
	page, err := c.page(n)
	if err != nil {
		return err
	}
	var wrong []string
	for i, p := range people {
		e, live := page["8888_"+p.sub]
		got := shown{live, e.Title}
		if !before[i].allows(got) && !p.standing().allows(got) {
			wrong = append(wrong, fmt.Sprintf("%s is listed as %+v, acknowledged as %+v", p.sub, got, before[i].acked))
		}
		if p.banned.Load() {
			if err := c.banned(n, p.sub); err != nil {
				wrong = append(wrong, err.Error())
			}
		}
	}
	if wrong != nil {
		return fmt.Errorf("%s: %s", n.name, strings.Join(wrong, "; "))
	}
	return nil
}

// healing is the promise: what was acknowledged holds again within five seconds.
const healing = 5 * time.Second

// slack is for processes that wait for one of two busy processors, race detector
// and all.
const slack = 5 * time.Second

// heals waits until every node has all that was acknowledged, since a time at
// which the fault was over. Then the restless go on.
func (c *crew) heals(since time.Time) {
	c.t.Helper()
	c.resting.Store(true)
	defer c.resting.Store(false)
	c.await("all that was acknowledged to hold", nodetest.ProcessTimeout, func() error { return c.each(c.holds) })
	took := time.Since(since)
	c.t.Logf("all that was acknowledged holds %v after the fault was over", took.Round(time.Millisecond))
	if took > healing+slack {
		c.t.Errorf("it took %v until all that was acknowledged held, want %v at most", took, healing)
	}
}

// settles waits until every node and every spectator has the same list, in which
// all holds that was acknowledged, and nothing is under way.
func (c *crew) settles() {
	c.t.Helper()
	c.rest()
	c.await("all lists to be the same", nodetest.ProcessTimeout, func() error {
		if err := c.each(c.holds); err != nil {
			return err
		}
		var first map[string]wire.Entry
		for _, n := range c.all() {
			page, err := c.page(n)
			if err != nil {
				return err
			}
			if first == nil {
				first = page
			}
			if d := difference(first, page); d != "" {
				return fmt.Errorf("%s has another list: %s", n.name, d)
			}
		}
		for i, s := range c.spectators {
			if d := difference(first, s.shows()); d != "" {
				return fmt.Errorf("spectator %d at %s has another list: %s", i, s.whereabouts(), d)
			}
		}
		return nil
	})
	c.report()
}

// report says what the crew went through.
func (c *crew) report() {
	var moved, held, diffs, snapshots int64
	for _, p := range c.performers() {
		moved, held = moved+p.moved.Load(), held+p.held.Load()
	}
	for _, s := range c.spectators {
		diffs, snapshots = diffs+s.diffs.Load(), snapshots+s.snapshots.Load()
	}
	c.t.Logf("%d moves to another node, %d beats held; %d resumes with a diff, %d with a snapshot", moved, held, diffs, snapshots)
}

// unharmed sees that no node counts a session as ended by silence.
func (c *crew) unharmed() {
	c.t.Helper()
	for _, reason := range []string{wire.EndMissedBeats, wire.EndStreamLost} {
		if n := c.sum(`onair_ends_total{list="live",reason="` + reason + `"}`); n != 0 {
			c.t.Errorf("%v sessions ended for %s", n, reason)
		}
	}
	if n := c.sum("onair_digest_mismatches_total"); n != 0 {
		c.t.Errorf("the registries of two nodes differed %v times", n)
	}
}

// notices is how often anchors were told that their node is degraded.
func (c *crew) notices() (n int64) {
	for _, p := range c.performers() {
		n += p.notices.Load()
	}
	return n
}

// heldBeats is how many beats were answered as held.
func (c *crew) heldBeats() (n int64) {
	for _, p := range c.performers() {
		n += p.held.Load()
	}
	return n
}

// steady is how many performers are live all the while.
func (c *crew) steady() (n int) {
	for _, p := range c.performers() {
		if !p.restless && !p.unwanted.Load() {
			n++
		}
	}
	return n
}

// wasLedOn sees that most of the spectators who came to another node went on with
// a diff. A list so small is at times shorter than what has changed in it.
func (c *crew) wasLedOn() {
	c.t.Helper()
	var diffs, snapshots int64
	for _, s := range c.spectators {
		diffs, snapshots = diffs+s.diffs.Load(), snapshots+s.snapshots.Load()
	}
	if diffs < 4*snapshots || diffs == 0 {
		c.t.Errorf("%d resumes with a diff, %d with a snapshot", diffs, snapshots)
	}
}

// difference is empty for lists that are the same.
func difference(a, b map[string]wire.Entry) string {
	for code, x := range a {
		if y, there := b[code]; !there {
			return code + " is not there"
		} else if !reflect.DeepEqual(x, y) {
			return fmt.Sprintf("%+v is %+v", x, y)
		}
	}
	for code := range b {
		if _, there := a[code]; !there {
			return code + " is there"
		}
	}
	return ""
}

// jitter waits a random time up to d, unless ctx ends.
func jitter(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(d)):
	}
}
