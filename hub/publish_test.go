package hub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

func TestFirstDiffIsImmediate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1"})
		if m := expectMessage[*wire.Snapshot](t, c, 0); m.ID != "1" || m.View != "live/viewers/100" {
			t.Errorf("%+v", m)
		}
		f.startStream("a")
		first := expectMessage[*wire.Diff](t, c, 0)
		f.startStream("b")
		f.editStream("a", setTitle("new"))
		second := expectMessage[*wire.Diff](t, c, 250*time.Millisecond)
		if second.Prev != first.Pos || len(second.Put) != 1 || len(second.Set) != 1 || second.Total != 2 {
			t.Errorf("%+v", second)
		}
		expectSilence(t, c, 10*time.Second)
		f.editStream("b", nil)
		if m := expectMessage[*wire.Diff](t, c, 0); len(m.Del) != 1 || m.Del[0] != "b" || m.Total != 1 {
			t.Errorf("%+v", m)
		}
	})
}

func TestCountersAreDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.startStream("a")
		f.startStream("b")
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{})
		expectMessage[*wire.Snapshot](t, c, 0)
		time.Sleep(time.Second)
		f.editStream("a", setViewers(5))
		if m := expectMessage[*wire.Diff](t, c, 2*time.Second); len(m.Set) != 1 || string(m.Set[0].Members["viewers"]) != "5" {
			t.Errorf("%+v", m)
		}
		f.editStream("a", setViewers(6))
		time.Sleep(time.Second)
		f.editStream("b", setTitle("new"))
		if m := expectMessage[*wire.Diff](t, c, 0); len(m.Set) != 2 {
			t.Errorf("the counter did not ride along: %+v", m)
		}
		expectSilence(t, c, 5*time.Second)
	})
}

// TestNoDiffWithoutVisibleChange checks changes that cancel out, that viewers do not
// see, and that change the total only.
func TestNoDiffWithoutVisibleChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.editStream("a", setViewers(5))
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{Limit: 1})
		expectMessage[*wire.Snapshot](t, c, 0)
		f.editStream("a", func(st *presence.Stream) { st.PeakViewers = 7 })
		f.editStream("b", setViewers(1))
		f.editStream("a", setViewers(8))
		f.editStream("a", setViewers(5))
		expectSilence(t, c, 5*time.Second)
		f.editStream("a", setTitle("new"))
		if m := expectMessage[*wire.Diff](t, c, 0); m.Total != 2 {
			t.Errorf("%+v", m)
		}
	})
}

func TestIdleDiffAndPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		s, c := f.connect(t)
		_, blank := f.connect(t)
		quiet := newFakeConn()
		anchor := f.hub.AttachAnchor(quiet)
		defer anchor.Close()
		subscribe(t, f, s, &wire.Subscribe{Limit: 1})
		snapshot := expectMessage[*wire.Snapshot](t, c, 0)
		f.applyEntry()
		f.applyEntry()
		m := expectMessage[*wire.Diff](t, c, 25*time.Second)
		if m.Prev != snapshot.Pos || m.Pos != position(2).String() || len(m.Put)+len(m.Set)+len(m.Del) > 0 {
			t.Errorf("%+v", m)
		}
		expectMessage[*wire.Ping](t, blank, 0)
		expectSilence(t, quiet, time.Minute)
		if got := len(c.takeMessages()); got != 2 {
			t.Errorf("%d idle diffs in a minute, want 2", got)
		}
		if e := f.hub.Unsubscribe(s, &wire.Unsubscribe{View: m.View}); e != nil {
			t.Fatal(e)
		}
		expectMessage[*wire.Unsubscribed](t, c, 0)
		expectMessage[*wire.Ping](t, c, 25*time.Second)
	})
}

// TestPlayURLsAreRenewed checks that the entry at NextRenewal renews the URLs.
func TestPlayURLsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{Signer: fakeSigner{}})
		f.runHub(t)
		f.startStream("a")
		f.timeStopped = true
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{Play: []string{"hls", "flv", "hls"}})
		if m := expectMessage[*wire.Snapshot](t, c, 0); m.View != "live/viewers/100/play=flv+hls" || len(m.Streams[0].Play) != 2 {
			t.Errorf("%+v", m)
		}
		next := fakeSigner{}.NextRenewal("a", f.logTime)
		f.logTime = next - 1
		f.applyEntry()
		expectSilence(t, c, time.Second)
		f.logTime = next
		f.applyEntry()
		if m := expectMessage[*wire.Diff](t, c, 0); len(m.Set) != 1 || len(m.Set[0].Members) != 1 || m.Set[0].Members["play"] == nil {
			t.Errorf("%+v", m)
		}
	})
}

// TestUnusedViewIsRemoved checks that a view and its order are removed one minute
// after its last viewer has closed.
func TestUnusedViewIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		s, _ := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{Tags: []string{"a"}})
		time.Sleep(time.Hour)
		s.Close()
		count := func() [2]int {
			synctest.Wait()
			f.hub.mu.Lock()
			defer f.hub.mu.Unlock()
			return [2]int{len(f.hub.views), len(f.hub.orders.byKey)}
		}
		time.Sleep(59 * time.Second)
		if got := count(); got != [2]int{1, 1} {
			t.Errorf("views and orders: %v", got)
		}
		time.Sleep(2 * time.Second)
		if got := count(); got != [2]int{0, 0} {
			t.Errorf("views and orders: %v", got)
		}
	})
}

// TestRunEndsWithContext checks that a hub without views runs, and ends.
func TestRunEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		New(Options{}).Run(ctx)
	})
}

// TestNewSessionIsWholeEntry checks a session that replaces another one under the
// same code between two diffs.
func TestNewSessionIsWholeEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.startStream("a")
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{})
		expectMessage[*wire.Snapshot](t, c, 0)
		old := f.streams["a"]
		next := *old
		next.Session[0]++
		f.applyEntry(presence.Change{Old: old}, presence.Change{New: &next})
		if m := expectMessage[*wire.Diff](t, c, 0); len(m.Put) != 1 || len(m.Set) > 0 {
			t.Errorf("%+v", m)
		}
	})
}
