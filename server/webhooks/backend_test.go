package webhooks

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// request is a received request.
type request struct {
	at      time.Time
	id      string
	subject string
}

// response is the response of a back end.
type response struct {
	after      time.Duration
	status     int // 0: none
	retryAfter string
	err        error // instead of a response
}

// backEnd is an http.RoundTripper that simulates the app's back end.
type backEnd struct {
	mu             sync.Mutex // guards the fields below
	respond        func(request) response
	requests       []request // in order of arrival
	inProgress     int
	peakInProgress int
}

var accept = func(request) response { return response{status: 204} }

func (b *backEnd) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	var e envelope
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		return nil, err
	}
	var id presence.EventID
	if _, err := hex.Decode(id[:], []byte(e.ID)); err != nil {
		return nil, err
	}
	received := request{time.Now(), eventName(id), e.Subject}
	b.mu.Lock()
	b.requests = append(b.requests, received)
	b.inProgress++
	b.peakInProgress = max(b.peakInProgress, b.inProgress)
	resp := b.respond(received)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.inProgress--
		b.mu.Unlock()
	}()
	if resp.after > 0 {
		select {
		case <-time.After(resp.after):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if resp.err != nil {
		return nil, resp.err
	}
	httpResp := &http.Response{StatusCode: resp.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("thanks")), Request: r}
	if resp.retryAfter != "" {
		httpResp.Header.Set("Retry-After", resp.retryAfter)
	}
	return httpResp, nil
}

// respondWith changes the responses.
func (b *backEnd) respondWith(respond func(request) response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.respond = respond
}

// receivedIDs returns the event ids of the requests so far, of one live code, or of all if
// it is empty.
func (b *backEnd) receivedIDs(code string) (ids []string) {
	for _, r := range b.received() {
		if code == "" || r.subject == code {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// received returns the requests so far.
func (b *backEnd) received() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// maxConcurrent returns the peak of concurrent requests since the last call.
func (b *backEnd) maxConcurrent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	peak := b.peakInProgress
	b.peakInProgress = b.inProgress
	return peak
}

// dispatcherTest is a running dispatcher with its back end and its results.
type dispatcherTest struct {
	*backEnd
	t          testing.TB
	sender     *Sender
	dispatcher *Dispatcher
	reg        *prometheus.Registry
	logOutput  *logBuffer
	stop       func() // stops the dispatcher and waits for it

	mu       sync.Mutex // guards recorded
	recorded []testResult
}

// logBuffer stores log output.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newEndpoint(t interface {
	Helper()
	Fatal(...any)
}, url string,
) *Endpoint {
	t.Helper()
	endpoint, err := NewEndpoint(EndpointConfig{URL: url, Secrets: []string{testSecret}})
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

// withDispatcher calls f with a running dispatcher in a synctest bubble.
func withDispatcher(t *testing.T, respond func(request) response, f func(s *dispatcherTest)) {
	synctest.Test(t, func(t *testing.T) {
		s := newDispatcherTest(t, respond)
		defer s.stop()
		f(s)
	})
}

func newDispatcherTest(t testing.TB, respond func(request) response) *dispatcherTest {
	s := &dispatcherTest{t: t, backEnd: &backEnd{respond: respond}, reg: prometheus.NewRegistry(), logOutput: &logBuffer{}}
	endpoint := newEndpoint(t, "https://app.example.com/hook")
	s.sender = NewSender(Options{
		Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }, Transport: s.backEnd, Metrics: s.reg, Logger: zerolog.New(s.logOutput).Level(zerolog.InfoLevel),
	})
	s.startDispatcher()
	return s
}

// startDispatcher starts a new dispatcher.
func (s *dispatcherTest) startDispatcher() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.dispatcher = s.sender.NewDispatcher(s.recordResult)
	go func() {
		defer close(done)
		s.dispatcher.Run(ctx)
	}()
	s.stop = func() {
		cancel()
		<-done
	}
}

// testResult is a result with the code and number of its event.
type testResult struct{ eventID, failure string }

// eventName returns the code and number in an id of event.
func eventName(id presence.EventID) string { return strings.TrimRight(string(id[:]), "\x00") }

// recordResult is the OnResult of the dispatcher.
func (s *dispatcherTest) recordResult(id presence.EventID, failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorded = append(s.recorded, testResult{eventName(id), failure})
}

// results returns the results so far.
func (s *dispatcherTest) results() []testResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.recorded)
}

// metric returns the value of a metric, or the sample count of a histogram.
func (s *dispatcherTest) metric(name string, labels ...string) float64 {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	metrics:
		for _, m := range family.GetMetric() {
			for i, l := range m.GetLabel() {
				if l.GetValue() != labels[i] {
					continue metrics
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	s.t.Fatalf("no metric %s%v", name, labels)
	return 0
}

// event returns the nth event of a live code, at the present time.
func event(code string, n int) *presence.OutboxEvent {
	var id presence.EventID
	copy(id[:], fmt.Sprintf("%s-%d", code, n))
	return &presence.OutboxEvent{
		ID: id, Kind: presence.StreamAway, At: time.Now().UnixMilli(),
		Stream: &presence.Stream{Code: code, Anchor: "alice", State: presence.Away, Away: presence.MissedBeat},
	}
}

// events returns the first n events of a live code.
func events(code string, n int) (all []*presence.OutboxEvent) {
	for i := range n {
		all = append(all, event(code, i))
	}
	return all
}

var errConnection = errors.New("connection reset")

// failFirst responds to the first n attempts of each event with a status, then with 204.
func failFirst(n, status int) func(request) response {
	attempts := map[string]int{}
	return func(r request) response {
		if attempts[r.id]++; attempts[r.id] <= n {
			return response{status: status}
		}
		return response{status: 204}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func cancelableContext() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
