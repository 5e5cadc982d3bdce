package leader_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/rest"
)

func withTencent(t *testing.T, flags ...string) *nodetest.Server {
	t.Helper()
	return nodetest.Serve(t, append([]string{
		"--hooks.tencent.enabled", "true", "--hooks.tencent.secret", "s3cret", "--hooks.tencent.key", nodetest.TencentKey,
	}, flags...)...)
}

func sequence(n int) map[string]any { return map[string]any{"sequence": fmt.Sprint("seq", n)} }

func TestCloudTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withTencent(t)
		s.Public.PeerAddress = netip.MustParseAddrPort("203.0.113.9:1") // from anywhere
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x"}`)
		want := func(what, state string) {
			t.Helper()
			if got := s.StreamState("8888_alice"); got != state {
				t.Errorf("%s: %s, want %s", what, got, state)
			}
		}
		if a := nodetest.PostTencentCallback(s, 1, sequence(1)).RequireStatus(200); strings.TrimSpace(string(a.Body)) != `{"code":0}` {
			t.Errorf("answered with %s", a.Body)
		}
		want("begun", "live")
		late := map[string]any{"sequence": "seq0", "event_time": time.Now().Unix()}
		time.Sleep(5 * time.Second)
		nodetest.PostTencentCallback(s, 1, sequence(2)).RequireStatus(200)
		nodetest.PostTencentCallback(s, 1, late).RequireStatus(200) // an older one comes late
		nodetest.PostTencentCallback(s, 0, map[string]any{"sequence": "seq1", "errcode": 21}).RequireStatus(200)
		want("replaced by another push", "live")
		nodetest.PostTencentCallback(s, 0, sequence(2)).RequireStatus(200)
		want("ended", "away media")
		nodetest.PostTencentCallback(s, 1, sequence(2)).RequireStatus(200)
		want("its begin comes again", "away media")
		time.Sleep(35 * time.Second)
		want("after the grace", "gone")
		nodetest.PostTencentCallback(s, 1, sequence(3)).RequireStatus(200) // for nobody: the cloud is not to repeat it
		if n := s.MetricText(`onair_callbacks_total{event="push_begun",provider="tencent",result="not_live"}`); n != "1" {
			t.Errorf("%s starts for nobody", n)
		}
	})
}

// recordings are those of a page.
func listRecordings(s *nodetest.Server, query, token string) (page struct {
	Recordings []rest.RecordingView
	Cursor     string
},
) {
	s.T.Helper()
	s.Call("GET", "/v1/recordings"+query, token, "").RequireStatus(200).Decode(&page)
	return page
}

func TestRecordings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withTencent(t, "--recordings.min", "5s", "--vod.provider", "tencent", "--vod.key", "24FEQmTzro4V5u3D5epW")
		begun := s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"Hello","listed":true}`)
		file := func(id string, seconds int64) map[string]any {
			return map[string]any{
				"file_id": id, "file_format": "mp4", "start_time": time.Now().Unix() - seconds, "end_time": time.Now().Unix(), "duration": seconds,
				"file_size": 7, "video_url": "http://1.vod2.myqcloud.com/a/" + id + "/f0.mp4",
			}
		}
		time.Sleep(30 * time.Second)
		nodetest.PostTencentCallback(s, 100, file("one", 20)).RequireStatus(200)
		nodetest.PostTencentCallback(s, 100, file("short", 4)).RequireStatus(200)
		nodetest.PostTencentCallback(s, 100, file("one", 20)).RequireStatus(200)
		time.Sleep(time.Second)
		page := listRecordings(s, "", "")
		if len(page.Recordings) != 1 {
			t.Fatalf("recordings %+v", page.Recordings)
		}
		rec := page.Recordings[0]
		if rec.Code != "8888_alice" || rec.Anchor != "alice" || rec.Title != "Hello" || rec.DurationMS != 20_000 || rec.Session != "" || rec.SizeBytes != 7 {
			t.Errorf("%+v", rec)
		}
		if of := listRecordings(s, "?anchor=alice", s.DayToken(auth.Backend, "b")).Recordings[0]; of.Session != begun.Session {
			t.Errorf("a back end is shown session %q", of.Session)
		}
		s.Call("PATCH", "/v1/streams/8888_alice?session="+begun.Session, s.DayToken(auth.Anchor, "alice"), `{"title":"Good night"}`).RequireStatus(200)
		s.Call("DELETE", "/v1/streams/8888_alice?session="+begun.Session, s.DayToken(auth.Anchor, "alice"), "").RequireStatus(200)
		time.Sleep(time.Second)
		if got := listRecordings(s, "", "").Recordings[0].Title; got != "Good night" {
			t.Errorf("after the end it is called %q", got)
		}
		nodetest.PostTencentCallback(s, 100, file("two", 10)).RequireStatus(200) // after the end
		time.Sleep(time.Second)
		if all := listRecordings(s, "?code=8888_alice", "").Recordings; len(all) != 2 || all[0].Title != "Good night" {
			t.Errorf("%+v", all)
		}
		if none := listRecordings(s, "?anchor=bob", "").Recordings; len(none) != 0 {
			t.Errorf("%+v", none)
		}
		var play struct {
			URLs      map[string]string
			ExpiresAt int64 `json:"expires_at"`
		}
		s.Call("GET", "/v1/recordings/"+rec.ID+"/play", "", "").RequireStatus(200).Decode(&play)
		if url := play.URLs["mp4"]; !strings.HasPrefix(url, "http://1.vod2.myqcloud.com/a/one/f0.mp4?t=") || !strings.Contains(url, "&sign=") || play.ExpiresAt <= time.Now().UnixMilli() {
			t.Errorf("play %+v", play)
		}
		s.Call("GET", "/v1/recordings/none/play", "", "").RequireProblem(404, wire.CodeNotFound)
		s.Call("GET", "/v1/recordings?cursor=x", "", "").RequireProblem(400, wire.CodeBadRequest)
		s.Call("GET", "/v1/recordings?from=x", "", "").RequireProblem(400, wire.CodeBadRequest)
		if n := s.MetricText("onair_outbox_events"); n != "0" {
			t.Errorf("%s effects wait", n)
		}
	})
}

// TestUnlistedRecordings: what was in no view is found by who knows its code.
func TestUnlistedRecordings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withTencent(t, "--recordings.keep", "1h")
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x","listed":false}`)
		time.Sleep(2 * time.Second)
		nodetest.PostTencentCallback(s, 100, map[string]any{"file_id": "1", "video_url": "http://x/f.mp4", "end_time": time.Now().Unix(), "duration": 1}).RequireStatus(200)
		time.Sleep(time.Second)
		for query, want := range map[string]int{"": 0, "?anchor=alice": 0, "?code=8888_alice": 1} {
			if got := len(listRecordings(s, query, "").Recordings); got != want {
				t.Errorf("%s shows %d", query, got)
			}
		}
		if got := len(listRecordings(s, "", s.DayToken(auth.Admin, "op")).Recordings); got != 1 {
			t.Errorf("an operator is shown %d", got)
		}
		s.Call("GET", "/v1/recordings/"+presence.RecordingID("tencent", "1")+"/play", "", "").RequireProblem(404, wire.CodeNotFound) // vod.provider is none
		time.Sleep(2 * time.Hour)
		if got := len(listRecordings(s, "?code=8888_alice", "").Recordings); got != 0 {
			t.Errorf("%d are kept for longer than asked", got)
		}
	})
}

// TestNewestIsFiled: the next keeper, which files again what was not concluded, does
// not bring back what a recording was before its session ended.
func TestNewestIsFiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &nodetest.Backend{Status: 500}
		s := telling(t, b, "--webhooks.events", "recording.ready")
		session := s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"first"}`).Session
		time.Sleep(time.Minute)
		now := time.Now().UnixMilli()
		rec := presence.Recording{
			ID: presence.RecordingID("tencent", "1"), Provider: "tencent", Code: "8888_alice", Format: "mp4",
			StartedAt: now - 30_000, EndedAt: now, Duration: 30_000, Location: "http://x/f.mp4",
		}
		if e := s.Node.Broadcasts.AddRecording(t.Context(), &rec); e != nil {
			t.Fatal(e)
		}
		time.Sleep(time.Second)
		s.Call("PATCH", "/v1/streams/8888_alice?session="+session, s.DayToken(auth.Anchor, "alice"), `{"title":"last"}`)
		s.Call("DELETE", "/v1/streams/8888_alice?session="+session, s.DayToken(auth.Anchor, "alice"), "").RequireStatus(200)
		time.Sleep(5 * time.Second)
		for range 2 {
			got, _, err := s.Node.Store.Recording(t.Context(), rec.ID)
			if got.Title != "last" || err != nil {
				t.Errorf("filed with title %q, %v", got.Title, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			s.Node.Leader.Run(ctx)
			cancel()
		}
	})
}
