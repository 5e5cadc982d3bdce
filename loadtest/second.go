package main

import (
	"context"
	"time"

	"onair/hub/wire"
)

// second is a socket at another node, on which a session was resumed while the
// first one was still open. The server then closes the first.
type second struct {
	line     *line
	node     int
	started  *wire.Started
	sent     time.Duration // the resume
	interval time.Duration
}

// look has the other nodes tried, after a while: all anchors of a degraded node
// are told at once. Until one of them has the session, it stays where it is.
func (b *broadcast) look() {
	if !b.o.many() || b.found != nil {
		return
	}
	found := make(chan *second, 1)
	wait, session, first, step := backoff(b.rand, 0), b.session, b.node, b.step
	to, err := b.call(first)
	if err != nil {
		return
	}
	b.found = found
	a := b.anchors
	b.readers.Go(func() {
		defer close(found)
		// All that follows is bounded, and whoever looks waits for it.
		ctx := context.Background()
		pause(ctx, wait)
		for to.node = a.o.after(first, step); to.node != first; to.node = a.o.after(to.node, step) {
			if s := a.resumeAt(ctx, to, session); s != nil {
				found <- s
				return
			}
		}
	})
}

// resumeAt tries one node. It returns nil when it does not let the anchor in, or
// have the session.
func (a *anchors) resumeAt(ctx context.Context, to call, session string) *second {
	l, err := a.open(ctx, to)
	if err != nil {
		return nil
	}
	s := &second{line: l, node: to.node}
	if s.interval, err = a.greeted(ctx, l, to.patience); err == nil {
		s.sent = a.clock()
		err = l.tell(&wire.Resume{ID: resumeID, Session: session})
	}
	if err == nil {
		var m wire.Message
		if m, err = l.wait(ctx, resumeID, to.patience); err == nil {
			s.started, _ = m.(*wire.Started)
		}
	}
	if s.started == nil {
		l.hangUp()
		return nil
	}
	return s
}

// rejoin waits for the second socket that is being tried, if one is, and goes
// over to it if it has the session.
func (b *broadcast) rejoin() bool {
	if b.found == nil {
		return false
	}
	return b.goOver(<-b.found)
}

// goOver goes over to a second socket; nil: there is none, all others refused.
func (b *broadcast) goOver(s *second) bool {
	b.found = nil
	if s == nil {
		return false
	}
	b.line.hangUp()
	b.doubt()
	b.noAck.Stop()
	b.drain.Stop()
	b.waiting, b.degraded = false, false
	b.line, b.node, b.interval = s.line, s.node, s.interval
	b.moves.Add(1)
	b.begun(s.started, s.sent)
	return true
}
