package hub

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onair/hub/wire"
	"onair/presence"
)

// TestConcurrentUse uses everything at once, for the race detector. In the end all
// visitors have the newest list, and the hub is consistent.
func TestConcurrentUse(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{Signer: fakeSigner{}, Metrics: reg, Limits: Limits{SnapshotsPerSecond: 1000}})
		f.runHub(t)
		f.startStream("always")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { runVisitor(t, f, i) })
		}
		all.Go(func() {
			for n := range 400 {
				code := fmt.Sprint("c", n%7)
				switch {
				case n%5 == 4 && f.streams[code] != nil:
					f.editStream(code, nil)
				default:
					f.editStream(code, func(st *presence.Stream) { st.Viewers, st.Title = int64(n*31%11), fmt.Sprint(n%3) })
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
		all.Wait()
		if fault := f.hub.inconsistency(); fault != "" {
			t.Error(fault)
		}
	})
	families, err := reg.Gather()
	if err != nil || len(families) != 11 {
		t.Errorf("%d metrics: %v", len(families), err)
	}
}

// runVisitor attaches and closes sockets, and resumes its view on each.
func runVisitor(t *testing.T, f *fakeLog, i int) {
	var list wire.ClientView
	read := func(c *fakeConn) {
		for _, m := range c.takeMessages() {
			if d, ok := m.(*wire.Diff); ok && d.View == "code/always" {
				continue
			}
			if _, ok := m.(*wire.Watching); !ok && list.Apply(m) {
				t.Errorf("visitor %d at %s cannot follow %+v", i, list.Pos(), m)
			}
		}
	}
	for round := range 20 {
		c := newFakeConn()
		s := f.hub.Attach(c)
		if e := f.hub.Subscribe(s, &wire.Subscribe{ID: "1", Limit: 2 + i%3, Pos: list.Pos()}); e != nil {
			t.Error(e)
		}
		if e := f.hub.Watch(s, &wire.Watch{Code: "always"}); e != nil {
			t.Error(e)
		}
		c.setStuck(round%3 == 0)
		time.Sleep(time.Duration(17*(i+1)) * time.Millisecond)
		c.setStuck(false)
		if round%2 == 0 {
			f.hub.Unwatch(s, &wire.Unwatch{Code: "always"})
		}
		f.hub.Page(&wire.Subscribe{Limit: 3}, "")
		time.Sleep(time.Duration(11*(i+1)) * time.Millisecond)
		s.Close()
		read(c)
	}
}
