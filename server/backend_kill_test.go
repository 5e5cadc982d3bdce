package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/rest"
)

// TestWebhooksAreSentAfterKill: an event that a killed server had not delivered is
// delivered by the next, under its id.
func TestWebhooksAreSentAfterKill(t *testing.T) {
	t.Parallel()
	b := &nodetest.Backend{Status: 503}
	srv := httptest.NewServer(b)
	defer srv.Close()
	dir := t.TempDir()
	flags := []string{"--webhooks.url", srv.URL, "--webhooks.secret", nodetest.WebhookSecret, "--heartbeat.interval", "10s"}
	p := startProcess(t, dir, flags...)
	alice := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
	begun := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
	nodetest.Eventually(t, "the back end is told", func() bool { b.Mutex.Lock(); defer b.Mutex.Unlock(); return b.Attempts > 0 })
	p.signalAndWait(syscall.SIGKILL)
	b.SetStatus(200)
	p = startProcess(t, dir, flags...)
	nodetest.Eventually(t, "the back end is told", func() bool { return slices.Equal(b.EventTypesAndReasons(), []string{"stream.started"}) })
	ctx, cancel := context.WithTimeout(context.Background(), nodetest.ProcessTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "DELETE", "http://"+p.address+"/v1/streams/8888_alice?session="+begun.Session, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+nodetest.SignToken(t, auth.Anchor, "alice"))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	nodetest.Eventually(t, "the back end is told", func() bool {
		return slices.Equal(b.EventTypesAndReasons(), []string{"stream.started", "stream.ended stopped"})
	})
}

// TestRecordingSurvivesKill: an acknowledged recording is listed at once after kill -9.
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
		p.signalAndWait(syscall.SIGKILL)
	}
	p := startProcess(t, dir, "--hooks.srs.enabled", "true")
	nodetest.Eventually(t, "all recordings are listed", func() bool {
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
