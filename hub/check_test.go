package hub

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
)

// nextMessage waits for the next message, and returns it with the time that it
// took, to a millisecond.
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

// expectMessage waits for the next message, and checks its type and delay.
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

// expectSilence checks that no message comes for a time.
func expectSilence(t *testing.T, c *fakeConn, d time.Duration) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	for _, m := range c.takeMessages() {
		t.Errorf("unexpected %T %+v", m, m)
	}
}

// inconsistency describes the first difference between redundant data of the hub,
// or returns "".
func (h *Hub) inconsistency() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.schedule.views) != len(h.views) || len(h.schedule.deferred) > 0 {
		return fmt.Sprintf("%d views, %d due, %d requests wait", len(h.views), len(h.schedule.views), len(h.schedule.deferred))
	}
	for _, st := range h.list.streams {
		for _, tag := range st.Tags {
			if _, ok := h.list.codesByTag[filterKey{byTag, st.List, tag}][st.Code]; ok != st.Shown {
				return fmt.Sprintf("%s with tag %s: %v, want %v", st.Code, tag, ok, st.Shown)
			}
		}
	}
	for k, codes := range h.list.codesByTag {
		for code := range codes {
			if st := h.list.streams[code]; st == nil || st.List != k.list || !slices.Contains(st.Tags, k.value) {
				return fmt.Sprintf("tag %s still has %s", k.value, code)
			}
		}
	}
	for _, v := range h.views {
		n := 0
		for _, st := range h.list.streams {
			if v.order.matches(st) {
				n++
				if got, ok := v.order.tree.Get(v.order.ranked(st)); !ok || got.stream != st {
					return fmt.Sprintf("%s: tree lacks %s", v.query.orderName, st.Code)
				}
			}
		}
		if n != v.order.tree.Len() {
			return fmt.Sprintf("%s: tree has %d, want %d", v.query.orderName, v.order.tree.Len(), n)
		}
		if v.published.epoch != h.ring.epoch && v.cursorCount > 0 {
			return v.query.viewID + " is in an old epoch"
		}
		if h.schedule.views[v.heapIndex] != v {
			return v.query.viewID + " has a wrong heap index"
		}
		count := 0
		for _, part := range v.cursorsByShard {
			for i, c := range part {
				if count++; c.shardIndex != i {
					return v.query.viewID + " has a wrong cursor index"
				}
			}
		}
		if count != v.cursorCount || v.broadcasts > 0 {
			return fmt.Sprintf("%s has %d cursors, and counts %d; %d broadcasts run", v.query.viewID, count, v.cursorCount, v.broadcasts)
		}
	}
	return ""
}
