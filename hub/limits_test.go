package hub

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

func TestInvalidRequestsAreRefused(t *testing.T) {
	f := newFakeLog(t, Options{Lists: []string{"live", "vip"}, Signer: fakeSigner{}})
	s := f.hub.Attach(newFakeConn())
	defer s.Close()
	for about, m := range map[string]*wire.Subscribe{
		"vip":       {List: "nowhere"},
		"sort":      {Sort: "luck"},
		"limit":     {Limit: 501},
		"flv, hls":  {Play: []string{"pigeon"}},
		"500 user ": {Anchors: []string{}},
	} {
		if about == "500 user " {
			for i := range 501 {
				m.Anchors = append(m.Anchors, fmt.Sprint(i))
			}
		}
		m.ID = "7"
		e := f.hub.Subscribe(s, m)
		if e == nil || e.Code != wire.CodeBadRequest || e.ID != "7" || !strings.Contains(e.Message, about) {
			t.Errorf("%s: %v", about, e)
		}
		if _, e := f.hub.Page(m, ""); e == nil {
			t.Errorf("a page of %s", about)
		}
	}
	if e := f.hub.Watch(s, &wire.Watch{Code: "x"}); e == nil || e.Code != wire.CodeNotFound {
		t.Errorf("watch: %v", e)
	}
	if e := f.hub.Watch(s, &wire.Watch{Code: "x", Play: []string{"pigeon"}}); e == nil || e.Code != wire.CodeBadRequest {
		t.Errorf("watch: %v", e)
	}
	if e := f.hub.Unwatch(s, &wire.Unwatch{Code: "x"}); e == nil || e.Code != wire.CodeNotFound {
		t.Errorf("unwatch: %v", e)
	}
	if e := f.hub.Unsubscribe(s, &wire.Unsubscribe{View: "x"}); e == nil || e.Code != wire.CodeNotFound {
		t.Errorf("unsubscribe: %v", e)
	}
}

// TestViewNames: equal queries have one name, different ones have different
// names, and every name fits.
func TestViewIDsAreUnique(t *testing.T) {
	h := New(Options{Lists: []string{"live", "code"}, Signer: fakeSigner{}})
	many := make([]string, 400)
	for i := range many {
		many[i] = fmt.Sprint("user", i)
	}
	seen := map[string]int{}
	for i, same := range [][]wire.Subscribe{
		{{}, {List: "live", Sort: "viewers", Limit: 100}, {Tags: []string{}, Play: []string{}}},
		{{Tags: []string{"b", "a", "b"}}, {Tags: []string{"a", "b"}}},
		{{Tags: []string{"a+b"}}},
		{{Tags: []string{"a/b"}}},
		{{Tags: []string{"a%2Fb"}}},
		{{Anchors: []string{}}},
		{{Anchors: []string{"a"}}},
		{{Anchors: many}},
		{{Anchors: many[1:]}},
		{{Play: []string{"hls", "flv"}}, {Play: []string{"flv", "hls"}}},
		{{Limit: 7}},
		{{Sort: "likes"}},
		{{List: "code"}},
		{{Tags: []string{strings.Repeat("世", 20), strings.Repeat("界", 20)}, Anchors: many, Play: []string{"flv"}}},
	} {
		name := ""
		for _, m := range same {
			q, e := h.normalizeQuery(&m)
			if e != nil {
				t.Fatal(e)
			}
			if name != "" && q.viewID != name {
				t.Errorf("%q and %q are equal", name, q.viewID)
			}
			name = q.viewID
		}
		if j, twice := seen[name]; twice || len(name) > wire.MaxViewBytes {
			t.Errorf("%q is the name of queries %d and %d, or too long", name, i, j)
		}
		seen[name] = i
	}
	for play, want := range map[string]string{"": "code/x", "hls,flv": "code/x/flv+hls", "hls,flv,rtmp": "code/x"} {
		m := &wire.Watch{Code: "x"}
		if play != "" {
			m.Play = strings.Split(play, ",")
		}
		if q, e := h.options.watchQuery(m); e != nil || q.viewID != want {
			t.Errorf("watch with %q: %q, want %q", play, q.viewID, want)
		}
	}
}

func TestLimitsAreEnforced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{Limits: Limits{Views: 4, ViewsPerSocket: 3, WatchesPerSocket: 1}})
		f.runHub(t)
		f.startStream("a")
		f.startStream("b")
		s, _ := f.connect(t)
		for i := range 3 {
			subscribe(t, f, s, &wire.Subscribe{Limit: i + 1})
		}
		e := f.hub.Subscribe(s, &wire.Subscribe{Limit: 1})
		if e == nil || e.Code != wire.CodeRateLimited || e.RetryAfterMS != 1000 {
			t.Errorf("too fast: %+v", e)
		}
		time.Sleep(time.Second)
		if e := f.hub.Subscribe(s, &wire.Subscribe{Limit: 4}); e == nil || e.Code != wire.CodeLimitExceeded {
			t.Errorf("too many views on a socket: %+v", e)
		}
		if e := f.hub.Watch(s, &wire.Watch{Code: "a"}); e != nil {
			t.Error(e)
		}
		if e := f.hub.Watch(s, &wire.Watch{Code: "b"}); e == nil || e.Code != wire.CodeLimitExceeded {
			t.Errorf("too many watches: %+v", e)
		}
		if e := f.hub.Unsubscribe(s, &wire.Unsubscribe{View: "code/a"}); e == nil || e.Code != wire.CodeBadRequest {
			t.Errorf("unsubscribe from a watch: %+v", e)
		}
		other, _ := f.connect(t)
		if e := f.hub.Subscribe(other, &wire.Subscribe{Limit: 4}); e == nil || e.Code != wire.CodeLimitExceeded {
			t.Errorf("too many views: %+v", e)
		}
		if e := f.hub.Unsubscribe(s, &wire.Unsubscribe{View: "live/viewers/1"}); e != nil {
			t.Error(e)
		}
		if e := f.hub.Subscribe(other, &wire.Subscribe{Limit: 4}); e != nil {
			t.Errorf("an unused view was in the way: %v", e)
		}
		other.Close()
		if e := f.hub.Subscribe(other, &wire.Subscribe{}); e == nil || e.Code != wire.CodeUnavailable {
			t.Errorf("after Close: %+v", e)
		}
		if e := f.hub.Watch(other, &wire.Watch{Code: "b"}); e == nil || e.Code != wire.CodeUnavailable {
			t.Errorf("after Close: %+v", e)
		}
	})
}

// TestAnswersAreBounded: a socket that asks and does not read is closed.
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
			if <-c.closed; c.code != wire.ClosePolicy {
				t.Errorf("%s: closed with %d", name, c.code)
			}
		})
	}
}

// TestFinish: what was said goes out before the close.
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
		if n := len(c.takeMessages()); n != 3 || c.code != wire.CloseDrained {
			t.Errorf("%d messages, closed with %d", n, c.code)
		}
	})
}

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
		if m.ID != "1" || m.View != "code/a" || len(m.Entry.Play) != 3 || m.ExpiresAt != (fakeSigner{}).Expiry("a", f.time) {
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

// TestWatchBeforeShown: a session that a view has not shown yet can be watched.
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

func TestFirstPageIsCurrent(t *testing.T) {
	f := newFakeLog(t, Options{Signer: fakeSigner{}})
	f.editStream("a", setViewers(3))
	f.startStream("b")
	page, e := f.hub.Page(&wire.Subscribe{Limit: 1}, "")
	want := fmt.Sprintf(`{"view":"live/viewers/1","pos":%q,"total":2,"streams":[{"code":"a","anchor":"user-a",`+
		`"title":"Title of a","state":"live","started_at":%d,"viewers":3,"likes":0}],"cursor":`, position(2), testStart)
	if e != nil || !strings.HasPrefix(string(page), want) {
		t.Errorf("got  %s\nwant %s", page, want)
	}
	f.editStream("b", setViewers(4))
	if page, _ = f.hub.Page(&wire.Subscribe{Limit: 1}, ""); !strings.Contains(string(page), `"code":"b"`) {
		t.Errorf("an old page: %s", page)
	}
}

// TestPages: page by page one reads the whole list, once, in its order.
func TestPagesCoverTheList(t *testing.T) {
	f := newFakeLog(t, Options{Signer: fakeSigner{}})
	for i := range 23 {
		code := fmt.Sprintf("s%02d", i)
		f.startStream(code)
		f.editStream(code, setViewers(int64(i*7%5)))
	}
	for _, sort := range []string{wire.SortViewers, wire.SortLikes, wire.SortStarted} {
		q := wire.Subscribe{Sort: sort, Play: []string{"flv"}}
		type pageOf struct {
			Pos, Cursor string
			Total       int
			Streams     []wire.Entry
		}
		read := func(limit int, cursor string) (p pageOf) {
			t.Helper()
			q.Limit = limit
			text, e := f.hub.Page(&q, cursor)
			if e != nil {
				t.Fatal(e)
			}
			if err := json.Unmarshal(text, &p); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			return p
		}
		whole := read(100, "")
		if whole.Cursor != "" || len(whole.Streams) != 23 {
			t.Fatalf("%d streams, cursor %q", len(whole.Streams), whole.Cursor)
		}
		var got []wire.Entry
		for p := read(5, ""); ; p = read(5, p.Cursor) {
			if (p.Pos == "") != (len(got) > 0) || p.Total != 23 {
				t.Errorf("after %d: pos %q, total %d", len(got), p.Pos, p.Total)
			}
			got = append(got, p.Streams...)
			if p.Cursor == "" {
				break
			}
		}
		if !reflect.DeepEqual(got, whole.Streams) {
			t.Errorf("by %s: %d streams, or in another order", sort, len(got))
		}
		for _, bad := range []string{"x", "e30", read(5, "").Cursor + "A"} {
			if _, e := f.hub.Page(&q, bad); e == nil || e.Code != wire.CodeBadRequest {
				t.Errorf("cursor %q: %v", bad, e)
			}
		}
		other := q
		other.Sort = map[string]string{wire.SortViewers: wire.SortLikes, wire.SortLikes: wire.SortStarted, wire.SortStarted: wire.SortViewers}[sort]
		if _, e := f.hub.Page(&other, read(5, "").Cursor); e == nil {
			t.Error("a cursor of another sort was taken")
		}
	}
}

// TestOtherHistory: a log that starts anew, at lower ids, leaves nobody behind.
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
