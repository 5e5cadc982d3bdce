package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"onair/hub/wire"
)

// anchor is an anchor's socket with its heartbeat.
type anchor struct {
	*socket
	name   string
	printf func(format string, args ...any)

	startReplies chan wire.Message // buffered, so that the reader never waits
	intervals    chan time.Duration
	probes       chan struct{}
	sessionEnds  chan *wire.Ended
	firstAck     chan struct{} // closed with the first ack

	mu            sync.Mutex // guards below
	lastBeat      int64
	lastAckAt     time.Time
	unackedSentAt map[int64]time.Time
}

// startAnchor opens an anchor's socket, starts a session, and sends beats until the
// socket ends.
func (env *environment) startAnchor(ctx context.Context, name, title string) (*anchor, *wire.Started, error) {
	token, err := env.mintToken(ctx, "anchor", name)
	if err != nil {
		return nil, nil, err
	}
	a := &anchor{
		name: name, printf: env.printf, startReplies: make(chan wire.Message, 8), intervals: make(chan time.Duration, 8),
		probes: make(chan struct{}, 1), sessionEnds: make(chan *wire.Ended, 8), firstAck: make(chan struct{}),
		unackedSentAt: map[int64]time.Time{},
	}
	if a.socket, err = env.dialSocket(ctx, "/v1/anchor", token, a.handleMessage); err != nil {
		return nil, nil, err
	}
	if err := a.send(&wire.Start{ID: wire.IntID(1), Title: title}); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	select {
	case m := <-a.startReplies:
		started, ok := m.(*wire.Started)
		if !ok {
			return nil, nil, fmt.Errorf("start: %w", m.(*wire.Error))
		}
		env.redactor.addSecrets(started.Session)
		go a.runHeartbeat()
		return a, started, nil
	case <-a.ended:
		return nil, nil, a.err
	case <-ctx.Done():
		return nil, nil, errors.New("start: no reply")
	}
}

func (a *anchor) handleMessage(m wire.Message) {
	switch m := m.(type) {
	case *wire.Welcome:
		a.intervals <- time.Duration(m.HeartbeatMS) * time.Millisecond
	case *wire.Settings:
		a.intervals <- time.Duration(m.HeartbeatMS) * time.Millisecond
	case *wire.Started:
		a.startReplies <- m
	case *wire.Error:
		if m.ID != "" {
			a.startReplies <- m
		}
	case *wire.Probe:
		select {
		case a.probes <- struct{}{}:
		default: // one beat answers several probes
		}
	case *wire.Ack:
		a.handleAck(m)
	case *wire.Ended:
		a.printf("%-9s receives the end of the session: %s", a.name, m.Reason)
		a.sessionEnds <- m
	}
}

// ackPrintInterval is how many acks one printed line stands for.
const ackPrintInterval = 5

func (a *anchor) handleAck(m *wire.Ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !m.Pending {
		if a.lastAckAt.IsZero() {
			close(a.firstAck)
		}
		a.lastAckAt = time.Now()
	}
	if m.N%ackPrintInterval == 1 {
		a.printf("%-9s gets the ack of beat %d after %d ms", a.name, m.N, time.Since(a.unackedSentAt[m.N]).Milliseconds())
	}
	delete(a.unackedSentAt, m.N)
}

// runHeartbeat sends a beat at each interval, and at once after a probe.
func (a *anchor) runHeartbeat() {
	tick := time.NewTicker(<-a.intervals)
	defer tick.Stop()
	for {
		select {
		case interval := <-a.intervals:
			tick.Reset(interval)
			continue
		case <-tick.C:
		case <-a.probes:
		case <-a.ended:
			return
		}
		a.mu.Lock()
		a.lastBeat++
		n := a.lastBeat
		a.unackedSentAt[n] = time.Now()
		a.mu.Unlock()
		if a.send(&wire.Beat{N: n}) != nil {
			return
		}
	}
}

// awaitFirstAck waits for the first ack of a beat.
func (a *anchor) awaitFirstAck(ctx context.Context) error {
	select {
	case <-a.firstAck:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s got no ack: %w", a.name, context.Cause(ctx))
	}
}

func (a *anchor) lastAckTime() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastAckAt
}

// awaitEnded waits for the message that the session has ended.
func (a *anchor) awaitEnded(ctx context.Context) (reason string, err error) {
	select {
	case m := <-a.sessionEnds:
		return m.Reason, nil
	case <-ctx.Done():
		return "", fmt.Errorf("%s did not receive the end of the session: %w", a.name, context.Cause(ctx))
	}
}
