package webhooks

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver is a back end on a real server, that verifies by the scheme's own
// library.
type receiver struct {
	t       *testing.T
	secrets []string // each of which must verify
	all     chan struct{}

	mu     sync.Mutex // guards the following fields
	want   int
	events []map[string]any
	users  []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	if req.Method != "POST" || req.Header.Get("Content-Type") != "application/cloudevents+json" || req.URL.RequestURI() != "/hook?k=v" {
		r.t.Errorf("%s %s, %s", req.Method, req.URL, req.Header.Get("Content-Type"))
	}
	for _, secret := range r.secrets {
		one, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			r.t.Error(err)
		} else if err := one.Verify(body, req.Header); err != nil {
			r.t.Error(err)
		}
	}
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		r.t.Errorf("%v: %s", err, body)
	}
	if event["id"] != req.Header.Get("webhook-id") {
		r.t.Errorf("the event is %v, the message %s", event["id"], req.Header.Get("webhook-id"))
	}
	user, password, _ := req.BasicAuth()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
	r.users = append(r.users, user+":"+password)
	if r.want--; r.want == 0 {
		close(r.all)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(strings.Repeat("thanks ", 10_000))) // more than is read
}

// TestEndToEnd: over TLS, by HTTP/1.1 and HTTP/2, two secrets, and a password in
// the URL.
func TestEndToEnd(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		secrets := []string{testSecret, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD1rV3gXe0ggk="}
		r := &receiver{t: t, secrets: secrets, all: make(chan struct{}), want: len(eventTypes)}
		server := httptest.NewUnstartedServer(r)
		server.EnableHTTP2 = http2
		server.StartTLS()
		target, err := NewTarget(TargetConfig{
			URL: strings.Replace(server.URL, "https://", "https://onair:pass%20word@", 1) + "/hook?k=v", Secrets: secrets, Source: "/onair/eu",
		})
		if err != nil {
			t.Fatal(err)
		}
		sender := NewSender(Options{Target: func() *Target { return target }})
		own := sender.client.Transport.(*http.Transport)
		own.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		ctx, cancel := newContext()
		var settled sync.WaitGroup
		settled.Add(len(eventTypes))
		pump := sender.NewPump(func(id string, dead bool, why string) {
			if dead {
				t.Errorf("%s was given up: %s", id, why)
			}
			settled.Done()
		})
		pump.Enqueue(samples(t)...)
		done := make(chan struct{})
		go func() {
			defer close(done)
			pump.Run(ctx)
		}()
		<-r.all
		settled.Wait()
		cancel()
		<-done
		server.Close()
		for i, e := range samples(t) {
			got := r.events[i]
			if got["id"] != e.ID || got["type"] != string(e.Type) || got["subject"] != "8888_alice" || got["source"] != "/onair/eu" || got["specversion"] != "1.0" {
				t.Errorf("event %d: %v", i, got)
			}
			if r.users[i] != "onair:pass word" {
				t.Errorf("by %q", r.users[i])
			}
		}
	}
}

// TestRedirects: a signed event goes nowhere else.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(other.URL, status))
		target := newTarget(t, server.URL)
		sender := NewSender(Options{Target: func() *Target { return target }})
		ctx, cancel := newContext()
		pump := sender.NewPump(func(_ string, dead bool, _ string) {
			if !dead {
				t.Errorf("%d is taken for a delivery", status)
			}
			cancel()
		})
		old := event("a", 0)
		old.Time = 0 // given up after its first try
		pump.Enqueue(old)
		pump.Run(ctx)
		server.Close()
	}
}

// TestUntrusted: who cannot prove to be the back end is not told.
func TestUntrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("it was told")
	}))
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	defer server.Close()
	target := newTarget(t, server.URL+"/s3cretpath")
	sender := NewSender(Options{Target: func() *Target { return target }})
	ctx, cancel := newContext()
	pump := sender.NewPump(func(_ string, dead bool, why string) {
		if !dead || !strings.Contains(why, "certificate") {
			t.Errorf("dead %v: %s", dead, why)
		}
		noSecret(t, "why", why)
		cancel()
	})
	old := event("a", 0)
	old.Time = 0
	pump.Enqueue(old)
	pump.Run(ctx)
}
