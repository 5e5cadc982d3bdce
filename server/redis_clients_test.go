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

// clientGroup are the clients of a fleet during a fault: anchors and viewers on all nodes.
// No viewer may see an anchor leave the list that beats.
type clientGroup struct {
	*fleet
	ctx        context.Context
	tasks      sync.WaitGroup
	isPaused   atomic.Bool // anchors send no new requests
	faultCount atomic.Int64

	viewers []*testViewer

	anchorsMu sync.Mutex // guards anchors
	anchors   []*testAnchor
}

// allAnchors returns all anchors that were started.
func (c *clientGroup) allAnchors() []*testAnchor {
	c.anchorsMu.Lock()
	defer c.anchorsMu.Unlock()
	return slices.Clone(c.anchors)
}

// startClients starts steady anchors, which stay live, restless ones, which start, update and
// stop, and two viewers for each node, of which one changes nodes. It returns when all anchors
// were live.
func (f *fleet) startClients(steady, restless int) *clientGroup {
	f.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &clientGroup{fleet: f, ctx: ctx}
	f.t.Cleanup(func() {
		stop()
		c.tasks.Wait()
	})
	for _, n := range f.allNodes() {
		c.startViewer(n, false)
		c.startViewer(n, true)
	}
	c.startAnchors("steady", steady, false)
	c.startAnchors("restless", restless, true)
	c.awaitStarted(c.anchors)
	c.await("all nodes to list the steady anchors", nodetest.ProcessTimeout, func() error {
		for _, n := range f.allNodes() {
			if listed, err := c.listStreams(n); err != nil || len(listed) < steady {
				return fmt.Errorf("%s lists %d streams, %v", n.name, len(listed), err)
			}
		}
		return nil
	})
	return c
}

// startAnchors starts n anchors. Every second steady one sends only beats.
func (c *clientGroup) startAnchors(name string, n int, restless bool) []*testAnchor {
	c.anchorsMu.Lock()
	defer c.anchorsMu.Unlock()
	from := len(c.anchors)
	for range n {
		p := newTestAnchor(c, fmt.Sprintf("%s%d", name, len(c.anchors)), restless)
		p.onlyBeats = !restless && len(c.anchors)%2 == 0
		c.anchors = append(c.anchors, p)
		c.tasks.Go(p.run)
	}
	return slices.Clone(c.anchors[from:])
}

// awaitStarted waits until each of the anchors was live once.
func (c *clientGroup) awaitStarted(anchors []*testAnchor) {
	c.t.Helper()
	for _, p := range anchors {
		c.await(p.sub+" to be live", nodetest.ProcessTimeout, func() error {
			if p.startCount.Load() == 0 {
				return errors.New("not started")
			}
			return nil
		})
	}
}

// startViewer starts a viewer.
func (c *clientGroup) startViewer(homeNode *fleetNode, changesNodes bool) {
	s := newTestViewer(c, homeNode, changesNodes)
	c.viewers = append(c.viewers, s)
	c.tasks.Go(s.run)
}

// reportFault fails the test. It reports only the first faults, because one fault causes many.
func (c *clientGroup) reportFault(format string, args ...any) {
	if c.faultCount.Add(1) <= 8 {
		c.t.Errorf("%v: "+format, append([]any{time.Since(c.startedAt).Round(time.Millisecond)}, args...)...)
	}
}

// pauseRequests stops new requests, and waits until the open ones are answered.
func (c *clientGroup) pauseRequests() {
	c.t.Helper()
	c.isPaused.Store(true)
	c.await("all requests to be answered", nodetest.ProcessTimeout, func() error {
		for _, p := range c.allAnchors() {
			if p.expectedState().requested != nil {
				return fmt.Errorf("%s has an open request", p.sub)
			}
		}
		return nil
	})
}

// banAnchor bans an anchor, and returns once that is acknowledged.
func (c *clientGroup) banAnchor(p *testAnchor) {
	c.t.Helper()
	p.mayBeBanned.Store(true)
	c.await(p.sub+" to be banned", nodetest.ProcessTimeout, func() error { return c.fleet.ban(c.otherNode(nil), p.sub) })
	p.setBanned()
}

// checkAcknowledged returns an error if a node's list differs from what was acknowledged. The
// effect of an open request is accepted, too.
func (c *clientGroup) checkAcknowledged(n *fleetNode) error {
	anchors := c.allAnchors()
	var before []expectedState
	for _, p := range anchors {
		before = append(before, p.expectedState())
	}
	page, err := c.listStreams(n)
	if err != nil {
		return err
	}
	var differences []string
	for i, p := range anchors {
		e, live := page["8888_"+p.sub]
		got := listedState{live, e.Title}
		if !before[i].allows(got) && !p.expectedState().allows(got) {
			differences = append(differences, fmt.Sprintf("%s is listed as %+v, acknowledged as %+v", p.sub, got, before[i].acknowledged))
		}
		if p.isBanned.Load() {
			if err := c.checkBanned(n, p.sub); err != nil {
				differences = append(differences, err.Error())
			}
		}
	}
	if differences != nil {
		return fmt.Errorf("%s: %s", n.name, strings.Join(differences, "; "))
	}
	return nil
}

// maxRecovery is the guarantee: all acknowledged changes are on the list again within this time.
const maxRecovery = 5 * time.Second

// busyMachineAllowance is added for processes that wait for a busy processor under the race
// detector.
const busyMachineAllowance = 5 * time.Second

// awaitRecovery waits until every node lists all that was acknowledged, and checks that this
// took at most maxRecovery from the end of the fault. Anchors send no new requests meanwhile.
func (c *clientGroup) awaitRecovery(since time.Time) {
	c.t.Helper()
	c.isPaused.Store(true)
	defer c.isPaused.Store(false)
	c.await("the list to have all that was acknowledged", nodetest.ProcessTimeout, func() error { return c.checkNodes(c.checkAcknowledged) })
	took := time.Since(since)
	c.t.Logf("all that was acknowledged is listed %v after the end of the fault", took.Round(time.Millisecond))
	if took > maxRecovery+busyMachineAllowance {
		c.t.Errorf("recovery took %v, want at most %v", took, maxRecovery)
	}
}

// awaitEqualLists waits until every node and every viewer has the same list, which has all that
// was acknowledged, while no request is open.
func (c *clientGroup) awaitEqualLists() {
	c.t.Helper()
	c.pauseRequests()
	c.await("all lists to be the same", nodetest.ProcessTimeout, func() error {
		if err := c.checkNodes(c.checkAcknowledged); err != nil {
			return err
		}
		var first map[string]wire.Entry
		for _, n := range c.allNodes() {
			page, err := c.listStreams(n)
			if err != nil {
				return err
			}
			if first == nil {
				first = page
			}
			if d := listDifference(first, page); d != "" {
				return fmt.Errorf("%s has another list: %s", n.name, d)
			}
		}
		for i, s := range c.viewers {
			if d := listDifference(first, s.listedEntries()); d != "" {
				return fmt.Errorf("viewer %d at %s has another list: %s", i, s.currentNodeName(), d)
			}
		}
		return nil
	})
	c.logStatistics()
}

// logStatistics logs what happened to the clients.
func (c *clientGroup) logStatistics() {
	var moves, heldBeats, diffs, snapshots int64
	for _, p := range c.allAnchors() {
		moves, heldBeats = moves+p.moveCount.Load(), heldBeats+p.pendingBeatCount.Load()
	}
	for _, s := range c.viewers {
		diffs, snapshots = diffs+s.diffResumes.Load(), snapshots+s.snapshotResumes.Load()
	}
	c.t.Logf("%d moves to another node, %d held beats; %d resumes with a diff, %d with a snapshot", moves, heldBeats, diffs, snapshots)
}

// checkNoFalseEnds checks that no session ended by silence, and that registries are equal.
func (c *clientGroup) checkNoFalseEnds() {
	c.t.Helper()
	for _, reason := range []string{wire.EndMissedBeats, wire.EndStreamLost} {
		if n := c.sumOfMetric(`onair_ends_total{list="live",reason="` + reason + `"}`); n != 0 {
			c.t.Errorf("%v sessions ended for %s", n, reason)
		}
	}
	if n := c.sumOfMetric("onair_digest_mismatches_total"); n != 0 {
		c.t.Errorf("the registries of two nodes differed %v times", n)
	}
}

// degradedNotices returns how many notices anchors received.
func (c *clientGroup) degradedNotices() (n int64) {
	for _, p := range c.allAnchors() {
		n += p.noticeCount.Load()
	}
	return n
}

// pendingBeats returns how many beats were acknowledged as held.
func (c *clientGroup) pendingBeats() (n int64) {
	for _, p := range c.allAnchors() {
		n += p.pendingBeatCount.Load()
	}
	return n
}

// steadyAnchorCount returns how many anchors stay live.
func (c *clientGroup) steadyAnchorCount() (n int) {
	for _, p := range c.allAnchors() {
		if !p.restless && !p.mayBeBanned.Load() {
			n++
		}
	}
	return n
}

// checkResumedWithDiffs checks that most resumes of viewers got a diff. Some get a snapshot,
// because a small list may be shorter than its changes.
func (c *clientGroup) checkResumedWithDiffs() {
	c.t.Helper()
	var diffs, snapshots int64
	for _, s := range c.viewers {
		diffs, snapshots = diffs+s.diffResumes.Load(), snapshots+s.snapshotResumes.Load()
	}
	if diffs < 4*snapshots || diffs == 0 {
		c.t.Errorf("%d resumes with a diff, %d with a snapshot", diffs, snapshots)
	}
}

// listDifference describes the first difference of two lists, "" for equal ones.
func listDifference(a, b map[string]wire.Entry) string {
	for code, x := range a {
		if y, there := b[code]; !there {
			return code + " is missing"
		} else if !reflect.DeepEqual(x, y) {
			return fmt.Sprintf("%+v is %+v", x, y)
		}
	}
	for code := range b {
		if _, there := a[code]; !there {
			return code + " is listed"
		}
	}
	return ""
}

// sleepUpTo waits a random time up to d, or until ctx ends.
func sleepUpTo(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(d)):
	}
}
