package hub

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
)

// TestLogThatStartsAnew checks that views and resumes follow a log with lower ids.
func TestLogThatStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		for range 10 {
			f.applyEntry()
		}
		f.startStream("a")
		s, c := f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{})
		old := expectMessage[*wire.Snapshot](t, c, 0)
		f.entries = 3
		f.startStream("b")
		if m := expectMessage[*wire.Diff](t, c, 0); m.Prev != old.Pos || len(m.Put) != 1 {
			t.Errorf("%+v", m)
		}
		s, c = f.connect(t)
		subscribe(t, f, s, &wire.Subscribe{Pos: position(1).String()})
		expectMessage[*wire.Snapshot](t, c, 0)
	})
}

// TestResumeFromAheadIsDeferred checks that a resume from a position that this node
// has not applied waits, for at most maxResumeWait.
func TestResumeFromAheadIsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		for i := range 5 { // several, so that a snapshot is longer than a diff
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
		// A position of another epoch waits until this node has an entry with its id.
		s, c = f.connect(t)
		other := position(7)
		other.Hash++
		subscribe(t, f, s, &wire.Subscribe{ID: "4", Pos: other.String()})
		expectSilence(t, c, time.Second)
		f.startStream("c")
		expectMessage[*wire.Snapshot](t, c, 0)
	})
}

// TestResumeSendsDiff checks resumes from positions that the view has not published,
// and that they end after two minutes.
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
		f.logTime += maxResumeAge
		f.applyEntry()
		if _, ok := resume(5).(*wire.Diff); !ok {
			t.Error("no diff from a position of two minutes ago")
		}
		f.logTime += 1000
		f.applyEntry()
		if _, ok := resume(3).(*wire.Snapshot); !ok {
			t.Error("a diff from long ago")
		}
	})
}

// TestNewRequestExpeditesDeferred checks that a second request has the deferred one
// answered, too.
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
