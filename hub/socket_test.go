package hub

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// TestAnswersAreBounded checks that a socket with too many unread answers is closed.
func TestAnswersAreBounded(t *testing.T) {
	for name, size := range map[string]int{"many": 10, "large": 100_000} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeLog(t, Options{})
			s, c := f.connect(t)
			c.setStuck(true)
			for range 70 {
				s.Send(make([]byte, size))
				synctest.Wait()
			}
			if <-c.closed; c.closeCode != wire.ClosePolicy {
				t.Errorf("%s: closed with %d", name, c.closeCode)
			}
		})
	}
}

// TestAnswersAreSentBeforeClose checks CloseAfterAnswers.
func TestAnswersAreSentBeforeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		s, c := f.connect(t)
		c.setStuck(true)
		for range 3 {
			s.Send(wire.Append(nil, &wire.Drain{}))
		}
		s.CloseAfterAnswers(wire.CloseDrained, "")
		s.CloseAfterAnswers(wire.CloseNormal, "")
		s.Send(wire.Append(nil, &wire.Liked{}))
		go func() {
			time.Sleep(time.Second)
			c.setStuck(false)
		}()
		s.Close()
		if n := len(c.takeMessages()); n != 3 || c.closeCode != wire.CloseDrained {
			t.Errorf("%d messages, closed with %d", n, c.closeCode)
		}
	})
}

// TestSlowSocketGetsMergedDiff checks that no diffs are queued for a full socket. It
// gets answers first, then one merged diff.
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

// TestLongestBehindIsServedFirst checks that views catch up in the order in which
// they were left behind, with one diff each.
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
		s.Send(wire.Append(nil, &wire.Liked{})) // makes the connection full
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
