package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"onair/hub/wire"
)

// readable reads what a socket has, once: if there is more, it is soon told of
// again.
func (c *crowd) readable(v *viewer) {
	if v.stage == stageDialing {
		return // a failed connect is writable, too
	}
	buf := c.scratch
	if v.slow && !c.calm && v.stage == stageFollowing {
		buf = buf[:c.o.SlowRate/slowSips+1]
		c.await(v, interestOf(v))
		c.after(time.Second/slowSips, v, (*crowd).sip)
		if v.stage == stageAway {
			return
		}
	}
	n, err := receive(v.fd, buf)
	switch {
	case errors.Is(err, errAgain):
		return
	case err != nil:
		c.lost(v, "read: "+err.Error())
		return
	case n == 0:
		c.lost(v, "closed without a word")
		return
	}
	c.now = c.clock()
	c.tally.bytes += n
	v.heard = c.now
	if err := c.hear(v, buf[:n]); err != nil {
		c.faults.add(faultProtocol, "%v", err)
		c.lost(v, "broken")
	}
}

// A slow viewer takes so many sips a second, and has so small a buffer that the
// server feels it.
const (
	slowSips   = 4
	slowBuffer = 4 << 10
)

// sip has a slow viewer read again.
func (c *crowd) sip(v *viewer) {
	if v.stage != stageAway {
		c.await(v, forInput|interestOf(v))
	}
}

// interestOf is what a viewer waits for besides input.
func interestOf(v *viewer) interest {
	if len(v.out) > 0 {
		return forOutput
	}
	return forNothing
}

// hear takes bytes of a viewer's socket. An error is the server's fault.
func (c *crowd) hear(v *viewer, data []byte) error {
	if len(v.rest) > 0 {
		v.rest = append(v.rest, data...)
		data = v.rest
	}
	if v.stage == stageShaking {
		n, err := c.hello[v.node].answered(data, v.nonce)
		if refused, ok := errors.AsType[*refusedError](err); ok {
			c.lost(v, refused.Error())
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			v.stage = stageGreeting
		}
		data = data[n:]
	}
	life := v.life
	for v.stage >= stageGreeting {
		f, n, err := parseFrame(data)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		data = data[n:]
		if err := c.take(v, f); err != nil {
			return err
		}
		if v.life != life {
			return nil
		}
	}
	if v.stage == stageAway {
		return nil
	}
	if v.rest = append(v.rest[:0], data...); len(v.rest) == 0 {
		v.rest = nil // thousands of idle viewers are to hold nothing
	}
	return nil
}

// take takes one frame.
func (c *crowd) take(v *viewer, f frame) error {
	switch f.op {
	case opPing:
		c.write(v, opPong, f.payload)
		return nil
	case opPong:
		return nil
	case opClose:
		why := "closed"
		if len(f.payload) >= 2 {
			code := binary.BigEndian.Uint16(f.payload)
			why = fmt.Sprintf("closed with %d %s", code, f.payload[2:])
			v.drained = v.drained || code == wire.CloseDrained
		}
		c.lost(v, why)
		return nil
	case opBinary:
		return errors.New("a binary message")
	case opText:
		if v.parts != nil {
			return errors.New("a message within another")
		}
		if f.final {
			return c.message(v, f.payload, f.deflated)
		}
		v.parts, v.flate = append([]byte{}, f.payload...), f.deflated
		return nil
	}
	if v.parts == nil || f.deflated {
		return errors.New("a continuation of nothing")
	}
	v.parts = append(v.parts, f.payload...)
	if len(v.parts) > maxFrame {
		return errors.New("an endless message")
	}
	if !f.final {
		return nil
	}
	whole := v.parts
	v.parts = nil
	return c.message(v, whole, v.flate)
}

// message takes one message: at once where it is known to lead on from a list
// of the viewer.
func (c *crowd) message(v *viewer, payload []byte, deflated bool) error {
	c.tally.messages++
	if s := v.at.find(payload, deflated); s != nil {
		if s.answer && !v.asked {
			return errors.New("an answer that nobody asked for")
		}
		c.follow(v, &v.at, s)
		return nil
	}
	if v.watch != nil {
		if s := v.watch.find(payload, deflated); s != nil {
			c.follow(v, &v.watch, s)
			return nil
		}
	}
	text := payload
	if deflated {
		if !c.o.Deflate {
			return errors.New("a deflated message that was not agreed on")
		}
		var err error
		if text, err = inflate(payload); err != nil {
			return err
		}
	}
	m, err := wire.DecodeServerMessage(text)
	if err != nil {
		return fmt.Errorf("%w: %.200s", err, text)
	}
	return c.understand(v, m, payload, deflated)
}

// inflate undoes what a server without context takeover did.
func inflate(payload []byte) ([]byte, error) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	text, err := io.ReadAll(io.LimitReader(r, maxFrame))
	if err != nil {
		return nil, fmt.Errorf("a message that cannot be inflated: %w", err)
	}
	return text, nil
}

// understand takes a message that leads on from no list that the viewer has, or
// that is the first of its kind to do so.
func (c *crowd) understand(v *viewer, m wire.Message, payload []byte, deflated bool) error {
	switch m := m.(type) {
	case *wire.Welcome:
		if v.stage != stageGreeting {
			return errors.New("a second welcome")
		}
		v.stage = stageFollowing
		c.welcomed(v)
		c.idle = time.Duration(m.IdleMS) * time.Millisecond
		c.ledger.rules(time.Duration(m.HeartbeatMS)*time.Millisecond, m.MissedLimit)
		c.subscribe(v)
	case *wire.Snapshot:
		if m.ID != answersSubscribe || !v.asked {
			return errors.New("a snapshot that nobody asked for")
		}
		return c.learn(v, &v.at, m.View, step{frame: payload, deflated: deflated, answer: true}, m)
	case *wire.Watching:
		if m.ID != answersWatch || m.Code != v.wanted || m.Entry.Code != m.Code {
			return errors.New("a stream that nobody asked to watch")
		}
		v.watch = c.viewOf(m.Code).start
		return c.learn(v, &v.watch, m.View, step{frame: payload, deflated: deflated, answer: true}, m)
	case *wire.Diff:
		s := step{frame: payload, deflated: deflated, diff: true, answer: m.ID != ""}
		switch {
		case m.View == v.at.view.id:
			return c.learn(v, &v.at, m.View, s, m)
		case v.watch != nil && m.View == v.watch.view.id && !s.answer:
			return c.learn(v, &v.watch, m.View, s, m)
		}
		return fmt.Errorf("a diff of %s, which the viewer does not have", m.View)
	case *wire.Unwatched:
		v.watch = nil
		c.another(v)
		c.after(c.about(time.Second), v, (*crowd).lookOn)
	case *wire.Liked:
		c.tally.liked++
	case *wire.Error:
		c.refused(v, m)
	case *wire.Drain:
		c.drain(v, time.Duration(m.ReconnectInMS)*time.Millisecond)
	case *wire.Ping, *wire.TokenExpiring, *wire.Authenticated, *wire.Unknown:
	default:
		typ, _ := m.Head()
		return fmt.Errorf("%s, on a viewer's socket", typ)
	}
	return nil
}

// refused takes the answer to a request that the server did not fulfil.
func (c *crowd) refused(v *viewer, m *wire.Error) {
	switch {
	case m.ID == answersWatch && m.Code == wire.CodeNotFound:
		c.another(v) // it ended meanwhile
		c.after(c.about(time.Second), v, (*crowd).lookOn)
		return
	case m.ID == answersLike && (m.Code == wire.CodeNotFound || m.Code == wire.CodeRateLimited):
		return
	case m.ID == answersUnwatch:
		return
	}
	c.tally.reasons["refused: "+m.Error()]++
	c.tally.errors++
	if m.ID == answersSubscribe {
		c.after(time.Second+backoff(c.rand, v.tries), v, (*crowd).subscribe)
		v.tries++
	}
}

// learn applies a message to a viewer's list, and remembers that it did.
func (c *crowd) learn(v *viewer, at **list, name string, s step, m wire.Message) error {
	from := *at
	if known := from.find(s.frame, s.deflated); known != nil {
		c.follow(v, at, known)
		return nil
	}
	switch known := from.view.id; {
	case name == "":
		return errors.New("a view without a name")
	case known == "":
		from.view.id = name
	case known != name:
		return fmt.Errorf("view %s is now %s", known, name)
	}
	to, err := from.apply(m)
	if broken, ok := errors.AsType[*chainError](err); ok {
		if v.asked && !s.answer {
			return nil // overtaken by the answer that is on its way
		}
		c.faults.add(faultChain, "%v", broken)
		c.subscribe(v)
		return nil
	}
	if to == nil {
		return err
	}
	if err != nil {
		c.faults.add(faultProtocol, "%v", err)
	}
	to, err = from.view.settle(to)
	if err != nil {
		c.faults.add(faultDiverge, "%v", err)
	}
	from.departed(to, func(code string, startedAt int64) {
		if wrong := c.ledger.left(code, startedAt, c.now); wrong != "" {
			c.faults.add(faultLeft, "%s (%s)", wrong, name)
		}
	})
	if d, ok := m.(*wire.Diff); ok && !s.answer {
		s.marks = from.marks(to, d, c.ledger.run)
	}
	s.to, s.frame = to, bytes.Clone(s.frame)
	c.follow(v, at, from.keep(s))
	return nil
}

// follow takes a step.
func (c *crowd) follow(v *viewer, at **list, s *step) {
	*at = s.to
	before := v.framed
	if at == &v.at {
		v.framed = c.now
	}
	if s.diff {
		c.tally.diffs++
	}
	if s.answer {
		c.answered(v, s)
	} else if !v.slow {
		for _, m := range s.marks {
			if m.at >= v.since {
				c.latency(v, m, before)
			}
		}
	}
	if v.reference {
		v.seen[s.to.view.id+" "+s.to.pos] = s.to
	}
	if at == &v.watch && len(s.to.entries) == 0 {
		c.after(c.about(time.Second), v, (*crowd).lookAway)
	}
}

// answered takes the answer to a subscribe or a watch.
func (c *crowd) answered(v *viewer, s *step) {
	if s.to.view.code != "" {
		return
	}
	if s.diff {
		c.tally.resumes++
	} else {
		c.tally.snapshots++
	}
	v.asked, v.since, v.tries = false, c.now, 0
	if v.followed {
		return // a resync, on the same socket
	}
	if v.returns {
		c.came(v, s.diff)
	}
	v.followed = true
	v.watch = nil
	if v.looks {
		c.lookOn(v)
	}
	if v.roams {
		c.after(c.about(c.o.StayFor), v, (*crowd).stroll)
	}
}
