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
	*anchorSocket
	readers       sync.WaitGroup // of all its sockets
	isDegraded    bool           // the node says that it does not know whether it is heard
	standbyResult chan *standby  // a second socket that is being tried, or nil

	lastRequest    int64               // of the newest beat or update
	unanswered     map[wire.ID]request // what is not answered yet
	beatTicker     *time.Ticker
	ackTimer       *time.Timer // runs while a beat is not answered, if there is another node
	isAwaitingAck  bool        // it does
	updateTimer    *time.Timer // the next
	nextUpdateAt   time.Duration
	updateInterval time.Duration
	endTimer       *time.Timer // by choice
	drainTimer     *time.Timer // by the node's
}

// request is a beat, or an update with what it is to show.
type request struct {
	sentAt time.Duration
	extra  json.RawMessage
}

// runBroadcast connects to the next node, starts or resumes, and broadcasts until
// the socket ends, or the anchor wants to stop or crash.
func (a *anchor) runBroadcast(ctx context.Context) error {
	b := &broadcast{anchor: a, unanswered: map[wire.ID]request{}}
	defer b.readers.Wait()
	a.node = a.options.nextNode(a.node, a.step)
	to, err := b.dialTarget(a.node)
	if err != nil {
		return err
	}
	if b.anchorSocket, err = a.dial(ctx, to); err != nil {
		return &retryError{err}
	}
	defer func() { b.anchorSocket.closeAndWait() }()
	if err := b.startOrResume(ctx); err != nil {
		if b.isDrained.Load() {
			err = &retryError{err}
		}
		return err
	}
	a.live.Add(1)
	defer a.live.Add(-1)
	b.startTimers()
	defer b.stopTimers()
	err = b.serveSockets(ctx)
	b.recordUnanswered()
	if b.isDrained.Load() && !isIntended(err) && !errors.Is(err, errSessionEnded) {
		err = errDrained
	}
	return err
}

// startTimers begins the open loops of beats and updates.
func (b *broadcast) startTimers() {
	every := b.beatInterval
	if b.options.BeatInterval > 0 {
		every = b.options.BeatInterval
	}
	b.beatTicker = time.NewTicker(every)
	for _, t := range []**time.Timer{&b.updateTimer, &b.endTimer, &b.ackTimer, &b.drainTimer} {
		*t = time.NewTimer(time.Hour)
		(*t).Stop()
	}
	if b.options.Updates > 0 {
		b.updateInterval = time.Duration(float64(b.options.Anchors) / b.options.Updates * float64(time.Second))
		b.nextUpdateAt = b.clock() + time.Duration(b.rand.Int64N(int64(b.updateInterval)+1))
		b.updateTimer.Reset(b.nextUpdateAt - b.clock())
	}
	if b.options.AnchorLife > 0 {
		b.endTimer.Reset(b.randomAround(b.options.AnchorLife))
	}
}

func (b *broadcast) stopTimers() {
	b.beatTicker.Stop()
	b.updateTimer.Stop()
	b.endTimer.Stop()
	b.ackTimer.Stop()
	b.drainTimer.Stop()
}

// continueFrom broadcasts until no socket has the session.
func (b *broadcast) serveSockets(ctx context.Context) error {
	for {
		err := b.serveSocket(ctx)
		if !b.awaitStandby() || isIntended(err) {
			return err
		}
	}
}

// serveSocket broadcasts until the socket ends.
func (b *broadcast) serveSocket(ctx context.Context) error {
	if b.isStopping {
		return b.stopSession() // again
	}
	steady := b.updatesDone
	err := b.sendBeat() // at once, as who pushes does
	for err == nil {
		select {
		case m, ok := <-b.inbox:
			if !ok {
				return b.anchorSocket.readErr
			}
			err = b.handleMessage(m)
		case <-b.beatTicker.C:
			err = b.sendBeat()
		case <-b.ackTimer.C:
			return errNoAck
		case <-b.updateTimer.C:
			err = b.sendDueUpdates()
		case <-b.endTimer.C:
			return b.stopOrCrash()
		case <-b.drainTimer.C:
			return errDrained
		case s := <-b.standbyResult:
			b.switchToStandby(s)
			err = b.sendBeat()
		case <-steady:
			steady = nil // nothing but beats from now on
			b.updateTimer.Stop()
			b.endTimer.Stop()
		case <-ctx.Done():
			return b.stopSession()
		}
	}
	return err
}

// nextRequestID is the id of the next beat or update.
func (b *broadcast) nextRequestID() wire.ID {
	b.lastRequest++
	return wire.IntID(b.lastRequest)
}

func (b *broadcast) sendBeat() error {
	id := b.nextRequestID()
	b.unanswered[id] = request{sentAt: b.clock()}
	b.anchorPool.beats.Add(1)
	if b.options.hasManyNodes() && !b.isAwaitingAck {
		b.isAwaitingAck = true
		b.ackTimer.Reset(b.answerTimeout())
	}
	return b.send(&wire.Beat{ID: id, N: b.lastRequest})
}

// sendDueUpdates sends the updates that are due, each with the time when it was.
func (b *broadcast) sendDueUpdates() error {
	for ; b.nextUpdateAt <= b.clock(); b.nextUpdateAt += b.updateInterval {
		id := b.nextRequestID()
		extra := commandStamp{RunID: b.ledger.runID, SentAt: b.nextUpdateAt.Microseconds(), Node: b.node}.asExtra()
		b.unanswered[id] = request{b.clock(), extra}
		b.ledger.updateSession(b.session, func(s *session) { s.openUpdates++ })
		b.anchorPool.updates.Add(1)
		if err := b.send(&wire.Update{ID: id, Extra: wire.Some(extra)}); err != nil {
			return err
		}
	}
	b.updateTimer.Reset(b.nextUpdateAt - b.clock())
	return nil
}

// handleMessage takes what the server says.
func (b *broadcast) handleMessage(m wire.Message) error {
	_, id := m.Head()
	sent, asked := b.unanswered[id]
	delete(b.unanswered, id)
	switch m := m.(type) {
	case *wire.Ack:
		b.handleAck(asked, sent.sentAt, m.Pending)
	case *wire.Updated:
		if !asked {
			break
		}
		b.updatesAcknowledged.Add(1)
		b.recordAcknowledged(sent.sentAt)
		b.ledger.updateSession(b.session, func(s *session) { s.entry, s.uncertainExtras = m.Stream, nil; s.openUpdates-- })
	case *wire.Probe:
		return b.sendBeat()
	case *wire.Settings:
		b.beatInterval = time.Duration(m.HeartbeatMS) * time.Millisecond
		if b.options.BeatInterval == 0 {
			b.beatTicker.Reset(b.beatInterval)
		}
	case *wire.Notice:
		if b.isDegraded = m.Code == wire.NoticeDegraded; b.isDegraded {
			b.searchStandby()
		}
	case *wire.Drain:
		b.drainTimer.Reset(time.Duration(m.ReconnectInMS) * time.Millisecond)
	case *wire.Ended:
		b.countReason(fmt.Errorf("the server ended a session: %s", m.Reason))
		return b.handleSessionEnd(m.Reason)
	case *wire.Error:
		return b.handleError(m, sent)
	}
	return nil
}

// handleAck takes an ack: one that is held promises nothing.
func (b *broadcast) handleAck(asked bool, sent time.Duration, held bool) {
	b.ackTimer.Stop()
	b.isAwaitingAck = false
	switch {
	case !held && asked:
		b.isDegraded = false
		b.recordAcknowledged(sent)
	case held && b.isDegraded:
		b.searchStandby() // again
	}
}

// handleError takes the refusal of a beat or an update.
func (b *broadcast) handleError(m *wire.Error, r request) error {
	if m.Code == wire.CodeSessionGone && b.standbyResult != nil {
		return errSessionMoved // by the second socket, as it seems
	}
	b.anchorPool.errors.Add(1)
	b.countReason(m)
	if r.extra != nil {
		b.ledger.updateSession(b.session, func(s *session) {
			s.openUpdates--
			if m.Code == wire.CodeUnknown {
				s.uncertainExtras = append(s.uncertainExtras, r.extra)
			}
		})
	}
	if m.Code == wire.CodeSessionGone {
		return b.handleSessionEnd(m.Reason)
	}
	return nil
}

// recordAcknowledged notes that the server has acknowledged what was sent at a time.
func (b *broadcast) recordAcknowledged(sent time.Duration) {
	b.ledger.updateSession(b.session, func(s *session) { s.acknowledgedAt = max(s.acknowledgedAt, sent) })
}

// stopOrCrash stops, or crashes: then the socket is cut, and nobody is told.
func (b *broadcast) stopOrCrash() error {
	if b.rand.Float64() < b.options.CrashShare {
		b.awaitStandby() // or its second socket would keep the session
		b.crashes.Add(1)
		b.ledger.updateSession(b.session, func(s *session) { s.hasCrashed = true })
		return errCrashed
	}
	return b.stopSession()
}

// stopSession stops the session and waits for the answer.
func (b *broadcast) stopSession() error {
	b.awaitStandby() // a stop on a socket that has lost the session would do nothing
	b.ledger.permitEnd(b.session, b.clock())
	b.isStopping = true
	if err := b.send(&wire.Stop{ID: stopID}); err != nil {
		return err
	}
	answer, err := b.awaitAnswer(context.Background(), stopID, b.options.answerTimeout())
	if err != nil {
		return asRetryable(err)
	}
	switch m := answer.(type) {
	case *wire.Stopped:
		return b.recordStop()
	case *wire.Error:
		err := asRetryable(m)
		if err == error(m) {
			b.anchorPool.errors.Add(1)
		}
		return err
	}
	return fmt.Errorf("%T in answer to a stop", answer)
}

func (b *broadcast) recordStop() error {
	b.anchorPool.stops.Add(1)
	b.ledger.updateSession(b.session, func(s *session) { s.isEnded = true })
	return errStopped
}
