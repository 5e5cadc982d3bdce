package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"onair/hub/wire"
)

// The ids of an anchor's requests. Beats and updates are told apart by number:
// a beat has an odd one, an update an even one.
const (
	startID  wire.ID = `"start"`
	resumeID wire.ID = `"resume"`
	stopID   wire.ID = `"stop"`
)

// broadcast is one socket's life. What is to be sent at a time is sent then,
// whether or not what was sent before it has been answered.
type broadcast struct {
	*anchor
	*line

	interval    time.Duration
	number      int64                     // of the newest beat or update
	sent        map[wire.ID]time.Duration // what is not answered yet
	beats       *time.Ticker
	update      *time.Timer // the next
	updateAt    time.Duration
	updateEvery time.Duration
	end         *time.Timer // by choice
}

// broadcast connects, starts or resumes, and broadcasts until the socket ends,
// or the anchor wants to stop or crash.
func (a *anchor) broadcast(ctx context.Context) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	l, err := a.open(ctx, &readers)
	if err != nil {
		return err
	}
	defer func() {
		l.conn.CloseNow()
		for range l.inbox { // the reader may be about to write
		}
	}()
	b := &broadcast{anchor: a, line: l, sent: map[wire.ID]time.Duration{}}
	if err := b.begin(ctx); err != nil {
		return err
	}
	a.live.Add(1)
	defer a.live.Add(-1)
	b.schedule()
	defer b.unschedule()
	return b.goOn(ctx)
}

// begin waits for the welcome, and starts or resumes.
func (b *broadcast) begin(ctx context.Context) error {
	m, err := b.wait(ctx, "")
	if err != nil {
		return err
	}
	w, ok := m.(*wire.Welcome)
	if !ok {
		return fmt.Errorf("no welcome but %T", m)
	}
	b.interval = time.Duration(w.HeartbeatMS) * time.Millisecond
	b.ledger.rules(b.interval, w.MissedLimit)
	now := b.clock()
	id, ask := resumeID, wire.Message(&wire.Resume{ID: resumeID, Session: b.session})
	if b.session == "" {
		// Should the session before this one still be live, it is taken over.
		b.ledger.mayEnd(b.record, now)
		b.anchor.starts++
		id, ask = startID, &wire.Start{
			ID: startID, Title: fmt.Sprintf("Load %d, take %d", b.i, b.anchor.starts), Tags: []string{b.tag},
			Extra: stamp{b.ledger.run, now.Microseconds()}.extra(),
			Key:   fmt.Sprintf("%s-%d-%d", b.ledger.run, b.i, b.anchor.starts),
		}
	}
	if err := b.tell(ask); err != nil {
		return err
	}
	answer, err := b.wait(ctx, id)
	if err != nil {
		return err
	}
	switch m := answer.(type) {
	case *wire.Started:
		b.begun(m, now)
		return nil
	case *wire.Error:
		if m.Code == wire.CodeSessionGone {
			return b.over()
		}
		return m
	}
	return fmt.Errorf("%T in answer to a start", answer)
}

// begun notes the answer to a start or resume.
func (b *broadcast) begun(m *wire.Started, sent time.Duration) {
	if b.session == m.Session {
		b.anchors.resumes.Add(1)
		b.ledger.change(b.record, func(s *session) { s.heard, s.entry, s.unsure = sent, m.Stream, 0 })
		return
	}
	b.session = m.Session
	b.anchors.starts.Add(1)
	b.record = b.ledger.began(m.Stream, b.tag, sent)
}

// over is called when the server says that the session has ended. It may have
// only if beats were missed.
func (b *broadcast) over() error {
	if wrong := b.ledger.left(b.record.entry.Code, b.record.entry.StartedAt, b.clock()); wrong != "" {
		b.fault(faultLeft, wrong+" (so its anchor was told)")
	}
	b.ledger.mayEnd(b.record, b.clock())
	return errOver
}

// schedule begins the open loops of beats and updates.
func (b *broadcast) schedule() {
	every := b.interval
	if b.o.BeatEvery > 0 {
		every = b.o.BeatEvery
	}
	b.beats = time.NewTicker(every)
	b.update, b.end = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	b.update.Stop()
	b.end.Stop()
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
}

// goOn broadcasts.
func (b *broadcast) goOn(ctx context.Context) error {
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
		case <-b.update.C:
			err = b.sendUpdates()
		case <-b.end.C:
			return b.leave()
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

// next is the id of the next beat (odd) or update (even).
func (b *broadcast) next(odd bool) wire.ID {
	b.number++
	if b.number&1 == 1 != odd {
		b.number++
	}
	return wire.IntID(b.number)
}

func (b *broadcast) beat() error {
	id := b.next(true)
	b.sent[id] = b.clock()
	b.anchors.beats.Add(1)
	return b.tell(&wire.Beat{ID: id, N: b.number})
}

// sendUpdates sends the updates that are due, each with the time when it was.
func (b *broadcast) sendUpdates() error {
	for ; b.updateAt <= b.clock(); b.updateAt += b.updateEvery {
		id := b.next(false)
		b.sent[id] = b.clock()
		b.ledger.change(b.record, func(s *session) { s.unsure++ })
		b.anchors.updates.Add(1)
		extra := stamp{b.ledger.run, b.updateAt.Microseconds()}.extra()
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
		if asked && !m.Held {
			b.heardOf(sent)
		}
	case *wire.Updated:
		if !asked {
			break
		}
		b.updated.Add(1)
		b.heardOf(sent)
		b.ledger.change(b.record, func(s *session) { s.entry = m.Stream; s.unsure-- })
	case *wire.Probe:
		return b.beat()
	case *wire.Settings:
		b.interval = time.Duration(m.HeartbeatMS) * time.Millisecond
		if b.o.BeatEvery == 0 {
			b.beats.Reset(b.interval)
		}
	case *wire.Ended:
		b.because(fmt.Errorf("the server ended a session: %s", m.Reason))
		return b.over()
	case *wire.Error:
		b.anchors.errors.Add(1)
		b.because(m)
		b.ledger.change(b.record, func(s *session) {
			if asked && !oddID(id) {
				s.unsure--
			}
		})
		if m.Code == wire.CodeSessionGone {
			return b.over()
		}
	}
	return nil
}

func oddID(id wire.ID) bool { return len(id) > 0 && (id[len(id)-1]-'0')&1 == 1 }

// heardOf notes that the server has acknowledged what was sent at a time.
func (b *broadcast) heardOf(sent time.Duration) {
	b.ledger.change(b.record, func(s *session) { s.heard = max(s.heard, sent) })
}

// leave stops, or crashes: then the socket is cut, and nobody is told.
func (b *broadcast) leave() error {
	if b.rand.Float64() < b.o.CrashShare {
		b.crashes.Add(1)
		b.ledger.change(b.record, func(s *session) { s.crashed = true })
		return errCrashed
	}
	return b.stop()
}

// stop stops the session and waits for the answer.
func (b *broadcast) stop() error {
	b.ledger.mayEnd(b.record, b.clock())
	if err := b.tell(&wire.Stop{ID: stopID}); err != nil {
		return err
	}
	answer, err := b.wait(context.Background(), stopID)
	if err != nil {
		return err
	}
	if _, ok := answer.(*wire.Stopped); !ok {
		b.anchors.errors.Add(1)
		return fmt.Errorf("%T in answer to a stop", answer)
	}
	b.anchors.stops.Add(1)
	b.ledger.change(b.record, func(s *session) { s.over = true })
	return errStopped
}
