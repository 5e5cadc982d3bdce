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

// target is the session of a number, which matters.
func target(n int) Target {
	var s presence.Session
	binary.BigEndian.PutUint64(s[:], uint64(n+1))
	return Target{Session: s, Code: code(n), Matters: true}
}

func code(n int) string { return fmt.Sprintf("8888_%06d", n) }

func targets(n int) (all []Target) {
	for i := range n {
		all = append(all, target(i))
	}
	return all
}

// fake is a cloud. Its fields are set before it is asked; nil functions say that
// nothing is out of order.
type fake struct {
	online func(code string) bool
	list   func() error            // how reading the list ends
	state  func(code string) error // how a single query fails

	mu    sync.Mutex
	asked []asked
}

type asked struct {
	at   time.Time
	code string // "" is the list
}

func (f *fake) note(code string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, asked{time.Now(), code})
}

// of are the single queries for a code, "" of lists.
func (f *fake) of(code string) (all []time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		if a.code == code {
			all = append(all, a.at)
		}
	}
	return all
}

// singly is how many single queries there were.
func (f *fake) singly() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(f.asked), func(a asked) bool { return a.code == "" }))
}

func (f *fake) State(ctx context.Context, code string) (cloud.State, error) {
	f.note(code)
	if err := pause(ctx, latency); err != nil {
		return 0, err
	}
	if f.state != nil {
		if err := f.state(code); err != nil {
			return 0, err
		}
	}
	if f.online(code) {
		return cloud.Online, nil
	}
	return cloud.Offline, nil
}

// Online names those of n sessions that are online, as they are when it begins.
func (f *fake) Online(n int) func(context.Context, func(string)) error {
	return func(ctx context.Context, each func(string)) error {
		f.note("")
		var named []string
		for i := range n {
			if f.online(code(i)) {
				named = append(named, code(i))
			}
		}
		if err := pause(ctx, latency); err != nil {
			return err
		}
		var err error
		if f.list != nil {
			err = f.list()
		}
		if err != nil {
			named = named[:len(named)/2]
		}
		for _, code := range named {
			each(code)
		}
		return err
	}
}

// pause takes time, as an answer does.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// heard are the words of a poller.
type heard struct {
	mu     sync.Mutex
	words  []Result
	times  []time.Time
	counts map[string][NoAnswer + 1]int // by code and what is said
}

func (h *heard) tell(w Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.words = append(h.words, w)
	h.times = append(h.times, time.Now())
	if h.counts == nil {
		h.counts = map[string][NoAnswer + 1]int{}
	}
	c := h.counts[w.Code]
	c[w.Status]++
	h.counts[w.Code] = c
}

// count is how many words of a kind there are of a session.
func (h *heard) count(n int, what Status) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts[code(n)][what]
}

// all is how many words of a kind there are.
func (h *heard) all(what Status) (all int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.counts {
		all += c[what]
	}
	return all
}

// newPoller makes one of a cloud that has n sessions.
func newPoller(c Provider, n int, h *heard) *Poller {
	if c.Budget == nil {
		c.Budget = cloud.NewBudget(50)
	}
	all := targets(n)
	return New(Options{Provider: c, Interval: interval, Targets: func() []Target { return all }, OnResult: h.tell, Logger: zerolog.Nop()})
}

// run has a poller run for a time.
func run(t *testing.T, p *Poller, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	defer time.AfterFunc(d, cancel).Stop()
	p.Run(ctx)
}

// rounds is long enough for so many, and too short for the next.
func rounds(n int) time.Duration { return time.Duration(n)*interval - time.Second }
