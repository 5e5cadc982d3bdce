package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"onair/hub/wire"
)

// anchor is somebody who goes live: a socket that beats.
type anchor struct {
	*line
	name string
	say  func(format string, args ...any)

	answers   chan wire.Message // to start; the reader must not wait for it
	interval  chan time.Duration
	probed    chan struct{}
	ended     chan *wire.Ended
	heartbeat chan struct{} // closed with the first ack

	mu    sync.Mutex
	beats int64     // how many were sent
	acked time.Time // when the last ack came
	sent  map[int64]time.Time
}

// goLive opens an anchor socket, starts a session and beats until the session
// or the socket ends.
func (st *stage) goLive(ctx context.Context, name, title string) (*anchor, *wire.Started, error) {
	token, err := st.token(ctx, "anchor", name)
	if err != nil {
		return nil, nil, err
	}
	a := &anchor{
		name: name, say: st.say, answers: make(chan wire.Message, 8), interval: make(chan time.Duration, 8),
		probed: make(chan struct{}, 1), ended: make(chan *wire.Ended, 8), sent: map[int64]time.Time{},
		heartbeat: make(chan struct{}),
	}
	if a.line, err = st.dial(ctx, "/v1/anchor", token, a.hear); err != nil {
		return nil, nil, err
	}
	if err := a.send(&wire.Start{ID: wire.IntID(1), Title: title}); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	select {
	case m := <-a.answers:
		started, ok := m.(*wire.Started)
		if !ok {
			return nil, nil, fmt.Errorf("start: %w", m.(*wire.Error))
		}
		st.mask.hide(started.Session)
		go a.beat()
		return a, started, nil
	case <-a.done:
		return nil, nil, a.err
	case <-ctx.Done():
		return nil, nil, errors.New("no answer to start")
	}
}

func (a *anchor) hear(m wire.Message) {
	switch m := m.(type) {
	case *wire.Welcome:
		a.interval <- time.Duration(m.HeartbeatMS) * time.Millisecond
	case *wire.Settings:
		a.interval <- time.Duration(m.HeartbeatMS) * time.Millisecond
	case *wire.Started:
		a.answers <- m
	case *wire.Error:
		if m.ID != "" {
			a.answers <- m
		}
	case *wire.Probe:
		select {
		case a.probed <- struct{}{}:
		default: // one beat answers both
		}
	case *wire.Ack:
		a.heard(m)
	case *wire.Ended:
		a.say("%-9s is told that the broadcast has ended: %s", a.name, m.Reason)
		a.ended <- m
	}
}

// fewAcks is of how many acks one is printed.
const fewAcks = 5

func (a *anchor) heard(m *wire.Ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acked.IsZero() {
		close(a.heartbeat)
	}
	if !m.Pending {
		a.acked = time.Now()
	}
	if m.N%fewAcks == 1 {
		a.say("%-9s beat %d is acknowledged after %d ms", a.name, m.N, time.Since(a.sent[m.N]).Milliseconds())
	}
	delete(a.sent, m.N)
}

// beat is the heartbeat: at every interval, and at once when the server asks.
func (a *anchor) beat() {
	ticks := time.NewTicker(<-a.interval)
	defer ticks.Stop()
	for {
		select {
		case every := <-a.interval:
			ticks.Reset(every)
			continue
		case <-ticks.C:
		case <-a.probed:
		case <-a.done:
			return
		}
		a.mu.Lock()
		a.beats++
		n := a.beats
		a.sent[n] = time.Now()
		a.mu.Unlock()
		if a.send(&wire.Beat{N: n}) != nil {
			return
		}
	}
}

// isHeard waits until a beat was acknowledged.
func (a *anchor) isHeard(ctx context.Context) error {
	select {
	case <-a.heartbeat:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no beat of %s is acknowledged: %w", a.name, context.Cause(ctx))
	}
}

// lastAck is when the last beat was acknowledged.
func (a *anchor) lastAck() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acked
}

// isTold waits until the anchor is told that its session has ended.
func (a *anchor) isTold(ctx context.Context) (reason string, err error) {
	select {
	case m := <-a.ended:
		return m.Reason, nil
	case <-ctx.Done():
		return "", fmt.Errorf("%s is not told that the broadcast has ended: %w", a.name, context.Cause(ctx))
	}
}
