package hub

import (
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

func TestWatchCountsViewers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := map[presence.Session]int{}
		f := newFakeLog(t, Options{Signer: fakeSigner{}, OnViewersChange: func(st *presence.Stream, n int) { counts[st.Session] = n }})
		f.runHub(t)
		st := f.editStream("a", func(st *presence.Stream) { st.Listed, st.Shown = false, false })
		s, c := f.connect(t)
		watch := func(s *Socket, play ...string) {
			if e := f.hub.Watch(s, &wire.Watch{ID: "1", Code: "a", Play: play}); e != nil {
				t.Fatal(e)
			}
		}
		watch(s)
		m := expectMessage[*wire.Watching](t, c, 0)
		if m.ID != "1" || m.View != "code/a" || len(m.Entry.Play) != 3 || m.ExpiresAt != (fakeSigner{}).Expiry("a", f.logTime) {
			t.Errorf("%+v", m)
		}
		other, _ := f.connect(t)
		watch(other, "flv")
		watch(other, "flv", "hls")
		if counts[st.Session] != 2 {
			t.Errorf("%d viewers, want 2", counts[st.Session])
		}
		f.editStream("a", nil)
		if d := expectMessage[*wire.Diff](t, c, 0); len(d.Del) != 1 || d.View != "code/a" {
			t.Errorf("%+v", d)
		}
		again := f.startStream("a")
		if counts[again.Session] != 2 {
			t.Errorf("%d viewers of the next session, want 2", counts[again.Session])
		}
		if d := expectMessage[*wire.Diff](t, c, 250*time.Millisecond); len(d.Put) != 1 {
			t.Errorf("%+v", d)
		}
		if e := f.hub.Unwatch(s, &wire.Unwatch{ID: "2", Code: "a"}); e != nil {
			t.Fatal(e)
		}
		expectMessage[*wire.Unwatched](t, c, 0)
		f.editStream("a", setTitle("new"))
		expectSilence(t, c, time.Second)
		other.Close()
		if counts[again.Session] != 0 || counts[st.Session] != 2 {
			t.Errorf("viewers %v", counts)
		}
	})
}

// TestWatchOfUnpublishedSession checks a watch before the view has published the
// session.
func TestWatchOfUnpublishedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{})
		f.runHub(t)
		f.startStream("a")
		s, c := f.connect(t)
		f.hub.Watch(s, &wire.Watch{Code: "a"})
		expectMessage[*wire.Watching](t, c, 0)
		f.editStream("a", nil)
		expectMessage[*wire.Diff](t, c, 0)
		f.startStream("a")
		other, oc := f.connect(t)
		if e := f.hub.Watch(other, &wire.Watch{Code: "a"}); e != nil {
			t.Fatal(e)
		}
		w := expectMessage[*wire.Watching](t, oc, 0)
		if d := expectMessage[*wire.Diff](t, c, 0); d.Pos != w.Pos || len(d.Put) != 1 {
			t.Errorf("%+v", d)
		}
	})
}
