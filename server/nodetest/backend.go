package nodetest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// WebhookEvent is one event as the app's back end receives it.
type WebhookEvent struct {
	ID, Type, Subject string
	Data              struct{ Session, Code, Anchor, Title, State, Reason, URL, Location string }
}

// Backend is the app's back end. It receives webhooks.
type Backend struct {
	Mutex    sync.Mutex
	Events   []WebhookEvent
	Status   int // of its responses; 0: 200
	Attempts int
}

// ServeHTTP receives one event.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.Mutex.Lock()
	defer b.Mutex.Unlock()
	b.Attempts++
	if b.Status != 0 && b.Status != 200 {
		w.WriteHeader(b.Status)
		return
	}
	var e WebhookEvent
	if json.Unmarshal(body, &e) != nil || r.Header.Get("webhook-id") != e.ID || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
		w.WriteHeader(400)
		return
	}
	b.Events = append(b.Events, e)
}

// SetStatus sets the HTTP status of the responses; with 200 it stores events.
func (b *Backend) SetStatus(status int) {
	b.Mutex.Lock()
	defer b.Mutex.Unlock()
	b.Status = status
}

// EventTypesAndReasons returns the type and reason of each received event, in order.
func (b *Backend) EventTypesAndReasons() (types []string) {
	b.Mutex.Lock()
	defer b.Mutex.Unlock()
	for _, e := range b.Events {
		types = append(types, strings.TrimSpace(e.Type+" "+e.Data.Reason))
	}
	return types
}

// ReceivedEvents returns the received events, in order.
func (b *Backend) ReceivedEvents() []WebhookEvent {
	b.Mutex.Lock()
	defer b.Mutex.Unlock()
	return slices.Clone(b.Events)
}

// WebhookSecret signs the webhooks of tests.
const WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
