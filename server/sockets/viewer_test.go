package sockets_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/server/nodetest"
)

// TestFirstChangeIsSentAtOnce: the first change after a quiet tick is sent at once, and
// later ones at the next tick.
func TestFirstChangeIsSentAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		time.Sleep(time.Second)
		alice, bob := s.DialAnchor("alice"), s.DialAnchor("bob")
		asked := time.Now()
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		at := viewer.AwaitView("alice", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_alice") != "" })
		nodetest.RequireWithin(t, "the first change", at.Sub(asked), 0, 10*time.Millisecond)
		nodetest.RequestReply[*wire.Started](bob, &wire.Start{ID: bob.NextID(), Title: "Hello"})
		at = viewer.AwaitView("bob", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_bob") != "" })
		nodetest.RequireWithin(t, "the second change", at.Sub(asked), 240*time.Millisecond, 260*time.Millisecond)
	})
}

// TestResumeByPosition: a viewer that returns with its position gets a diff, and one with
// an unknown position gets a snapshot.
func TestResumeByPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		for i := range 5 {
			a := s.DialAnchor(fmt.Sprintf("anchor%d", i))
			nodetest.RequestReply[*wire.Started](a, &wire.Start{ID: a.NextID(), Title: strings.Repeat("long title ", 20)})
		}
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		time.Sleep(time.Second)
		pos, view := viewer.View.Pos(), viewer.View.ID()
		viewer.Conn.CloseNow()
		late := s.DialAnchor("late")
		nodetest.RequestReply[*wire.Started](late, &wire.Start{ID: late.NextID(), Title: "new"})
		time.Sleep(time.Second)
		again := s.DialViewer("")
		diff := nodetest.RequestReply[*wire.Diff](again, &wire.Subscribe{ID: again.NextID(), Pos: pos, View: view})
		if diff.Prev != pos || len(diff.Put) != 1 || diff.Put[0].Code != "8888_late" {
			t.Errorf("resumed with %+v", diff)
		}
		nodetest.RequestReply[*wire.Snapshot](again, &wire.Subscribe{ID: again.NextID(), Pos: "1763830000123-0.9f3c21ab"})
	})
}

// TestWatchesCountAsViewers: a watch counts as a viewer until unwatch or close, and
// viewers see the count.
func TestWatchesCountAsViewers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"}).Stream.Code
		watchers := []*nodetest.Client{s.DialViewer(""), s.DialViewer(""), s.DialViewer("")}
		for _, v := range watchers {
			w := nodetest.RequestReply[*wire.Watching](v, &wire.Watch{ID: v.NextID(), Code: code})
			if len(w.Entry.Play) == 0 || w.ExpiresAt <= time.Now().UnixMilli() {
				t.Errorf("watch without play URLs: %+v", w)
			}
			if strings.Contains(string(wire.Append(nil, w)), "txSecret") == false {
				t.Errorf("unsigned: %+v", w)
			}
		}
		observer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](observer, &wire.Subscribe{ID: observer.NextID()})
		viewers := func(n int64) func(*wire.ClientView) bool {
			return func(l *wire.ClientView) bool { e, _ := l.Entry(code); return e.Viewers == n }
		}
		observer.AwaitView("three viewers", viewers(3))
		nodetest.RequestReply[*wire.Liked](watchers[1], &wire.Like{ID: watchers[1].NextID(), Code: code, N: 7})
		observer.AwaitView("seven likes", func(l *wire.ClientView) bool { e, _ := l.Entry(code); return e.Likes == 7 })
		nodetest.RequestReply[*wire.Unwatched](watchers[0], &wire.Unwatch{ID: watchers[0].NextID(), Code: code})
		watchers[1].Conn.CloseNow()
		observer.AwaitView("one viewer", viewers(1))
		stopped := nodetest.RequestReply[*wire.Stopped](alice, &wire.Stop{ID: alice.NextID()})
		if stopped.Summary.PeakViewers != 3 || stopped.Summary.Likes != 7 {
			t.Errorf("summary %+v", stopped.Summary)
		}
		for {
			if d, _ := nodetest.AwaitMessage[*wire.Diff](watchers[2]); len(d.Del) == 1 {
				break
			}
		}
	})
}

// TestUnlistedStreamIsInNoView: an unlisted stream is in no view, but can be watched.
func TestUnlistedStreamIsInNoView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, viewer := s.DialAnchor("alice"), s.DialViewer("")
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello", Unlisted: true}).Stream.Code
		time.Sleep(time.Second)
		if got := nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()}); got.Total != 0 {
			t.Errorf("listed: %+v", got)
		}
		nodetest.RequestReply[*wire.Watching](viewer, &wire.Watch{ID: viewer.NextID(), Code: code})
	})
}

// TestSlowViewerGetsMergedDiff: a viewer that does not read for a while gets one merged
// diff, and then has the exact list.
func TestSlowViewerGetsMergedDiff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "0"})
		slow, gate := s.DialSlowViewer()
		nodetest.RequestReply[*wire.Snapshot](slow, &wire.Subscribe{ID: slow.NextID()})
		gate.Lock()
		for n := range 20 {
			time.Sleep(time.Second)
			nodetest.RequestReply[*wire.Updated](alice, &wire.Update{ID: alice.NextID(), Title: wire.Some(fmt.Sprint(n + 1))})
		}
		synctest.Wait()
		waiting := len(slow.Inbox)
		gate.Unlock()
		slow.AwaitView("the last title", func(l *wire.ClientView) bool { e, _ := l.Entry("8888_alice"); return e.Title == "20" })
		time.Sleep(time.Second)
		synctest.Wait()
		if waiting > 2 || len(slow.Inbox) > 2 {
			t.Errorf("%d messages before, %d after: diffs were queued", waiting, len(slow.Inbox))
		}
	})
}

// TestStuckViewerIsClosed: a viewer that accepts no byte for thirty seconds is closed.
func TestStuckViewerIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "0"})
		stuck, gate := s.DialSlowViewer()
		nodetest.RequestReply[*wire.Snapshot](stuck, &wire.Subscribe{ID: stuck.NextID()})
		gate.Lock()
		nodetest.RequestReply[*wire.Updated](alice, &wire.Update{ID: alice.NextID(), Title: wire.Some("1")})
		nodetest.RequestReply[*wire.Updated](alice, &wire.Update{ID: alice.NextID(), Title: wire.Some("2")})
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if open := s.MetricText(`onair_connections{kind="viewer",role="anonymous"}`); open != "0" {
			t.Errorf("%s viewers are still connected", open)
		}
		gate.Unlock()
	})
}

func TestIdleViewGetsEmptyDiffs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		idle, blank := s.DialViewer(""), s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](idle, &wire.Subscribe{ID: idle.NextID()})
		began, pos := time.Now(), idle.View.Pos()
		d, at := nodetest.AwaitMessage[*wire.Diff](idle)
		nodetest.RequireWithin(t, "an empty diff", at.Sub(began), 24*time.Second, 27*time.Second)
		if d.Prev != pos || len(d.Put)+len(d.Set)+len(d.Del) != 0 {
			t.Errorf("idle diff %+v after %s", d, pos)
		}
		_, at = nodetest.AwaitMessage[*wire.Ping](blank)
		nodetest.RequireWithin(t, "a ping", at.Sub(began), 24*time.Second, 27*time.Second)
	})
}

// TestDrainClosesSockets: sockets get the time at which to reconnect and are closed with
// 4200. The list stays.
func TestDrainClosesSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice, viewer := s.DialAnchor("alice"), s.DialViewer("")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		s.Stop()
		for _, c := range []*nodetest.Client{alice, viewer} {
			nodetest.AwaitMessage[*wire.Drain](c)
			if status, _ := c.AwaitClose(); status != wire.CloseDrained {
				t.Errorf("closed with %d", status)
			}
		}
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestListOverHTTP: the list, one stream and its play URLs are served over HTTP.
func TestListOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		code := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello", Tags: []string{"game"}}).Stream.Code
		var page struct {
			View, Pos string
			Total     int
			Streams   []wire.Entry
		}
		decode(t, s.Get(s.HTTP, "/v1/streams?tags=game&play=flv,hls"), &page)
		if page.Total != 1 || len(page.Streams) != 1 || page.Streams[0].Code != code || page.Pos == "" || page.View == "" {
			t.Errorf("page %+v", page)
		}
		if len(page.Streams[0].Play) != 2 {
			t.Errorf("play URLs %+v", page.Streams[0].Play)
		}
		decode(t, s.Get(s.HTTP, "/v1/streams?tags=music"), &page)
		if page.Total != 0 {
			t.Errorf("page of another tag %+v", page)
		}
		var entry wire.Entry
		decode(t, s.Get(s.HTTP, "/v1/streams/"+code), &entry)
		if entry.Anchor != "alice" || entry.Title != "Hello" {
			t.Errorf("entry %+v", entry)
		}
		var play struct {
			Code      string
			Play      map[string]string
			ExpiresAt int64 `json:"expires_at"`
		}
		decode(t, s.Get(s.HTTP, "/v1/streams/"+code+"/play"), &play)
		if play.Code != code || !strings.Contains(play.Play["flv"], code+".flv?txSecret=") || play.ExpiresAt <= time.Now().UnixMilli() {
			t.Errorf("play %+v", play)
		}
		if got := s.Get(s.HTTP, "/"); !strings.Contains(got, "onair") {
			t.Errorf("page %q", got)
		}
		res, err := s.Ops.Get("http://" + s.Host + "/readyz")
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
