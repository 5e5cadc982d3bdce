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

// asks makes a call, as somebody of a role, and returns what is answered.
func (s *scene) asks(role, method, url string) (status int, body []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, method, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if role != "" {
		token, err := s.token(s.ctx, role, "somebody")
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

// TestRecorded is the whole chain: an encoder pushes, an operator kicks, the media
// server cuts the push and has recorded it, viewers find the recording under its
// title, and its signed URL plays, which no other does.
func TestRecorded(t *testing.T) {
	t.Parallel()
	s := newScene(t, quiet(t))
	a, alice := s.starts("alice")
	push := s.pushes(alice)
	// Something must have been recorded: as much as viewers can see.
	e, _ := s.viewer.entry(alice.Stream.Code)
	if _, err := s.picture(s.ctx, playURL(e, "rtmp")); err != nil {
		t.Fatal(err)
	}
	from := s.viewer.now()
	if status, body := s.asks("admin", http.MethodPost, "http://"+s.api+"/v1/streams/"+alice.Stream.Code+"/kick"); status != 200 {
		t.Fatalf("the kick: %d %s", status, body)
	}
	if reason, err := a.isTold(s.ctx); err != nil || reason != wire.EndKicked {
		t.Errorf("she is told %q, %v", reason, err)
	}
	s.sees(from, alice.Stream.Code, gone)
	if err := cut(s.ctx, push); err != nil {
		t.Error("the push of who was kicked:", err)
	}
	id := s.isRecorded(alice.Stream.Code)
	status, body := s.asks("", http.MethodGet, "http://"+s.api+"/v1/recordings/"+id+"/play")
	var play struct{ URLs map[string]string }
	if err := json.Unmarshal(body, &play); err != nil || status != 200 || play.URLs["flv"] == "" {
		t.Fatalf("its play URL: %d %s", status, body)
	}
	url := play.URLs["flv"]
	if status, file := s.asks("", http.MethodGet, url); status != 200 || !bytes.HasPrefix(file, []byte("FLV")) || len(file) < 1000 {
		t.Errorf("the recording: %d, %d bytes", status, len(file))
	}
	if seen, err := s.picture(s.ctx, url); err != nil {
		t.Errorf("it shows %s, %v", seen, err)
	}
	before, query, _ := strings.Cut(url, "?")
	for what, altered := range map[string]string{
		"without a signature":     before,
		"of another file":         strings.Replace(before, "8888_alice", "8888_alicf", 1) + "?" + query,
		"for longer":              strings.Replace(url, "&expires=1", "&expires=2", 1),
		"with another signature":  strings.Replace(url, "?md5=", "?md5=A", 1),
		"with a signature cut":    strings.Replace(url, "&expires", "x&expires", 1),
		"with none but its start": before + "?md5=&expires=1",
	} {
		if status, _ := s.asks("", http.MethodGet, altered); status != 403 {
			t.Errorf("%s it is answered with %d", what, status)
		}
	}
}

// TestAskedAndTold: the media server's own statistics say that a push goes on, and
// who is kicked is cut by its control.
func TestAskedAndTold(t *testing.T) {
	t.Parallel()
	set := quiet(t)
	set.Asked = true
	s := newScene(t, set)
	_, alice := s.starts("alice")
	push := s.pushes(alice)
	s.until("the media server to have been asked", func() bool {
		_, body := s.asks("admin", http.MethodGet, "http://"+s.api+"/v1/streams/"+alice.Stream.Code+"/why")
		return bytes.Contains(body, []byte(`"source":"poll","sign":"online"`))
	})
	s.asks("admin", http.MethodPost, "http://"+s.api+"/v1/streams/"+alice.Stream.Code+"/kick")
	if err := cut(s.ctx, push); err != nil {
		t.Error("the push of who was kicked:", err)
	}
	s.until("the media server to have been told", func() bool {
		_, body := s.asks("", http.MethodGet, "http://"+s.ops+"/metrics")
		return bytes.Contains(body, []byte(`onair_moderations_total{event="stream.ended",result="done"} 1`))
	})
}

// until waits for what must come.
func (s *scene) until(what string, there func() bool) {
	s.t.Helper()
	for end := time.Now().Add(longestStep); !there(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// isRecorded waits for a recording of a live code, and returns its id.
func (s *scene) isRecorded(code string) (id string) {
	s.t.Helper()
	for end := time.Now().Add(longestStep); ; time.Sleep(100 * time.Millisecond) {
		_, body := s.asks("", http.MethodGet, "http://"+s.api+"/v1/recordings?code="+code)
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
			s.t.Fatal("no recording appears")
		}
	}
}
