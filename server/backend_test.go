package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/socket/sockettest"
	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/node"
	"onair/server/rest"
)

// told is one event as the app's back end gets it.
type told struct {
	ID, Type, Subject string
	Data              struct{ Session, Code, Anchor, Title, State, Reason, URL, Location string }
}

// backend is the app's back end: it takes webhooks, or does not.
type backend struct {
	mu     sync.Mutex
	all    []told
	status int // that it answers with
	tries  int
}

// ServeHTTP takes one event.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.status != 0 && b.status != 200 {
		w.WriteHeader(b.status)
		return
	}
	var e told
	if json.Unmarshal(body, &e) != nil || r.Header.Get("webhook-id") != e.ID || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
		w.WriteHeader(400)
		return
	}
	b.all = append(b.all, e)
}

func (b *backend) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// types are those of what was told, in order.
func (b *backend) types() (types []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.all {
		types = append(types, strings.TrimSpace(e.Type+" "+e.Data.Reason))
	}
	return types
}

// told is all that was told, in order.
func (b *backend) told() []told {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// telling starts a server, in a bubble, that tells a back end.
func telling(t *testing.T, b *backend, flags ...string) *testServer {
	t.Helper()
	l := sockettest.NewListener()
	srv := &http.Server{Handler: b}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return servePrepared(t, openMemory(t), false, func(o *node.Options) { o.WebhookTransport = l.Client().Transport }, append([]string{"--webhooks.url", "http://backend/hook", "--webhooks.secret", webhookSecret}, flags...)...)
}

func TestBackEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		s := telling(t, b)
		alice := s.anchor("alice")
		answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 1})
		time.Sleep(70 * time.Second)
		answerTo[*wire.Ack](alice, &wire.Beat{ID: alice.id(), N: 2})
		time.Sleep(time.Second)
		s.call("POST", "/v1/streams/8888_alice/kick", s.day(auth.Admin, "op"), "").is(200)
		time.Sleep(time.Second)
		if got, want := b.types(), []string{"stream.started", "stream.away", "stream.resumed", "stream.ended kicked"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		ids := map[string]bool{}
		for _, e := range b.told() {
			if ids[e.ID] || e.Subject != "8888_alice" || e.Data.Anchor != "alice" || e.Data.Title != "Hello" || e.Data.Session == "" {
				t.Errorf("%+v", e)
			}
			ids[e.ID] = true
		}
		if n := s.metric("onair_outbox_events"); n != "0" {
			t.Errorf("%s effects wait", n)
		}
	})
}

// TestBackEndIsDown: what happens meanwhile is told when it is back, in order, and
// once; what it refuses for good is a dead letter.
func TestBackEndIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{status: 500}
		s := telling(t, b, "--webhooks.events", "stream.started,stream.ended")
		for _, name := range []string{"alice", "bob", "alice", "bob"} {
			session := s.begin(s.day(auth.Anchor, name), `{"title":"x"}`).Session
			s.call("DELETE", "/v1/streams/8888_"+name+"?session="+session, s.day(auth.Anchor, name), "").is(200)
		}
		time.Sleep(10 * time.Minute)
		if n := s.metric("onair_outbox_events"); n != "8" {
			t.Errorf("%s effects wait", n)
		}
		b.answer(200)
		time.Sleep(10 * time.Minute)
		for _, name := range []string{"alice", "bob"} {
			var got []string
			for _, e := range b.told() {
				if e.Data.Anchor == name {
					got = append(got, e.Type)
				}
			}
			if want := []string{"stream.started", "stream.ended", "stream.started", "stream.ended"}; !slices.Equal(got, want) {
				t.Errorf("of %s: %q", name, got)
			}
		}
		b.answer(410)
		s.begin(s.day(auth.Anchor, "carol"), `{"title":"x"}`)
		time.Sleep(time.Minute)
		var page struct {
			DeadLetters []rest.DeadLetter `json:"dead_letters"`
		}
		s.call("GET", "/v1/dead-letters", s.day(auth.Admin, "op"), "").is(200).into(&page)
		if len(page.DeadLetters) != 1 || page.DeadLetters[0].Subject != "8888_carol" || !strings.Contains(page.DeadLetters[0].Why, "410") {
			t.Errorf("dead letters %+v", page.DeadLetters)
		}
		if n := s.metric("onair_dead_letters_total"); n != "1" {
			t.Errorf("%s dead letters are counted", n)
		}
		s.call("GET", "/v1/dead-letters", s.day(auth.Viewer, "v"), "").refused(403, wire.CodeForbidden)
	})
}

// TestBackEndIsToldAfterKill: an event that a killed server had not delivered is
// delivered by the next, under its id.
func TestBackEndIsToldAfterKill(t *testing.T) {
	t.Parallel()
	b := &backend{status: 503}
	srv := httptest.NewServer(b)
	defer srv.Close()
	dir := t.TempDir()
	flags := []string{"--webhooks.url", srv.URL, "--webhooks.secret", webhookSecret, "--heartbeat.interval", "10s"}
	p := startProcess(t, dir, flags...)
	alice := p.dial("/v1/anchor", token(t, auth.Anchor, "alice"))
	begun := answerTo[*wire.Started](alice, &wire.Start{ID: alice.id(), Title: "Hello"})
	eventually(t, "the back end is told", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.tries > 0 })
	p.end(syscall.SIGKILL)
	b.answer(200)
	p = startProcess(t, dir, flags...)
	eventually(t, "the back end is told", func() bool { return slices.Equal(b.types(), []string{"stream.started"}) })
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "DELETE", "http://"+p.address+"/v1/streams/8888_alice?session="+begun.Session, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token(t, auth.Anchor, "alice"))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	eventually(t, "the back end is told", func() bool { return slices.Equal(b.types(), []string{"stream.started", "stream.ended stopped"}) })
}

// TestRecordingSurvivesKill: a recording that was acknowledged is there after kill -9,
// at once.
func TestRecordingSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 5 {
		p := startProcess(t, dir, "--hooks.srs.enabled", "true")
		for range 2 {
			res, err := http.Post("http://"+p.address+"/v1/hooks/srs", "application/json", strings.NewReader(fmt.Sprintf(
				`{"server_id":"s","action":"on_dvr","client_id":"c","app":"live","stream":"8888_alice","cwd":"/rec","file":"%d.mp4"}`, i)))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 200 {
				t.Fatalf("HTTP %d", res.StatusCode)
			}
		}
		p.end(syscall.SIGKILL)
	}
	p := startProcess(t, dir, "--hooks.srs.enabled", "true")
	eventually(t, "all recordings are listed", func() bool {
		res, err := http.Get("http://" + p.address + "/v1/recordings?code=8888_alice")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var page struct{ Recordings []rest.RecordingView }
		if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
			t.Fatal(err)
		}
		return len(page.Recordings) == 5
	})
}
