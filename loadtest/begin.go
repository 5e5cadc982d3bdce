package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onair/hub/wire"
)

func (b *broadcast) call(node int) (call, error) {
	token, err := b.token()
	return call{node, token, b.patience(), &b.readers}, err
}

// begin waits for the welcome, and starts or resumes.
func (b *broadcast) begin(ctx context.Context) (err error) {
	if b.interval, err = b.greeted(ctx, b.line, b.patience()); err != nil {
		return mayTryAgain(err)
	}
	now := b.clock()
	id, ask := resumeID, wire.Message(&wire.Resume{ID: resumeID, Session: b.session})
	if b.session == "" {
		id, ask = startID, b.start(now)
	}
	if err := b.tell(ask); err != nil {
		return err
	}
	answer, err := b.wait(ctx, id, b.patience())
	if err != nil {
		return mayTryAgain(err)
	}
	switch m := answer.(type) {
	case *wire.Started:
		b.begun(m, now)
		return nil
	case *wire.Error:
		return b.notBegun(m)
	}
	return fmt.Errorf("%T in answer to a start", answer)
}

// start is the next one, or that which was not answered.
func (b *broadcast) start(now time.Duration) *wire.Start {
	if b.pending == nil {
		// Should the session before this one still be live, it is taken over.
		b.ledger.mayEnd(b.record, now)
		b.anchor.starts++
		b.pending = &wire.Start{
			ID: startID, Title: fmt.Sprintf("Load %d, take %d", b.i, b.anchor.starts), Tags: []string{b.tag},
			Extra: stamp{b.ledger.run, now.Microseconds(), b.node, true}.extra(),
			Key:   fmt.Sprintf("%s-%d-%d", b.ledger.run, b.i, b.anchor.starts),
		}
	}
	return b.pending
}

// mayTryAgain tells apart what a node does that cannot do what it was asked now.
func mayTryAgain(err error) error {
	m, told := errors.AsType[*wire.Error](err)
	if errors.Is(err, context.DeadlineExceeded) || told && (m.Code == wire.CodeUnavailable || m.Code == wire.CodeUnknown) {
		return &retryError{err}
	}
	return err
}

// notBegun takes the refusal of a start or resume.
func (b *broadcast) notBegun(m *wire.Error) error {
	err := mayTryAgain(m)
	switch {
	case err != error(m): // the same again, elsewhere
	case m.Code != wire.CodeSessionGone:
		b.anchors.errors.Add(1)
	case b.session == "": // its start was answered to nobody, and it is over
		b.pending = nil
		return errOver
	case b.stopping: // as was asked, but the answer was lost
		return b.stopped()
	default:
		return b.over(m.Reason)
	}
	return err
}

// begun notes the answer to a start or resume.
func (b *broadcast) begun(m *wire.Started, sent time.Duration) {
	b.pending = nil
	if b.session == m.Session {
		b.anchors.resumes.Add(1)
		b.ledger.change(b.record, func(s *session) { s.heard, s.entry, s.unsure = max(s.heard, sent), m.Stream, 0 })
		return
	}
	b.session = m.Session
	b.anchors.starts.Add(1)
	b.record = b.ledger.began(m.Stream, b.tag, sent)
}

// over is called when the server says that the session has ended. It may have
// only if beats were missed.
func (b *broadcast) over(reason string) error {
	if wrong := b.ledger.left(b.record.entry.Code, b.record.entry.StartedAt, b.clock()); wrong != "" {
		b.fault(faultLeft, wrong+" (so its anchor was told)")
	}
	if reason == wire.EndMissedBeats {
		b.expired.Add(1)
	}
	b.ledger.mayEnd(b.record, b.clock())
	return errOver
}

// doubt is called when a socket ends: what it was not told may have taken
// effect, or not.
func (b *broadcast) doubt() {
	b.ledger.change(b.record, func(s *session) {
		for _, r := range b.sent {
			if r.extra != nil {
				s.doubts = append(s.doubts, r.extra)
			}
		}
	})
	clear(b.sent)
}
