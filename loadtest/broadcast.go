package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"onair/hub/wire"
)

// The ids of an anchor's requests; those of beats and updates are numbers.
const (
	startID  wire.ID = `"start"`
	resumeID wire.ID = `"resume"`
	stopID   wire.ID = `"stop"`
)

// broadcast is one session on one socket, or on two if a node was degraded. What
// is to be sent at a time is sent then, whether or not what was sent before it
// has been answered.
type broadcast struct {
	*anchor
	*line
	readers  sync.WaitGroup // of all its sockets
	degraded bool           // the node says that it does not know whether it is heard
	found    chan *second   // a second socket that is being tried, or nil

	number      int64               // of the newest beat or update
	sent        map[wire.ID]request // what is not answered yet
	beats       *time.Ticker
	noAck       *time.Timer // runs while a beat is not answered, if there is another node
	waiting     bool        // it does
	update      *time.Timer // the next
	updateAt    time.Duration
	updateEvery time.Duration
	end         *time.Timer // by choice
	drain       *time.Timer // by the node's
}

// request is a beat, or an update with what it is to show.
type request struct {
	at    time.Duration
	extra json.RawMessage
}

// broadcast connects to the next node, starts or resumes, and broadcasts until
// the socket ends, or the anchor wants to stop or crash.
func (a *anchor) broadcast(ctx context.Context) error {
	b := &broadcast{anchor: a, sent: map[wire.ID]request{}}
	defer b.readers.Wait()
	a.node = a.o.after(a.node, a.step)
	to, err := b.call(a.node)
	if err != nil {
		return err
	}
	if b.line, err = a.open(ctx, to); err != nil {
		return &retryError{err}
	}
	defer func() { b.line.hangUp() }()
	if err := b.begin(ctx); err != nil {
		if b.sentOn.Load() {
			err = &retryError{err}
		}
		return err
	}
	a.live.Add(1)
	defer a.live.Add(-1)
	b.schedule()
	defer b.unschedule()
	err = b.goOn(ctx)
	b.doubt()
	if b.sentOn.Load() && !chosen(err) && !errors.Is(err, errOver) {
		err = errDrained
	}
	return err
}

// schedule begins the open loops of beats and updates.
func (b *broadcast) schedule() {
	every := b.interval
	if b.o.BeatEvery > 0 {
		every = b.o.BeatEvery
	}
	b.beats = time.NewTicker(every)
	for _, t := range []**time.Timer{&b.update, &b.end, &b.noAck, &b.drain} {
		*t = time.NewTimer(time.Hour)
		(*t).Stop()
	}
	if b.o.Updates > 0 {
		b.updateEvery = time.Duration(float64(b.o.Anchors) / b.o.Updates * float64(time.Second))
		b.updateAt = b.clock() + time.Duration(b.rand.Int64N(int64(b.updateEvery)+1))
		b.update.Reset(b.updateAt - b.clock())
	}
	if b.o.AnchorLife > 0 {
		b.end.Reset(b.about(b.o.AnchorLife))
	}
}

func (b *broadcast) unschedule() {
	b.beats.Stop()
	b.update.Stop()
	b.end.Stop()
	b.noAck.Stop()
	b.drain.Stop()
}

// goOn broadcasts until no socket has the session.
func (b *broadcast) goOn(ctx context.Context) error {
	for {
		err := b.onAir(ctx)
		if !b.rejoin() || chosen(err) {
			return err
		}
	}
}

// onAir broadcasts until the socket ends.
func (b *broadcast) onAir(ctx context.Context) error {
	if b.stopping {
		return b.stop() // again
	}
	steady := b.steady
	err := b.beat() // at once, as who pushes does
	for err == nil {
		select {
		case m, ok := <-b.inbox:
			if !ok {
				return b.line.err
			}
			err = b.hear(m)
		case <-b.beats.C:
			err = b.beat()
		case <-b.noAck.C:
			return errNoAck
		case <-b.update.C:
			err = b.sendUpdates()
		case <-b.end.C:
			return b.leave()
		case <-b.drain.C:
			return errDrained
		case s := <-b.found:
			b.goOver(s)
			err = b.beat()
		case <-steady:
			steady = nil // nothing but beats from now on
			b.update.Stop()
			b.end.Stop()
		case <-ctx.Done():
			return b.stop()
		}
	}
	return err
}

// next is the id of the next beat or update.
func (b *broadcast) next() wire.ID {
	b.number++
	return wire.IntID(b.number)
}

func (b *broadcast) beat() error {
	id := b.next()
	b.sent[id] = request{at: b.clock()}
	b.anchors.beats.Add(1)
	if b.o.many() && !b.waiting {
		b.waiting = true
		b.noAck.Reset(b.patience())
	}
	return b.tell(&wire.Beat{ID: id, N: b.number})
}

// sendUpdates sends the updates that are due, each with the time when it was.
func (b *broadcast) sendUpdates() error {
	for ; b.updateAt <= b.clock(); b.updateAt += b.updateEvery {
		id := b.next()
		extra := stamp{Load: b.ledger.run, At: b.updateAt.Microseconds(), Node: b.node}.extra()
		b.sent[id] = request{b.clock(), extra}
		b.ledger.change(b.record, func(s *session) { s.unsure++ })
		b.anchors.updates.Add(1)
		if err := b.tell(&wire.Update{ID: id, Extra: wire.Some(extra)}); err != nil {
			return err
		}
	}
	b.update.Reset(b.updateAt - b.clock())
	return nil
}

// hear takes what the server says.
func (b *broadcast) hear(m wire.Message) error {
	_, id := m.Head()
	sent, asked := b.sent[id]
	delete(b.sent, id)
	switch m := m.(type) {
	case *wire.Ack:
		b.acked(asked, sent.at, m.Pending)
	case *wire.Updated:
		if !asked {
			break
		}
		b.updated.Add(1)
		b.heardOf(sent.at)
		b.ledger.change(b.record, func(s *session) { s.entry, s.doubts = m.Stream, nil; s.unsure-- })
	case *wire.Probe:
		return b.beat()
	case *wire.Settings:
		b.interval = time.Duration(m.HeartbeatMS) * time.Millisecond
		if b.o.BeatEvery == 0 {
			b.beats.Reset(b.interval)
		}
	case *wire.Notice:
		if b.degraded = m.Code == wire.NoticeDegraded; b.degraded {
			b.look()
		}
	case *wire.Drain:
		b.drain.Reset(time.Duration(m.ReconnectInMS) * time.Millisecond)
	case *wire.Ended:
		b.because(fmt.Errorf("the server ended a session: %s", m.Reason))
		return b.over(m.Reason)
	case *wire.Error:
		return b.refused(m, sent)
	}
	return nil
}

// acked takes an ack: one that is held promises nothing.
func (b *broadcast) acked(asked bool, sent time.Duration, held bool) {
	b.noAck.Stop()
	b.waiting = false
	switch {
	case !held && asked:
		b.degraded = false
		b.heardOf(sent)
	case held && b.degraded:
		b.look() // again
	}
}

// refused takes the refusal of a beat or an update.
func (b *broadcast) refused(m *wire.Error, r request) error {
	if m.Code == wire.CodeSessionGone && b.found != nil {
		return errTaken // by the second socket, as it seems
	}
	b.anchors.errors.Add(1)
	b.because(m)
	if r.extra != nil {
		b.ledger.change(b.record, func(s *session) {
			s.unsure--
			if m.Code == wire.CodeUnknown {
				s.doubts = append(s.doubts, r.extra)
			}
		})
	}
	if m.Code == wire.CodeSessionGone {
		return b.over(m.Reason)
	}
	return nil
}

// heardOf notes that the server has acknowledged what was sent at a time.
func (b *broadcast) heardOf(sent time.Duration) {
	b.ledger.change(b.record, func(s *session) { s.heard = max(s.heard, sent) })
}

// leave stops, or crashes: then the socket is cut, and nobody is told.
func (b *broadcast) leave() error {
	if b.rand.Float64() < b.o.CrashShare {
		b.rejoin() // or its second socket would keep the session
		b.crashes.Add(1)
		b.ledger.change(b.record, func(s *session) { s.crashed = true })
		return errCrashed
	}
	return b.stop()
}

// stop stops the session and waits for the answer.
func (b *broadcast) stop() error {
	b.rejoin() // a stop on a socket that has lost the session would do nothing
	b.ledger.mayEnd(b.record, b.clock())
	b.stopping = true
	if err := b.tell(&wire.Stop{ID: stopID}); err != nil {
		return err
	}
	answer, err := b.wait(context.Background(), stopID, b.o.patience())
	if err != nil {
		return mayTryAgain(err)
	}
	switch m := answer.(type) {
	case *wire.Stopped:
		return b.stopped()
	case *wire.Error:
		err := mayTryAgain(m)
		if err == error(m) {
			b.anchors.errors.Add(1)
		}
		return err
	}
	return fmt.Errorf("%T in answer to a stop", answer)
}

func (b *broadcast) stopped() error {
	b.anchors.stops.Add(1)
	b.ledger.change(b.record, func(s *session) { s.over = true })
	return errStopped
}
