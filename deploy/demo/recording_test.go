package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
)

// request sends a request with a token of that role, and returns the response.
func (s *testEnvironment) request(role, method, url string) (status int, body []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, method, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if role != "" {
		token, err := s.mintToken(s.ctx, role, "somebody")
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, body
}

// TestRecordingOfKickedStream: after a kick the media server cuts the push. The archive has
// its recording, whose signed URL plays, while altered URLs do not.
func TestRecordingOfKickedStream(t *testing.T) {
	t.Parallel()
	s := newTestEnvironment(t, quietSettings(t))
	a, alice := s.startSession("alice")
	push := s.startPush(alice)
	// Wait until the media server has recorded video.
	e, _ := s.viewer.entry(alice.Stream.Code)
	if _, err := s.awaitVideo(s.ctx, playURL(e, "rtmp")); err != nil {
		t.Fatal(err)
	}
	position := s.viewer.position()
	if status, body := s.request("admin", http.MethodPost, "http://"+s.addrs.api+"/v1/streams/"+alice.Stream.Code+"/kick"); status != 200 {
		t.Fatalf("kick: %d %s", status, body)
	}
	if reason, err := a.awaitEnded(s.ctx); err != nil || reason != wire.EndKicked {
		t.Errorf("the reason is %q, %v", reason, err)
	}
	s.awaitState(position, alice.Stream.Code, removed)
	if err := awaitCut(s.ctx, push); err != nil {
		t.Error("the kicked push:", err)
	}
	id := s.awaitRecording(alice.Stream.Code)
	status, body := s.request("", http.MethodGet, "http://"+s.addrs.api+"/v1/recordings/"+id+"/play")
	var play struct{ URLs map[string]string }
	if err := json.Unmarshal(body, &play); err != nil || status != 200 || play.URLs["flv"] == "" {
		t.Fatalf("play URL: %d %s", status, body)
	}
	url := play.URLs["flv"]
	if status, file := s.request("", http.MethodGet, url); status != 200 || !bytes.HasPrefix(file, []byte("FLV")) || len(file) < 1000 {
		t.Errorf("the recording: %d, %d bytes", status, len(file))
	}
	if format, err := s.awaitVideo(s.ctx, url); err != nil {
		t.Errorf("the recording's video is %s, %v", format, err)
	}
	before, query, _ := strings.Cut(url, "?")
	for change, altered := range map[string]string{
		"without a signature":     before,
		"of another file":         strings.Replace(before, "8888_alice", "8888_alicf", 1) + "?" + query,
		"with a later expiry":     strings.Replace(url, "&expires=1", "&expires=2", 1),
		"with another signature":  strings.Replace(url, "?md5=", "?md5=A", 1),
		"with a longer argument":  strings.Replace(url, "&expires", "x&expires", 1),
		"with an empty signature": before + "?md5=&expires=1",
	} {
		if status, _ := s.request("", http.MethodGet, altered); status != 403 {
			t.Errorf("%s the status is %d", change, status)
		}
	}
}

// TestPollAndControl: onair polls the statistics of the media server, and cuts a kicked push
// through its control URL.
func TestPollAndControl(t *testing.T) {
	t.Parallel()
	set := quietSettings(t)
	set.PollAndControl = true
	s := newTestEnvironment(t, set)
	_, alice := s.startSession("alice")
	push := s.startPush(alice)
	s.await("a poll of the media server", func() bool {
		_, body := s.request("admin", http.MethodGet, "http://"+s.addrs.api+"/v1/streams/"+alice.Stream.Code+"/why")
		return bytes.Contains(body, []byte(`"source":"poll","sign":"online"`))
	})
	s.request("admin", http.MethodPost, "http://"+s.addrs.api+"/v1/streams/"+alice.Stream.Code+"/kick")
	if err := awaitCut(s.ctx, push); err != nil {
		t.Error("the kicked push:", err)
	}
	s.await("the call of the control URL", func() bool {
		_, body := s.request("", http.MethodGet, "http://"+s.addrs.ops+"/metrics")
		return bytes.Contains(body, []byte(`onair_moderations_total{event="stream.ended",result="done"} 1`))
	})
}

// await waits until a condition holds.
func (s *testEnvironment) await(description string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(stepTimeout); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("timed out waiting for %s", description)
		}
	}
}

// awaitRecording waits for a recording of a live code, and returns its id.
func (s *testEnvironment) awaitRecording(code string) (id string) {
	s.t.Helper()
	for end := time.Now().Add(stepTimeout); ; time.Sleep(100 * time.Millisecond) {
		_, body := s.request("", http.MethodGet, "http://"+s.addrs.api+"/v1/recordings?code="+code)
		var page struct {
			Recordings []struct {
				ID, Anchor, Title, Format string
				DurationMS                int64 `json:"duration_ms"`
			}
		}
		if err := json.Unmarshal(body, &page); err != nil {
			s.t.Fatalf("%s: %v", body, err)
		}
		if len(page.Recordings) > 0 {
			rec := page.Recordings[0]
			if rec.Anchor != "alice" || rec.Title != "By alice" || rec.Format != "flv" || rec.DurationMS <= 0 {
				s.t.Errorf("the recording is %+v", rec)
			}
			return rec.ID
		}
		if time.Now().After(end) {
			s.t.Fatal("no recording")
		}
	}
}
