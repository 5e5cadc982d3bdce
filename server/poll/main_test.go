package poll

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"onair/presence"
	"onair/server/cloud"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	interval = 60 * time.Second
	latency  = 100 * time.Millisecond
)

var errDown = errors.New("down")

// target returns the session with a number. It matters.
func target(n int) presence.PollTarget {
	var s presence.Session
	binary.BigEndian.PutUint64(s[:], uint64(n+1))
	return presence.PollTarget{Session: s, Code: code(n), OfflineCounts: true}
}

func code(n int) string { return fmt.Sprintf("8888_%06d", n) }

func targets(n int) (all []presence.PollTarget) {
	for i := range n {
		all = append(all, target(i))
	}
	return all
}

// fakeProvider is a provider. Set its functions before use; nil error functions mean no
// error.
type fakeProvider struct {
	online   func(code string) bool
	listErr  func() error            // ends a read of the list early
	stateErr func(code string) error // fails a single query

	mu      sync.Mutex // guards queries
	queries []query
}

type query struct {
	at   time.Time
	code string // empty: the list
}

func (f *fakeProvider) recordQuery(code string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, query{time.Now(), code})
}

// queryTimes returns the times of the single queries for a code, or of the list queries if
// it is empty.
func (f *fakeProvider) queryTimes(code string) (times []time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.queries {
		if q.code == code {
			times = append(times, q.at)
		}
	}
	return times
}

func (f *fakeProvider) singleQueries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(f.queries), func(q query) bool { return q.code == "" }))
}

// IsOnline implements Provider.IsOnline.
func (f *fakeProvider) IsOnline(ctx context.Context, code string) (bool, error) {
	f.recordQuery(code)
	if err := sleep(ctx, latency); err != nil {
		return false, err
	}
	if f.stateErr != nil {
		if err := f.stateErr(code); err != nil {
			return false, err
		}
	}
	if f.online(code) {
		return true, nil
	}
	return false, nil
}

// forEachOnline returns a Provider.ForEachOnline for n sessions, with their state at its
// call. With an error it yields half of them.
func (f *fakeProvider) forEachOnline(n int) func(context.Context, func(string)) error {
	return func(ctx context.Context, yield func(string)) error {
		f.recordQuery("")
		var online []string
		for i := range n {
			if f.online(code(i)) {
				online = append(online, code(i))
			}
		}
		if err := sleep(ctx, latency); err != nil {
			return err
		}
		var err error
		if f.listErr != nil {
			err = f.listErr()
		}
		if err != nil {
			online = online[:len(online)/2]
		}
		for _, code := range online {
			yield(code)
		}
		return err
	}
}

// sleep waits for d, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// result is a result of a poller.
type result struct {
	presence.PollTarget
	signal presence.Signal
}

// resultRecorder records the results of a poller.
type resultRecorder struct {
	mu      sync.Mutex // guards the fields below
	results []result
	times   []time.Time
	counts  map[string][presence.PollFailed + 1]int // by code and status
}

func (r *resultRecorder) record(target presence.PollTarget, signal presence.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, result{target, signal})
	r.times = append(r.times, time.Now())
	if r.counts == nil {
		r.counts = map[string][presence.PollFailed + 1]int{}
	}
	c := r.counts[target.Code]
	c[signal]++
	r.counts[target.Code] = c
}

// count returns the number of results with a status for session n.
func (r *resultRecorder) count(n int, signal presence.Signal) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[code(n)][signal]
}

// total returns the number of results with a status for all sessions.
func (r *resultRecorder) total(signal presence.Signal) (total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.counts {
		total += c[signal]
	}
	return total
}

// newPoller returns a poller for n sessions.
func newPoller(provider Provider, n int, r *resultRecorder) *Poller {
	if provider.Budget == nil {
		provider.Budget = cloud.NewBudget(50)
	}
	all := targets(n)
	return NewPoller(Options{Provider: provider, Interval: interval, Targets: func() []presence.PollTarget { return all }, OnResult: r.record, Logger: zerolog.Nop()})
}

// runFor runs a poller for a duration.
func runFor(t *testing.T, p *Poller, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	defer time.AfterFunc(d, cancel).Stop()
	p.Run(ctx)
}

// rounds returns a duration for n rounds, which is too short for another.
func rounds(n int) time.Duration { return time.Duration(n)*interval - time.Second }
