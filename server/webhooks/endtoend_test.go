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
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"onair/presence"
)

// receiver is a back end on a real server. It verifies signatures by the library of the
// scheme.
type receiver struct {
	t       *testing.T
	secrets []string      // all must verify
	done    chan struct{} // closed when all events have arrived

	mu      sync.Mutex // guards the fields below
	missing int
	events  []map[string]any
	users   []string
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
		webhook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			r.t.Error(err)
		} else if err := webhook.Verify(body, req.Header); err != nil {
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
	if r.missing--; r.missing == 0 {
		close(r.done)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(strings.Repeat("thanks ", 10_000))) // more than the sender reads
}

// TestEndToEnd delivers over TLS, by HTTP/1.1 and HTTP/2, with two secrets and a
// password in the URL.
func TestEndToEnd(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		secrets := []string{testSecret, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD1rV3gXe0ggk="}
		r := &receiver{t: t, secrets: secrets, done: make(chan struct{}), missing: len(sentKinds)}
		server := httptest.NewUnstartedServer(r)
		server.EnableHTTP2 = http2
		server.StartTLS()
		endpoint, err := NewEndpoint(EndpointConfig{
			URL: strings.Replace(server.URL, "https://", "https://onair:pass%20word@", 1) + "/hook?k=v", Secrets: secrets,
		})
		if err != nil {
			t.Fatal(err)
		}
		sender := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }})
		transport := sender.client.Transport.(*http.Transport)
		transport.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		ctx, cancel := cancelableContext()
		var open sync.WaitGroup
		open.Add(len(sentKinds))
		dispatcher := sender.NewDispatcher(func(id presence.EventID, failure string) {
			if failure != "" {
				t.Errorf("%s is dead: %s", id, failure)
			}
			open.Done()
		})
		dispatcher.Enqueue(sampleEvents(t)...)
		done := make(chan struct{})
		go func() {
			defer close(done)
			dispatcher.Run(ctx)
		}()
		<-r.done
		open.Wait()
		cancel()
		<-done
		server.Close()
		for i, e := range sampleEvents(t) {
			got := r.events[i]
			if got["id"] != e.ID.String() || got["type"] != e.Kind.String() || got["subject"] != "8888_alice" || got["source"] != "/onair" || got["specversion"] != "1.0" {
				t.Errorf("event %d: %v", i, got)
			}
			if r.users[i] != "onair:pass word" {
				t.Errorf("user %q", r.users[i])
			}
		}
	}
}

// TestRedirects: redirects are not followed.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(other.URL, status))
		endpoint := newEndpoint(t, server.URL)
		sender := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }})
		ctx, cancel := cancelableContext()
		dispatcher := sender.NewDispatcher(func(_ presence.EventID, failure string) {
			if failure == "" {
				t.Errorf("status %d counts as delivered", status)
			}
			cancel()
		})
		old := event("a", 0)
		old.At = 0 // it expires after the first attempt
		dispatcher.Enqueue(old)
		dispatcher.Run(ctx)
		server.Close()
	}
}

// TestUntrustedCertificate: a server without a valid certificate receives nothing.
func TestUntrustedCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the server received the event")
	}))
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	defer server.Close()
	endpoint := newEndpoint(t, server.URL+"/s3cretpath")
	sender := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }})
	ctx, cancel := cancelableContext()
	dispatcher := sender.NewDispatcher(func(_ presence.EventID, failure string) {
		if !strings.Contains(failure, "certificate") {
			t.Errorf("failure %q", failure)
		}
		requireNoSecret(t, "reason", failure)
		cancel()
	})
	old := event("a", 0)
	old.At = 0
	dispatcher.Enqueue(old)
	dispatcher.Run(ctx)
}
