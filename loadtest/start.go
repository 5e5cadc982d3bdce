package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onair/hub/wire"
)

// newDialTarget signs a new token for the socket.
func (b *broadcast) newDialTarget(node int) (target dialTarget, err error) {
	token, err := b.signToken()
	return dialTarget{node, token, b.answerTimeout(), &b.readers}, err
}

// startOrResume waits for the welcome, starts or resumes the session, and waits for
// the answer.
func (b *broadcast) startOrResume(ctx context.Context) (err error) {
	if b.beatInterval, err = b.awaitAndRecordWelcome(ctx, b.anchorSocket, b.answerTimeout()); err != nil {
		return wrapIfTemporary(err)
	}
	sentAt := b.clock()
	id, request := resumeID, wire.Message(&wire.Resume{ID: resumeID, Session: b.sessionID})
	if b.sessionID == "" {
		id, request = startID, b.pendingOrNewStart(sentAt)
	}
	if err := b.sendMessage(request); err != nil {
		return err
	}
	answer, err := b.skipToAnswer(ctx, id, b.answerTimeout())
	if err != nil {
		return wrapIfTemporary(err)
	}
	switch m := answer.(type) {
	case *wire.Started:
		b.recordStarted(m, sentAt)
		return nil
	case *wire.Error:
		return b.handleStartError(m)
	}
	return fmt.Errorf("%T in answer to a start", answer)
}

// pendingOrNewStart returns the start that has no answer yet, or a new one.
func (b *broadcast) pendingOrNewStart(now time.Duration) *wire.Start {
	if b.pendingStart == nil {
		// If the session before is still live, the start takes it over.
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

// wrapIfTemporary makes temporary failures of a node a retryError, and returns all other
// errors as they are.
func wrapIfTemporary(err error) error {
	m, isRefusal := errors.AsType[*wire.Error](err)
	if errors.Is(err, context.DeadlineExceeded) || isRefusal && (m.Code == wire.CodeUnavailable || m.Code == wire.CodeUnknown) {
		return &retryError{err}
	}
	return err
}

// handleStartError handles the refusal of a start or resume.
func (b *broadcast) handleStartError(m *wire.Error) (end error) {
	err := wrapIfTemporary(m)
	switch {
	case err != error(m): // the request is repeated at another node
	case m.Code != wire.CodeSessionGone:
		b.incrementFigure(&b.figures.Errors)
	case b.sessionID == "": // the answer to its start was lost, and it has ended
		b.pendingStart = nil
		return errSessionEnded
	case b.isStopping: // the answer to its stop was lost
		b.recordStopped()
		return errStopped
	default:
		b.recordAndJudgeEnd(m.Reason)
		return errSessionEnded
	}
	return err
}

// recordStarted records the answer to a start or resume.
func (b *broadcast) recordStarted(m *wire.Started, sentAt time.Duration) {
	b.pendingStart = nil
	if b.sessionID == m.Session {
		b.incrementFigure(&b.figures.Resumes)
		b.ledger.updateSession(b.session, func(s *session) {
			s.acknowledgedAt, s.entry, s.openUpdates = max(s.acknowledgedAt, sentAt), m.Stream, 0
		})
		return
	}
	b.sessionID = m.Session
	b.incrementFigure(&b.figures.Starts)
	b.session = b.ledger.addSession(m.Stream, b.tag, sentAt)
}

// recordAndJudgeEnd records that the server has ended the session, and a fault if its
// anchor still beat.
func (b *broadcast) recordAndJudgeEnd(reason string) {
	if violation := b.ledger.judgeDeparture(b.session.entry.Code, b.session.entry.StartedAt, b.clock()); violation != "" {
		b.faults.recordFault(faultEarlyDeparture, "%s (its anchor received the end)", violation)
	}
	if reason == wire.EndMissedBeats {
		b.incrementFigure(&b.figures.Expired)
	}
	b.ledger.permitEnd(b.session, b.clock())
}

// moveUnansweredToLedger records, when a socket has ended, that its unanswered updates may
// have taken effect or not, and forgets them.
func (b *broadcast) moveUnansweredToLedger() {
	b.ledger.updateSession(b.session, func(s *session) {
		for _, r := range b.unanswered {
			if r.extra != nil {
				s.uncertainExtras = append(s.uncertainExtras, r.extra)
			}
		}
	})
	clear(b.unanswered)
}
