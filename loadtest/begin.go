package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onair/hub/wire"
)

func (b *broadcast) dialTarget(node int) (dialTarget, error) {
	token, err := b.token()
	return dialTarget{node, token, b.answerTimeout(), &b.readers}, err
}

// startOrResume waits for the welcome, and starts or resumes.
func (b *broadcast) startOrResume(ctx context.Context) (err error) {
	if b.beatInterval, err = b.awaitWelcome(ctx, b.anchorSocket, b.answerTimeout()); err != nil {
		return asRetryable(err)
	}
	now := b.clock()
	id, ask := resumeID, wire.Message(&wire.Resume{ID: resumeID, Session: b.sessionID})
	if b.sessionID == "" {
		id, ask = startID, b.startRequest(now)
	}
	if err := b.send(ask); err != nil {
		return err
	}
	answer, err := b.awaitAnswer(ctx, id, b.answerTimeout())
	if err != nil {
		return asRetryable(err)
	}
	switch m := answer.(type) {
	case *wire.Started:
		b.recordStarted(m, now)
		return nil
	case *wire.Error:
		return b.handleStartError(m)
	}
	return fmt.Errorf("%T in answer to a start", answer)
}

// startRequest is the next one, or that which was not answered.
func (b *broadcast) startRequest(now time.Duration) *wire.Start {
	if b.pendingStart == nil {
		// Should the session before this one still be live, it is taken over.
		b.ledger.permitEnd(b.session, now)
		b.anchor.startCount++
		b.pendingStart = &wire.Start{
			ID: startID, Title: fmt.Sprintf("Load %d, take %d", b.index, b.anchor.startCount), Tags: []string{b.tag},
			Extra: commandStamp{b.ledger.runID, now.Microseconds(), b.node, true}.asExtra(),
			Key:   fmt.Sprintf("%s-%d-%d", b.ledger.runID, b.index, b.anchor.startCount),
		}
	}
	return b.pendingStart
}

// asRetryable tells apart what a node does that cannot do what it was asked now.
func asRetryable(err error) error {
	m, told := errors.AsType[*wire.Error](err)
	if errors.Is(err, context.DeadlineExceeded) || told && (m.Code == wire.CodeUnavailable || m.Code == wire.CodeUnknown) {
		return &retryError{err}
	}
	return err
}

// handleStartError takes the refusal of a start or resume.
func (b *broadcast) handleStartError(m *wire.Error) error {
	err := asRetryable(m)
	switch {
	case err != error(m): // the same again, elsewhere
	case m.Code != wire.CodeSessionGone:
		b.anchorPool.errors.Add(1)
	case b.sessionID == "": // its start was answered to nobody, and it is over
		b.pendingStart = nil
		return errSessionEnded
	case b.isStopping: // as was asked, but the answer was lost
		return b.recordStop()
	default:
		return b.handleSessionEnd(m.Reason)
	}
	return err
}

// recordStarted notes the answer to a start or resume.
func (b *broadcast) recordStarted(m *wire.Started, sent time.Duration) {
	b.pendingStart = nil
	if b.sessionID == m.Session {
		b.anchorPool.resumes.Add(1)
		b.ledger.updateSession(b.session, func(s *session) { s.acknowledgedAt, s.entry, s.openUpdates = max(s.acknowledgedAt, sent), m.Stream, 0 })
		return
	}
	b.sessionID = m.Session
	b.anchorPool.starts.Add(1)
	b.session = b.ledger.addSession(m.Stream, b.tag, sent)
}

// handleSessionEnd is called when the server says that the session has ended. It may have
// only if beats were missed.
func (b *broadcast) handleSessionEnd(reason string) error {
	if wrong := b.ledger.judgeDeparture(b.session.entry.Code, b.session.entry.StartedAt, b.clock()); wrong != "" {
		b.recordFault(faultEarlyDeparture, wrong+" (so its anchor was told)")
	}
	if reason == wire.EndMissedBeats {
		b.expired.Add(1)
	}
	b.ledger.permitEnd(b.session, b.clock())
	return errSessionEnded
}

// recordUnanswered is called when a socket ends: what it was not told may have taken
// effect, or not.
func (b *broadcast) recordUnanswered() {
	b.ledger.updateSession(b.session, func(s *session) {
		for _, r := range b.unanswered {
			if r.extra != nil {
				s.uncertainExtras = append(s.uncertainExtras, r.extra)
			}
		}
	})
	clear(b.unanswered)
}
