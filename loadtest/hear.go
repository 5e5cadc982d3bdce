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

// handleReadable reads what a socket has, once: if there is more, it is soon told of
// again.
func (c *viewerLoop) handleReadable(v *viewer) {
	if v.stage == stageDialing {
		return // a failed connect is writable, too
	}
	buf := c.readBuffer
	if v.isSlow && !c.isSettling && v.stage == stageOpen {
		buf = buf[:c.options.SlowRate/slowReadsPerSecond+1]
		c.setInterest(v, writeInterest(v))
		c.schedule(time.Second/slowReadsPerSecond, v, (*viewerLoop).resumeSlowReads)
		if v.stage == stageClosed {
			return
		}
	}
	n, err := Receive(v.fd, buf)
	switch {
	case errors.Is(err, ErrWouldBlock):
		return
	case err != nil:
		c.handleSocketEnd(v, "read: "+err.Error())
		return
	case n == 0:
		c.handleSocketEnd(v, "closed without a word")
		return
	}
	c.now = c.clock()
	c.counters.bytes += n
	v.receivedAt = c.now
	if err := c.handleBytes(v, buf[:n]); err != nil {
		c.faults.record(faultProtocol, "%v", err)
		c.handleSocketEnd(v, "broken")
	}
}

// A slow viewer takes so many sips a second, and has so small a buffer that the
// server feels it.
const (
	slowReadsPerSecond = 4
	slowReceiveBuffer  = 4 << 10
)

// resumeSlowReads has a slow viewer read again.
func (c *viewerLoop) resumeSlowReads(v *viewer) {
	if v.stage != stageClosed {
		c.setInterest(v, InterestInput|writeInterest(v))
	}
}

// writeInterest is what a viewer waits for besides input.
func writeInterest(v *viewer) Interest {
	if len(v.unsent) > 0 {
		return InterestOutput
	}
	return InterestNone
}

// handleBytes takes bytes of a viewer's socket. An error is the server's fault.
func (c *viewerLoop) handleBytes(v *viewer, data []byte) error {
	if len(v.unparsed) > 0 {
		v.unparsed = append(v.unparsed, data...)
		data = v.unparsed
	}
	if v.stage == stageHandshaking {
		n, err := c.handshakes[v.node].parseResponse(data, v.nonce)
		if refused, ok := errors.AsType[*refusedError](err); ok {
			c.handleSocketEnd(v, refused.Error())
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			v.stage = stageAwaitingWelcome
		}
		data = data[n:]
	}
	life := v.generation
	for v.stage >= stageAwaitingWelcome {
		f, n, err := parseFrame(data)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		data = data[n:]
		if err := c.handleFrame(v, f); err != nil {
			return err
		}
		if v.generation != life {
			return nil
		}
	}
	if v.stage == stageClosed {
		return nil
	}
	if v.unparsed = append(v.unparsed[:0], data...); len(v.unparsed) == 0 {
		v.unparsed = nil // thousands of idle viewers are to hold nothing
	}
	return nil
}

// handleFrame takes one frame.
func (c *viewerLoop) handleFrame(v *viewer, f frame) error {
	switch f.op {
	case opPing:
		c.sendFrame(v, opPong, f.payload)
		return nil
	case opPong:
		return nil
	case opClose:
		why := "closed"
		if len(f.payload) >= 2 {
			code := binary.BigEndian.Uint16(f.payload)
			why = fmt.Sprintf("closed with %d %s", code, f.payload[2:])
			v.isDrained = v.isDrained || code == wire.CloseDrained
		}
		c.handleSocketEnd(v, why)
		return nil
	case opBinary:
		return errors.New("a binary message")
	case opText:
		if v.fragments != nil {
			return errors.New("a message within another")
		}
		if f.final {
			return c.handleMessage(v, f.payload, f.deflated)
		}
		v.fragments, v.isDeflated = append([]byte{}, f.payload...), f.deflated
		return nil
	}
	if v.fragments == nil || f.deflated {
		return errors.New("a continuation of nothing")
	}
	v.fragments = append(v.fragments, f.payload...)
	if len(v.fragments) > maxFrame {
		return errors.New("an endless message")
	}
	if !f.final {
		return nil
	}
	whole := v.fragments
	v.fragments = nil
	return c.handleMessage(v, whole, v.isDeflated)
}

// handleMessage takes one message: at once where it is known to lead on from a list
// of the viewer.
func (c *viewerLoop) handleMessage(v *viewer, payload []byte, deflated bool) error {
	c.counters.messages++
	if s := v.list.findStep(payload, deflated); s != nil {
		if s.isAnswer && !v.isSubscribing {
			return errors.New("an answer that nobody asked for")
		}
		c.takeStep(v, &v.list, s)
		return nil
	}
	if v.watchedList != nil {
		if s := v.watchedList.findStep(payload, deflated); s != nil {
			c.takeStep(v, &v.watchedList, s)
			return nil
		}
	}
	text := payload
	if deflated {
		if !c.options.Deflate {
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
	return c.handleDecoded(v, m, payload, deflated)
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

// handleDecoded takes a message that leads on from no list that the viewer has, or
// that is the first of its kind to do so.
func (c *viewerLoop) handleDecoded(v *viewer, m wire.Message, payload []byte, deflated bool) error {
	switch m := m.(type) {
	case *wire.Welcome:
		if v.stage != stageAwaitingWelcome {
			return errors.New("a second welcome")
		}
		v.stage = stageOpen
		c.recordNodeUp(v)
		c.idleInterval = time.Duration(m.IdleMS) * time.Millisecond
		c.ledger.setLeaseParams(time.Duration(m.HeartbeatMS)*time.Millisecond, m.MissedLimit)
		c.sendSubscribe(v)
	case *wire.Snapshot:
		if m.ID != subscribeID || !v.isSubscribing {
			return errors.New("a snapshot that nobody asked for")
		}
		return c.applyMessage(v, &v.list, m.View, step{frame: payload, deflated: deflated, isAnswer: true}, m)
	case *wire.Watching:
		if m.ID != watchID || m.Code != v.watchedCode || m.Entry.Code != m.Code {
			return errors.New("a stream that nobody asked to watch")
		}
		v.watchedList = c.watchView(m.Code).emptyList
		return c.applyMessage(v, &v.watchedList, m.View, step{frame: payload, deflated: deflated, isAnswer: true}, m)
	case *wire.Diff:
		s := step{frame: payload, deflated: deflated, isDiff: true, isAnswer: m.ID != ""}
		switch {
		case m.View == v.list.view.id:
			return c.applyMessage(v, &v.list, m.View, s, m)
		case v.watchedList != nil && m.View == v.watchedList.view.id && !s.isAnswer:
			return c.applyMessage(v, &v.watchedList, m.View, s, m)
		}
		return fmt.Errorf("a diff of %s, which the viewer does not have", m.View)
	case *wire.Unwatched:
		v.watchedList = nil
		c.forgetWatchedCode(v)
		c.schedule(c.randomAround(time.Second), v, (*viewerLoop).sendWatch)
	case *wire.Liked:
		c.counters.likesAcknowledged++
	case *wire.Error:
		c.handleError(v, m)
	case *wire.Drain:
		c.handleDrain(v, time.Duration(m.ReconnectInMS)*time.Millisecond)
	case *wire.Ping, *wire.TokenExpiring, *wire.Authenticated, *wire.Unknown:
	default:
		typ, _ := m.Head()
		return fmt.Errorf("%s, on a viewer's socket", typ)
	}
	return nil
}

// handleError takes the answer to a request that the server did not fulfil.
func (c *viewerLoop) handleError(v *viewer, m *wire.Error) {
	switch {
	case m.ID == watchID && m.Code == wire.CodeNotFound:
		c.forgetWatchedCode(v) // it ended meanwhile
		c.schedule(c.randomAround(time.Second), v, (*viewerLoop).sendWatch)
		return
	case m.ID == likeID && (m.Code == wire.CodeNotFound || m.Code == wire.CodeRateLimited):
		return
	case m.ID == unwatchID:
		return
	}
	c.counters.reasons["refused: "+m.Error()]++
	c.counters.errors++
	if m.ID == subscribeID {
		c.schedule(time.Second+backoffDelay(c.rand, v.attempts), v, (*viewerLoop).sendSubscribe)
		v.attempts++
	}
}

// applyMessage applies a message to a viewer's list, and remembers that it did.
func (c *viewerLoop) applyMessage(v *viewer, at **list, name string, s step, m wire.Message) error {
	from := *at
	if known := from.findStep(s.frame, s.deflated); known != nil {
		c.takeStep(v, at, known)
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
		if v.isSubscribing && !s.isAnswer {
			return nil // overtaken by the answer that is on its way
		}
		c.faults.record(faultBrokenChain, "%v", broken)
		c.sendSubscribe(v)
		return nil
	}
	if to == nil {
		return err
	}
	if err != nil {
		c.faults.record(faultProtocol, "%v", err)
	}
	to, err = from.view.canonicalList(to)
	if err != nil {
		c.faults.record(faultDivergentLists, "%v", err)
	}
	from.eachDeparture(to, func(code string, startedAt int64) {
		if wrong := c.ledger.judgeDeparture(code, startedAt, c.now); wrong != "" {
			c.faults.record(faultEarlyDeparture, "%s (%s)", wrong, name)
		}
	})
	if d, ok := m.(*wire.Diff); ok && !s.isAnswer {
		s.commands = from.commandsIn(to, d, c.ledger.runID)
	}
	s.to, s.frame = to, bytes.Clone(s.frame)
	c.takeStep(v, at, from.addStep(s))
	return nil
}

// takeStep takes a step.
func (c *viewerLoop) takeStep(v *viewer, at **list, s *step) {
	*at = s.to
	before := v.listChangedAt
	if at == &v.list {
		v.listChangedAt = c.now
	}
	if s.isDiff {
		c.counters.diffs++
	}
	if s.isAnswer {
		c.handleSubscribed(v, s)
	} else if !v.isSlow {
		for _, m := range s.commands {
			if m.dueAt >= v.subscribedAt {
				c.recordLatency(v, m, before)
			}
		}
	}
	if v.isReference {
		v.shownLists[s.to.view.id+" "+s.to.pos] = s.to
	}
	if at == &v.watchedList && len(s.to.entries) == 0 {
		c.schedule(c.randomAround(time.Second), v, (*viewerLoop).sendUnwatch)
	}
}

// handleSubscribed takes the answer to a subscribe or a watch.
func (c *viewerLoop) handleSubscribed(v *viewer, s *step) {
	if s.to.view.watchedCode != "" {
		return
	}
	if s.isDiff {
		c.counters.resumes++
	} else {
		c.counters.snapshots++
	}
	v.isSubscribing, v.subscribedAt, v.attempts = false, c.now, 0
	if v.hasList {
		return // a resync, on the same socket
	}
	if v.hasPosition {
		c.countReconnect(v, s.isDiff)
	}
	v.hasList = true
	v.watchedList = nil
	if v.isWatcher {
		c.sendWatch(v)
	}
	if v.isRoaming {
		c.schedule(c.randomAround(c.options.StayTime), v, (*viewerLoop).goAway)
	}
}
