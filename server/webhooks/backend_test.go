package webhooks

import (
	"context"
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

// call is one request that a back end got.
type call struct {
	at      time.Time
	id      string
	subject string
}

// reply is what a back end does with a request.
type reply struct {
	after      time.Duration
	status     int // 0: none
	retryAfter string
	err        error // instead of an answer
}

// backEnd is an http.RoundTripper that plays the app's back end.
type backEnd struct {
	mu    sync.Mutex // guards the following fields
	reply func(call) reply
	calls []call // in the order in which they came
	way   int
	most  int // that were under way at once
}

var up = func(call) reply { return reply{status: 204} }

func (b *backEnd) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	var e envelope
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		return nil, err
	}
	c := call{time.Now(), e.ID, e.Subject}
	b.mu.Lock()
	b.calls = append(b.calls, c)
	b.way++
	b.most = max(b.most, b.way)
	a := b.reply(c)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.way--
		b.mu.Unlock()
	}()
	if a.after > 0 {
		select {
		case <-time.After(a.after):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	resp := &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("thanks")), Request: r}
	if a.retryAfter != "" {
		resp.Header.Set("Retry-After", a.retryAfter)
	}
	return resp, nil
}

// will makes the back end answer in another way from now on.
func (b *backEnd) will(reply func(call) reply) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reply = reply
}

// got gives the ids of the requests so far, of one live code or, where that is
// empty, of all.
func (b *backEnd) got(code string) (ids []string) {
	for _, c := range b.log() {
		if code == "" || c.subject == code {
			ids = append(ids, c.id)
		}
	}
	return ids
}

// log gives the requests so far.
func (b *backEnd) log() []call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// peak gives how many requests were under way at once, at the most, since it was
// asked last.
func (b *backEnd) peak() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.most
	b.most = b.way
	return most
}

// stage is a pump that runs, what it sends to, and what it has said.
type stage struct {
	*backEnd
	t      testing.TB
	sender *Sender
	pump   *Pump
	reg    *prometheus.Registry
	logged *lockedLog
	stop   func() // ends the pump, and waits for it

	mu      sync.Mutex // guards settled
	settled []deliveryResult
}

// lockedLog keeps what is logged.
type lockedLog struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newTarget(t interface {
	Helper()
	Fatal(...any)
}, url string,
) *Target {
	t.Helper()
	target, err := NewTarget(TargetConfig{URL: url, Secrets: []string{testSecret}})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// perform runs a pump in a bubble.
func perform(t *testing.T, reply func(call) reply, f func(s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, reply)
		defer s.stop()
		f(s)
	})
}

func newStage(t testing.TB, reply func(call) reply) *stage {
	s := &stage{t: t, backEnd: &backEnd{reply: reply}, reg: prometheus.NewRegistry(), logged: &lockedLog{}}
	target := newTarget(t, "https://app.example.com/hook")
	s.sender = NewSender(Options{
		Target: func() *Target { return target }, Transport: s.backEnd, Metrics: s.reg, Logger: zerolog.New(s.logged).Level(zerolog.InfoLevel),
	})
	s.run()
	return s
}

// run begins a term.
func (s *stage) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.pump = s.sender.NewPump(s.hear)
	go func() {
		defer close(done)
		s.pump.Run(ctx)
	}()
	s.stop = func() {
		cancel()
		<-done
	}
}

// hear takes what the pump says.
func (s *stage) hear(id string, dead bool, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled = append(s.settled, deliveryResult{eventID: id, isDead: dead, reason: why})
}

// said gives what the pump has said so far.
func (s *stage) said() []deliveryResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.settled)
}

// metric gives the value of a metric; of a histogram how many it has seen.
func (s *stage) metric(name string, labels ...string) float64 {
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
	s.t.Fatalf("there is no %s%v", name, labels)
	return 0
}

// event makes the nth event of a live code, which happens now.
func event(code string, n int) Event {
	return Event{
		ID: fmt.Sprintf("%s-%d", code, n), Type: StreamAway, Time: time.Now().UnixMilli(),
		Stream: &presence.Stream{Code: code, Anchor: "alice", State: presence.Away, Away: presence.MissedBeat},
	}
}

// events makes the first n events of a live code.
func events(code string, n int) (all []Event) {
	for i := range n {
		all = append(all, event(code, i))
	}
	return all
}

var errBroken = errors.New("the line is broken")

// failing answers the first n tries of each event with a status, and then 204.
func failing(n, status int) func(call) reply {
	tries := map[string]int{}
	return func(c call) reply {
		if tries[c.id]++; tries[c.id] <= n {
			return reply{status: status}
		}
		return reply{status: 204}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newContext() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
