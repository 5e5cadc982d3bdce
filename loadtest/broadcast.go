package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"onair/hub/wire"
)

// Ids of an anchor's requests. Those of beats and updates are numbers.
const (
	startID  wire.ID = `"start"`
	resumeID wire.ID = `"resume"`
	stopID   wire.ID = `"stop"`
)

// broadcast is a session on one socket, or on several if a node was degraded. Beats
// and updates keep their schedule, whether or not the server answers.
type broadcast struct {
	*anchor
	*anchorSocket
	readers       sync.WaitGroup // of all its sockets
	isDegraded    bool           // the node is isolated from the log
	standbyResult chan *standby  // of a search, or nil

	lastRequest    int64               // the id of the latest beat or update
	unanswered     map[wire.ID]request // beats and updates
	beatTicker     *time.Ticker
	ackTimer       *time.Timer // runs while isAwaitingAck
	isAwaitingAck  bool        // for a beat; only where there is another node
	updateTimer    *time.Timer
	nextUpdateAt   time.Duration
	updateInterval time.Duration
	endTimer       *time.Timer // of the broadcast
	drainTimer     *time.Timer // until the node wants the socket closed
}

// request is an unanswered beat or update.
type request struct {
	sentAt time.Duration
	extra  json.RawMessage // of an update
}

// connectAndBroadcast connects to the next node, starts or resumes, and broadcasts until the
// socket ends. It returns why.
func (a *anchor) connectAndBroadcast(ctx context.Context) (end error) {
	b := &broadcast{anchor: a, unanswered: map[wire.ID]request{}}
	defer b.readers.Wait()
	a.node = a.options.nextNode(a.route)
	to, err := b.newDialTarget(a.node)
	if err != nil {
		return err
	}
	if b.anchorSocket, err = a.openAnchorSocket(ctx, to); err != nil {
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
	err = b.broadcastWithFailover(ctx)
	b.moveUnansweredToLedger()
	if b.isDrained.Load() && !isIntendedEnd(err) && !errors.Is(err, errSessionEnded) {
		err = errDrained
	}
	return err
}

// startTimers starts the schedules of beats and updates.
func (b *broadcast) startTimers() {
	b.beatTicker = time.NewTicker(cmp.Or(b.options.BeatInterval, b.beatInterval))
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

// broadcastWithFailover broadcasts until no socket has the session.
func (b *broadcast) broadcastWithFailover(ctx context.Context) (end error) {
	for {
		err := b.broadcastOnSocket(ctx)
		if !b.awaitAndSwitchToStandby() || isIntendedEnd(err) {
			return err
		}
	}
}

// broadcastOnSocket broadcasts until the socket ends.
func (b *broadcast) broadcastOnSocket(ctx context.Context) (end error) {
	if b.isStopping {
		return b.stopSession() // the answer to the first stop was lost
	}
	updatesDone := b.updatesDone
	err := b.sendBeat()
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
		case <-updatesDone:
			updatesDone = nil // only beats from now on
			b.updateTimer.Stop()
			b.endTimer.Stop()
		case <-ctx.Done():
			return b.stopSession()
		}
	}
	return err
}

// nextRequestID returns the id of the next beat or update.
func (b *broadcast) nextRequestID() wire.ID {
	b.lastRequest++
	return wire.IntID(b.lastRequest)
}

func (b *broadcast) sendBeat() error {
	id := b.nextRequestID()
	b.unanswered[id] = request{sentAt: b.clock()}
	b.incrementFigure(&b.figures.Beats)
	if b.hasManyNodes() && !b.isAwaitingAck {
		b.isAwaitingAck = true
		b.ackTimer.Reset(b.answerTimeout())
	}
	return b.sendMessage(&wire.Beat{ID: id, N: b.lastRequest})
}

// sendDueUpdates sends the updates that are due, each stamped with its due time.
func (b *broadcast) sendDueUpdates() error {
	for ; b.nextUpdateAt <= b.clock(); b.nextUpdateAt += b.updateInterval {
		id := b.nextRequestID()
		extra := commandStamp{RunID: b.ledger.runID, SentAt: b.nextUpdateAt.Microseconds(), Node: b.node}.asExtra()
		b.unanswered[id] = request{b.clock(), extra}
		b.ledger.updateSession(b.session, func(s *session) { s.openUpdates++ })
		b.incrementFigure(&b.figures.Updates)
		if err := b.sendMessage(&wire.Update{ID: id, Extra: wire.Some(extra)}); err != nil {
			return err
		}
	}
	b.updateTimer.Reset(b.nextUpdateAt - b.clock())
	return nil
}

func (b *broadcast) handleMessage(m wire.Message) (end error) {
	_, id := wire.Head(m)
	request, isAnswer := b.unanswered[id]
	delete(b.unanswered, id)
	switch m := m.(type) {
	case *wire.Ack:
		b.handleAck(isAnswer, request.sentAt, m.Pending)
	case *wire.Updated:
		if !isAnswer {
			break
		}
		b.incrementFigure(&b.figures.UpdatesAcknowledged)
		b.recordAcknowledged(request.sentAt)
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
			b.startStandbySearch()
		}
	case *wire.Drain:
		b.drainTimer.Reset(time.Duration(m.ReconnectInMS) * time.Millisecond)
	case *wire.Ended:
		b.countReason(fmt.Errorf("the server ended a session: %s", m.Reason))
		b.recordAndJudgeEnd(m.Reason)
		return errSessionEnded
	case *wire.Error:
		return b.handleRefusal(m, request)
	}
	return nil
}

// handleAck records an acknowledged beat. A pending ack promises nothing.
func (b *broadcast) handleAck(isAnswer bool, beatSentAt time.Duration, isUnconfirmed bool) {
	b.ackTimer.Stop()
	b.isAwaitingAck = false
	switch {
	case !isUnconfirmed && isAnswer:
		b.isDegraded = false
		b.recordAcknowledged(beatSentAt)
	case isUnconfirmed && b.isDegraded:
		b.startStandbySearch()
	}
}

// handleRefusal handles the refusal of a beat or an update.
func (b *broadcast) handleRefusal(m *wire.Error, r request) (end error) {
	if m.Code == wire.CodeSessionGone && b.standbyResult != nil {
		return errSessionMoved // probably to the standby
	}
	b.incrementFigure(&b.figures.Errors)
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
		b.recordAndJudgeEnd(m.Reason)
		return errSessionEnded
	}
	return nil
}

// recordAcknowledged records that the server has acknowledged a message.
func (b *broadcast) recordAcknowledged(sentAt time.Duration) {
	b.ledger.updateSession(b.session, func(s *session) { s.acknowledgedAt = max(s.acknowledgedAt, sentAt) })
}

// stopOrCrash stops the session, or cuts the socket without a stop.
func (b *broadcast) stopOrCrash() (endReason error) {
	if b.rand.Float64() < b.options.CrashShare {
		b.awaitAndSwitchToStandby() // a standby would keep the session
		b.incrementFigure(&b.figures.Crashes)
		b.ledger.updateSession(b.session, func(s *session) { s.hasCrashed = true })
		return errCrashed
	}
	return b.stopSession()
}

// stopSession stops the session and waits for the answer. It returns errStopped after
// that, else why the session is not stopped.
func (b *broadcast) stopSession() (endReason error) {
	b.awaitAndSwitchToStandby() // a stop on a socket without the session does nothing
	b.ledger.permitEnd(b.session, b.clock())
	b.isStopping = true
	if err := b.sendMessage(&wire.Stop{ID: stopID}); err != nil {
		return err
	}
	answer, err := b.skipToAnswer(context.Background(), stopID, b.options.answerTimeout())
	if err != nil {
		return wrapIfTemporary(err)
	}
	switch m := answer.(type) {
	case *wire.Stopped:
		b.recordStopped()
		return errStopped
	case *wire.Error:
		err := wrapIfTemporary(m)
		if err == error(m) {
			b.incrementFigure(&b.figures.Errors)
		}
		return err
	}
	return fmt.Errorf("%T in answer to a stop", answer)
}

func (b *broadcast) recordStopped() {
	b.incrementFigure(&b.figures.Stops)
	b.ledger.updateSession(b.session, func(s *session) { s.isEnded = true })
}
