package hub

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// nextMessage returns the next message and how long it took to come, to a
// millisecond.
func nextMessage(t *testing.T, c *fakeConn) (wire.Message, time.Duration) {
	t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(time.Millisecond) {
		synctest.Wait()
		switch all := c.takeMessages(); len(all) {
		case 0:
		case 1:
			return all[0], time.Since(began)
		default:
			t.Fatalf("%d messages at once", len(all))
		}
	}
	t.Fatal("no message within a minute")
	return nil, 0
}

// expectMessage awaits a message of a type.
func expectMessage[T wire.Message](t *testing.T, c *fakeConn, after time.Duration) T {
	t.Helper()
	m, took := nextMessage(t, c)
	if took != after {
		t.Errorf("%T came after %v, want %v", m, took, after)
	}
	got, ok := m.(T)
	if !ok {
		t.Fatalf("got %T %+v, want %T", m, m, got)
	}
	return got
}

// expectSilence expects silence.
func expectSilence(t *testing.T, c *fakeConn, d time.Duration) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	for _, m := range c.takeMessages() {
		t.Errorf("unexpected %T %+v", m, m)
	}
}

func subscribe(t *testing.T, f *fakeLog, s *Socket, m *wire.Subscribe) {
	t.Helper()
	if e := f.hub.Subscribe(s, m); e != nil {
		t.Fatal(e)
	}
}

func setViewers(n int64) func(*presence.Stream) {
	return func(st *presence.Stream) { st.Viewers = n }
}

func setTitle(s string) func(*presence.Stream) {
	return func(st *presence.Stream) { st.Title = s }
}

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

// TestNothingToSay: changes that undo each other, or that nobody sees, and
// totals alone, are no reason for a diff.
func TestNoDiffWithoutVisibleChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.editStream("a", setViewers(5))
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{Limit: 1})
		expectMessage[*wire.Snapshot](t, c, 0)
		f.editStream("a", func(st *presence.Stream) { st.Peak = 7 })
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

// TestPlaySwitch: the entry whose time reaches a switch has the URLs renewed.
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
		next := fakeSigner{}.NextRenewal("a", f.time)
		f.time = next - 1
		f.applyEntry()
		expectSilence(t, c, time.Second)
		f.time = next
		f.applyEntry()
		if m := expectMessage[*wire.Diff](t, c, 0); len(m.Set) != 1 || len(m.Set[0].Members) != 1 || m.Set[0].Members["play"] == nil {
			t.Errorf("%+v", m)
		}
	})
}

// TestPositionAhead: one that this node has not read waits, but not for ever.
func TestResumeFromAheadIsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		for i := range 5 { // so that a snapshot is longer than a diff
			f.startStream(fmt.Sprint("a", i))
		}
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(6).String()})
		s.Send(wire.Append(nil, &wire.Liked{ID: "2"}))
		expectMessage[*wire.Liked](t, c, 0) // does not wait
		expectSilence(t, c, 9*time.Second)
		f.startStream("b")
		if m := expectMessage[*wire.Diff](t, c, 0); m.ID != "1" || m.Prev != position(6).String() || len(m.Put) > 0 {
			t.Errorf("%+v", m)
		}
		s, c = f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "3", Pos: position(9).String()})
		if m := expectMessage[*wire.Snapshot](t, c, maxResumeWait); m.ID != "3" || m.Pos != position(6).String() {
			t.Errorf("%+v", m)
		}
		// Another history's: when this node has come as far, it is known to be.
		s, c = f.connect(t)
		other := position(7)
		other.Hash++
		subscribe(t, f, s, &wire.Subscribe{ID: "4", Pos: other.String()})
		expectSilence(t, c, time.Second)
		f.startStream("c")
		expectMessage[*wire.Snapshot](t, c, 0)
	})
}

// TestResume: from a position that the view itself was never at; and after two
// minutes not any more.
func TestResumeSendsDiff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		for i := range 5 {
			f.startStream(fmt.Sprint("a", i))
		}
		resume := func(pos int) wire.Message {
			s, c := f.connect(t)
			subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(pos).String()})
			m, _ := nextMessage(t, c)
			return m
		}
		d, ok := resume(4).(*wire.Diff)
		if !ok || len(d.Put) != 1 || d.Put[0].Code != "a4" || d.Pos != position(5).String() {
			t.Errorf("%+v", d)
		}
		if d, ok := resume(5).(*wire.Diff); !ok || len(d.Put)+len(d.Set)+len(d.Del) > 0 {
			t.Errorf("nothing new: %+v", d)
		}
		if _, ok := resume(0).(*wire.Snapshot); !ok {
			t.Error("a diff that is longer than the snapshot")
		}
		f.time += maxResumeAge
		f.applyEntry()
		if _, ok := resume(5).(*wire.Diff); !ok {
			t.Error("no diff from a position of two minutes ago")
		}
		f.time += 1000
		f.applyEntry()
		if _, ok := resume(3).(*wire.Snapshot); !ok {
			t.Error("a diff from long ago")
		}
	})
}

// TestViewIsDropped: a minute after the last viewer has left, with its order.
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

// TestSlowSocket: nothing is queued for a socket that takes nothing, answers
// come first when it does, then one merged diff.
func TestSlowSocketGetsMergedDiff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		for i := range 20 {
			f.startStream(fmt.Sprint("a", i))
		}
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{})
		snapshot := expectMessage[*wire.Snapshot](t, c, 0)
		c.setStuck(true)
		for i := range 10 {
			f.editStream("a1", setTitle(fmt.Sprint(i)))
			time.Sleep(time.Second)
		}
		s.Send(wire.Append(nil, &wire.Liked{Code: "a1"}))
		c.setStuck(false)
		synctest.Wait()
		all := c.takeMessages()
		if len(all) != 3 {
			t.Fatalf("got %d messages, want 3", len(all))
		}
		first, merged := all[0].(*wire.Diff), all[2].(*wire.Diff)
		if _, ok := all[1].(*wire.Liked); !ok || first.Prev != snapshot.Pos || merged.Prev != first.Pos ||
			string(merged.Set[0].Members["title"]) != `"9"` {
			t.Errorf("%+v, %+v, %+v", first, all[1], merged)
		}
	})
}

// TestRunEnds: and may have nothing to do.
func TestRunEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		New(Options{}).Run(ctx)
	})
}

// TestLongestBehindFirst: a socket with several views behind has them brought
// in the order in which they fell behind, one diff each.
func TestLongestBehindIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		for _, code := range []string{"a", "b", "c"} {
			f.editStream(code, func(st *presence.Stream) { st.Tags = []string{code} })
		}
		s, c := f.connect(t)
		for _, tag := range []string{"a", "b", "c"} {
			subscribe(t, f, s, &wire.Subscribe{Tags: []string{tag}})
		}
		synctest.Wait()
		c.takeMessages()
		c.setStuck(true)
		s.Send(wire.Append(nil, &wire.Liked{})) // on its way when the rest happens
		synctest.Wait()
		for _, code := range []string{"c", "a", "b", "a", "c"} {
			f.editStream(code, setTitle(fmt.Sprint(f.entries)))
			time.Sleep(time.Second)
		}
		c.setStuck(false)
		synctest.Wait()
		var got []string
		for _, m := range c.takeMessages()[1:] {
			d := m.(*wire.Diff)
			got = append(got, d.Set[0].Code)
		}
		if fmt.Sprint(got) != "[c a b]" {
			t.Errorf("brought in the order %v", got)
		}
	})
}

// TestAnotherSession: one that replaces another under the same code between two
// diffs is a whole entry.
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

// TestAskingAgainWhileWaiting: the first request is answered too, at once.
func TestNewRequestExpeditesDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{ID: "1", Pos: position(5).String()})
		expectSilence(t, c, time.Second)
		subscribe(t, f, s, &wire.Subscribe{ID: "2"})
		synctest.Wait()
		all := c.takeMessages()
		if len(all) != 2 {
			t.Fatalf("%d answers, want 2", len(all))
		}
		for i, m := range all {
			if m := m.(*wire.Snapshot); m.ID != wire.IntID(int64(i+1)) {
				t.Errorf("answer %d is %+v", i, m)
			}
		}
		subscribe(t, f, s, &wire.Subscribe{ID: "3", Pos: position(5).String()})
		expectSilence(t, c, time.Second)
		f.hub.Unsubscribe(s, &wire.Unsubscribe{ID: "4", View: "live/viewers/100"})
		synctest.Wait()
		if all := c.takeMessages(); len(all) != 2 {
			t.Errorf("%d answers, want 2", len(all))
		}
	})
}
