package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
)

// TestWithinABlink: the first change after a quiet tick is shown at once, and
// those that follow at the next tick.
func TestWithinABlink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		viewer := s.viewer("")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		time.Sleep(time.Second)
		alice, bob := s.anchor("alice"), s.anchor("bob")
		asked := time.Now()
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		at := viewer.shows("alice", func(l *wire.ClientView) bool { return state(l, "8888_alice") != "" })
		within(t, "the first change", at.Sub(asked), 0, 10*time.Millisecond)
		answerTo[*wire.Started](bob, &wire.Start{ID: bob.id(), Title: "Hello"})
		at = viewer.shows("bob", func(l *wire.ClientView) bool { return state(l, "8888_bob") != "" })
		within(t, "the second change", at.Sub(asked), 240*time.Millisecond, 260*time.Millisecond)
	})
}

// TestResumeByPosition: a viewer that comes back gets a diff, a stranger's
// position a snapshot.
func TestResumeByPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		for i := range 5 {
			a := s.anchor(fmt.Sprintf("anchor%d", i))
			answerTo[*wire.Started](a, &wire.Start{ID: a.id(), Title: strings.Repeat("long title ", 20)})
		}
		viewer := s.viewer("")
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		time.Sleep(time.Second)
		pos, view := viewer.list.Pos(), viewer.list.ID()
		viewer.conn.CloseNow()
		late := s.anchor("late")
		answerTo[*wire.Started](late, &wire.Start{ID: late.id(), Title: "new"})
		time.Sleep(time.Second)
		again := s.viewer("")
		diff := answerTo[*wire.Diff](again, &wire.Subscribe{ID: again.id(), Pos: pos, View: view})
		if diff.Prev != pos || len(diff.Put) != 1 || diff.Put[0].Code != "8888_late" {
			t.Errorf("resumed with %+v", diff)
		}
		answerTo[*wire.Snapshot](again, &wire.Subscribe{ID: again.id(), Pos: "1763830000123-0.9f3c21ab"})
	})
}

// TestWatchCounts: watching counts until unwatch or close, and is shown.
func TestWatchCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.anchor("alice")
		code := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"}).Stream.Code
		crowd := []*caller{s.viewer(""), s.viewer(""), s.viewer("")}
		for _, v := range crowd {
			w := answerTo[*wire.Watching](v, &wire.Watch{ID: v.id(), Code: code})
			if len(w.Entry.Play) == 0 || w.ExpiresAt <= time.Now().UnixMilli() {
				t.Errorf("watching without play URLs: %+v", w)
			}
			if strings.Contains(string(wire.Append(nil, w)), "txSecret") == false {
				t.Errorf("unsigned: %+v", w)
			}
		}
		onlooker := s.viewer("")
		answerTo[*wire.Snapshot](onlooker, &wire.Subscribe{ID: onlooker.id()})
		viewers := func(n int64) func(*wire.ClientView) bool {
			return func(l *wire.ClientView) bool { e, _ := l.Entry(code); return e.Viewers == n }
		}
		onlooker.shows("three viewers", viewers(3))
		answerTo[*wire.Liked](crowd[1], &wire.Like{ID: crowd[1].id(), Code: code, N: 7})
		onlooker.shows("seven likes", func(l *wire.ClientView) bool { e, _ := l.Entry(code); return e.Likes == 7 })
		answerTo[*wire.Unwatched](crowd[0], &wire.Unwatch{ID: crowd[0].id(), Code: code})
		crowd[1].conn.CloseNow()
		onlooker.shows("one viewer", viewers(1))
		stopped := answerTo[*wire.Stopped](alice, &wire.Stop{ID: alice.id()})
		if stopped.Summary.PeakViewers != 3 || stopped.Summary.Likes != 7 {
			t.Errorf("summary %+v", stopped.Summary)
		}
		for {
			if d, _ := expect[*wire.Diff](crowd[2]); len(d.Del) == 1 {
				break
			}
		}
	})
}

// TestUnlisted: a stream that is not listed is in no view, but can be watched.
func TestUnlisted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice, viewer := s.anchor("alice"), s.viewer("")
		code := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello", Unlisted: true}).Stream.Code
		time.Sleep(time.Second)
		if got := answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()}); got.Total != 0 {
			t.Errorf("listed: %+v", got)
		}
		answerTo[*wire.Watching](viewer, &wire.Watch{ID: viewer.id(), Code: code})
	})
}

// TestSlowViewer: a viewer that reads nothing for a while gets one merged diff,
// and ends with the exact list.
func TestSlowViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "0"})
		slow, gate := s.slowViewer()
		answerTo[*wire.Snapshot](slow, &wire.Subscribe{ID: slow.id()})
		gate.Lock()
		for n := range 20 {
			time.Sleep(time.Second)
			answerTo[*wire.Updated](alice, &wire.Update{ID: alice.id(), Title: wire.Some(fmt.Sprint(n + 1))})
		}
		synctest.Wait()
		waiting := len(slow.inbox)
		gate.Unlock()
		slow.shows("the last title", func(l *wire.ClientView) bool { e, _ := l.Entry("8888_alice"); return e.Title == "20" })
		time.Sleep(time.Second)
		synctest.Wait()
		if waiting > 2 || len(slow.inbox) > 2 {
			t.Errorf("%d messages before, %d after: diffs were queued", waiting, len(slow.inbox))
		}
	})
}

// TestStuckViewer: one that takes no byte for thirty seconds is closed.
func TestStuckViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "0"})
		stuck, gate := s.slowViewer()
		answerTo[*wire.Snapshot](stuck, &wire.Subscribe{ID: stuck.id()})
		gate.Lock()
		answerTo[*wire.Updated](alice, &wire.Update{ID: alice.id(), Title: wire.Some("1")})
		answerTo[*wire.Updated](alice, &wire.Update{ID: alice.id(), Title: wire.Some("2")})
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if open := s.metric(`onair_connections{kind="viewer",role="anonymous"}`); open != "0" {
			t.Errorf("%s viewers are still connected", open)
		}
		gate.Unlock()
	})
}

func TestIdleView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		idle, blank := s.viewer(""), s.viewer("")
		answerTo[*wire.Snapshot](idle, &wire.Subscribe{ID: idle.id()})
		began, pos := time.Now(), idle.list.Pos()
		d, at := expect[*wire.Diff](idle)
		within(t, "an empty diff", at.Sub(began), 24*time.Second, 27*time.Second)
		if d.Prev != pos || len(d.Put)+len(d.Set)+len(d.Del) != 0 {
			t.Errorf("idle diff %+v after %s", d, pos)
		}
		_, at = expect[*wire.Ping](blank)
		within(t, "a ping", at.Sub(began), 24*time.Second, 27*time.Second)
	})
}

// TestDrain: both sockets are told when to come back, then closed with 4200;
// the list is kept.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice, viewer := s.anchor("alice"), s.viewer("")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		answerTo[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.id()})
		s.stop()
		for _, c := range []*caller{alice, viewer} {
			expect[*wire.Drain](c)
			if status, _ := c.closes(); status != wire.CloseDrained {
				t.Errorf("closed with %d", status)
			}
		}
		if err := s.stopped(); err != nil {
			t.Error(err)
		}
	})
}

// TestPages: the list, one stream and its play URLs over HTTP.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t)
		alice := s.anchor("alice")
		code := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello", Tags: []string{"game"}}).Stream.Code
		var page struct {
			View, Pos string
			Total     int
			Streams   []wire.Entry
		}
		decode(t, s.get(s.client, "/v1/streams?tags=game&play=flv,hls"), &page)
		if page.Total != 1 || len(page.Streams) != 1 || page.Streams[0].Code != code || page.Pos == "" || page.View == "" {
			t.Errorf("page %+v", page)
		}
		if len(page.Streams[0].Play) != 2 {
			t.Errorf("play URLs %+v", page.Streams[0].Play)
		}
		decode(t, s.get(s.client, "/v1/streams?tags=music"), &page)
		if page.Total != 0 {
			t.Errorf("page of another tag %+v", page)
		}
		var entry wire.Entry
		decode(t, s.get(s.client, "/v1/streams/"+code), &entry)
		if entry.Anchor != "alice" || entry.Title != "Hello" {
			t.Errorf("entry %+v", entry)
		}
		var play struct {
			Code      string
			Play      map[string]string
			ExpiresAt int64 `json:"expires_at"`
		}
		decode(t, s.get(s.client, "/v1/streams/"+code+"/play"), &play)
		if play.Code != code || !strings.Contains(play.Play["flv"], code+".flv?txSecret=") || play.ExpiresAt <= time.Now().UnixMilli() {
			t.Errorf("play %+v", play)
		}
		if got := s.get(s.client, "/"); !strings.Contains(got, "onair") {
			t.Errorf("page %q", got)
		}
		res, err := s.ops.Get("http://" + s.host + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("readyz: HTTP %d", res.StatusCode)
		}
	})
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
