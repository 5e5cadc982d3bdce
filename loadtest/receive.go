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
	"onair/loadtest/platform"
)

// handleReadable reads once. If there is more, the poller returns the socket again.
func (l *viewerLoop) handleReadable(v *viewer) {
	if v.stage == stageDialing {
		return // handleWritable returns the error
	}
	buf := l.buffers.read
	if v.isSlow && !l.isSettling && v.stage == stageOpen {
		buf = buf[:l.options.SlowRate/slowReadsPerSecond+1]
		l.setInterestOrReconnect(v, outputInterest(v))
		l.scheduleAction(time.Second/slowReadsPerSecond, v, (*viewerLoop).resumeSlowReads)
		if v.stage == stageClosed {
			return
		}
	}
	n, err := platform.Receive(v.fd, buf)
	switch {
	case errors.Is(err, platform.ErrWouldBlock):
		return
	case err != nil:
		l.closeAndScheduleReconnect(v, "read: "+err.Error())
		return
	case n == 0:
		l.closeAndScheduleReconnect(v, "closed without a close frame")
		return
	}
	l.now = l.clock()
	l.counters.Bytes += n
	v.receivedAt = l.now
	if err := l.handleBytes(v, buf[:n]); err != nil {
		l.faults.recordFault(faultProtocol, "%v", err)
		l.closeAndScheduleReconnect(v, "protocol violation")
	}
}

// A slow viewer reads a few times a second, into so small a buffer that the server
// notices.
const (
	slowReadsPerSecond = 4
	slowReceiveBuffer  = 4 << 10
)

// resumeSlowReads lets a slow viewer read again.
func (l *viewerLoop) resumeSlowReads(v *viewer) {
	if v.stage != stageClosed {
		l.setInterestOrReconnect(v, platform.InterestInput|outputInterest(v))
	}
}

// outputInterest is what a viewer waits for besides input.
func outputInterest(v *viewer) platform.Interest {
	if len(v.unsent) > 0 {
		return platform.InterestOutput
	}
	return platform.InterestNone
}

// handleBytes handles bytes of a viewer's socket. It returns an error when the server
// breaks the protocol.
func (l *viewerLoop) handleBytes(v *viewer, data []byte) error {
	if len(v.unparsed) > 0 {
		v.unparsed = append(v.unparsed, data...)
		data = v.unparsed
	}
	if v.stage == stageHandshaking {
		n, err := l.handshakes[v.node].parseAndCheckResponse(data, v.nonce)
		if refused, ok := errors.AsType[*refusedError](err); ok {
			l.closeAndScheduleReconnect(v, refused.Error())
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
	generation := v.generation
	for v.stage >= stageAwaitingWelcome {
		f, n, err := parseFrame(data)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		data = data[n:]
		if err := l.handleFrame(v, f); err != nil {
			return err
		}
		if v.generation != generation {
			return nil
		}
	}
	if v.stage == stageClosed {
		return nil
	}
	if v.unparsed = append(v.unparsed[:0], data...); len(v.unparsed) == 0 {
		v.unparsed = nil // idle viewers hold no memory
	}
	return nil
}

// handleFrame handles one frame, and joins fragments of messages.
func (l *viewerLoop) handleFrame(v *viewer, f frame) error {
	switch f.op {
	case opPing:
		l.sendOrQueueFrame(v, opPong, f.payload)
		return nil
	case opPong:
		return nil
	case opClose:
		reason := "closed"
		if len(f.payload) >= 2 {
			code := binary.BigEndian.Uint16(f.payload)
			reason = fmt.Sprintf("closed with %d %s", code, f.payload[2:])
			v.isDrained = v.isDrained || code == wire.CloseDrained
		}
		l.closeAndScheduleReconnect(v, reason)
		return nil
	case opBinary:
		return errors.New("a binary message")
	case opText:
		if v.fragments != nil {
			return errors.New("a message inside a fragmented message")
		}
		if f.isFinal {
			return l.handleMessage(v, f.payload, f.isDeflated)
		}
		v.fragments, v.isDeflated = append([]byte{}, f.payload...), f.isDeflated
		return nil
	}
	if v.fragments == nil || f.isDeflated {
		return errors.New("a continuation without a message")
	}
	v.fragments = append(v.fragments, f.payload...)
	if len(v.fragments) > maxFramePayload {
		return fmt.Errorf("a message of more than %d bytes", maxFramePayload)
	}
	if !f.isFinal {
		return nil
	}
	payload := v.fragments
	v.fragments = nil
	return l.handleMessage(v, payload, v.isDeflated)
}

// handleMessage handles one message. It decodes nothing if another viewer has received
// the same message at the same list.
func (l *viewerLoop) handleMessage(v *viewer, payload []byte, isDeflated bool) error {
	if s := v.list.findStep(payload, isDeflated); s != nil {
		if s.isAnswer && !v.isSubscribing {
			return errors.New("an answer without a request")
		}
		l.advanceList(v, &v.list, s)
		return nil
	}
	if v.watchedList != nil {
		if s := v.watchedList.findStep(payload, isDeflated); s != nil {
			l.advanceList(v, &v.watchedList, s)
			return nil
		}
	}
	text := payload
	if isDeflated {
		if !l.options.Deflate {
			return errors.New("a deflated message without the extension")
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
	return l.handleDecoded(v, m, payload, isDeflated)
}

// inflate inflates a message of a server without context takeover.
func inflate(payload []byte) ([]byte, error) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	text, err := io.ReadAll(io.LimitReader(r, maxFramePayload))
	if err != nil {
		return nil, fmt.Errorf("inflate a message: %w", err)
	}
	return text, nil
}

// handleDecoded handles a message that no viewer has received at the same list.
func (l *viewerLoop) handleDecoded(v *viewer, m wire.Message, payload []byte, isDeflated bool) error {
	switch m := m.(type) {
	case *wire.Welcome:
		if v.stage != stageAwaitingWelcome {
			return errors.New("a second welcome")
		}
		v.stage = stageOpen
		l.recordNodeUp(v)
		l.idleInterval = time.Duration(m.IdleMS) * time.Millisecond
		l.ledger.recordLeaseParams(time.Duration(m.HeartbeatMS)*time.Millisecond, m.MissedLimit)
		l.ledger.recordNodeName(m.Node)
		l.sendSubscribe(v)
	case *wire.Snapshot:
		if m.ID != subscribeID || !v.isSubscribing {
			return errors.New("a snapshot without a request")
		}
		return l.applyAndCacheMessage(v, &v.list, m.View, step{frame: payload, isDeflated: isDeflated, isAnswer: true}, m)
	case *wire.Watching:
		if m.ID != watchID || m.Code != v.watchedCode || m.Entry.Code != m.Code {
			return errors.New("a watched stream without a request")
		}
		v.watchedList = l.findOrCreateWatchView(m.Code).emptyList
		return l.applyAndCacheMessage(v, &v.watchedList, m.View, step{frame: payload, isDeflated: isDeflated, isAnswer: true}, m)
	case *wire.Diff:
		s := step{frame: payload, isDeflated: isDeflated, isDiff: true, isAnswer: m.ID != ""}
		switch {
		case m.View == v.list.view.id:
			return l.applyAndCacheMessage(v, &v.list, m.View, s, m)
		case v.watchedList != nil && m.View == v.watchedList.view.id && !s.isAnswer:
			return l.applyAndCacheMessage(v, &v.watchedList, m.View, s, m)
		}
		return fmt.Errorf("a diff of view %s, which the viewer does not have", m.View)
	case *wire.Unwatched:
		v.watchedList = nil
		l.scheduleAnotherWatch(v)
	case *wire.Liked:
		l.counters.LikesAcknowledged++
	case *wire.Error:
		l.handleRefusal(v, m)
	case *wire.Drain:
		l.handleDrain(v, time.Duration(m.ReconnectInMS)*time.Millisecond)
	case *wire.Ping, *wire.TokenExpiring, *wire.Authenticated, *wire.Unknown:
	default:
		typ, _ := wire.Head(m)
		return fmt.Errorf("message %s on a viewer's socket", typ)
	}
	return nil
}

// handleRefusal handles the refusal of a request, and repeats a subscribe.
func (l *viewerLoop) handleRefusal(v *viewer, m *wire.Error) {
	switch {
	case m.ID == watchID && m.Code == wire.CodeNotFound:
		l.scheduleAnotherWatch(v) // the stream has ended
		return
	case m.ID == likeID && (m.Code == wire.CodeNotFound || m.Code == wire.CodeRateLimited):
		return
	case m.ID == unwatchID:
		return
	}
	l.reasons["refused: "+m.Error()]++
	l.counters.Errors++
	if m.ID == subscribeID {
		l.scheduleAction(time.Second+randomBackoff(l.rand, v.attempts, backoffCap), v, (*viewerLoop).sendSubscribe)
		v.attempts++
	}
}

// applyAndCacheMessage applies a message to one of a viewer's lists, current, and adds
// the step for other viewers.
func (l *viewerLoop) applyAndCacheMessage(v *viewer, current **list, viewID string, s step, m wire.Message) error {
	from := *current
	if known := from.findStep(s.frame, s.isDeflated); known != nil {
		l.advanceList(v, current, known)
		return nil
	}
	switch known := from.view.id; {
	case viewID == "":
		return errors.New("a view without an id")
	case known == "":
		from.view.id = viewID
	case known != viewID:
		return fmt.Errorf("view %s has become %s", known, viewID)
	}
	to, err := from.applyMessage(m)
	if broken, ok := errors.AsType[*chainError](err); ok {
		if v.isSubscribing && !s.isAnswer {
			return nil // superseded by the answer to the subscribe
		}
		l.faults.recordFault(faultBrokenChain, "%v", broken)
		l.sendSubscribe(v)
		return nil
	}
	if to == nil {
		return err
	}
	if err != nil {
		l.faults.recordFault(faultProtocol, "%v", err)
	}
	to, difference := from.view.findOrAddList(to)
	if difference != "" {
		l.faults.recordFault(faultDivergentLists, "%s", difference)
	}
	from.forEachDeparture(to, func(code string, startedAt int64) {
		if violation := l.ledger.judgeDeparture(code, startedAt, l.now); violation != "" {
			l.faults.recordFault(faultEarlyDeparture, "%s (%s)", violation, viewID)
		}
	})
	if d, ok := m.(*wire.Diff); ok && !s.isAnswer {
		s.commands = from.newCommands(to, d, l.ledger.runID)
	}
	s.to, s.frame = to, bytes.Clone(s.frame)
	l.advanceList(v, current, from.cacheStep(s))
	return nil
}

// advanceList moves one of a viewer's lists, current, by a step.
func (l *viewerLoop) advanceList(v *viewer, current **list, s *step) {
	*current = s.to
	lastChange := v.listChangedAt
	if current == &v.list {
		v.listChangedAt = l.now
	}
	if s.isDiff {
		l.counters.Diffs++
	}
	if s.isAnswer {
		l.handleSubscribed(v, s)
	} else if !v.isSlow {
		for _, command := range s.commands {
			if command.dueAt >= v.subscribedAt {
				l.recordLatency(v, command, lastChange)
			}
		}
	}
	if v.isReference {
		v.shownLists[s.to.view.id+" "+s.to.pos] = s.to
	}
	if current == &v.watchedList && len(s.to.entries) == 0 {
		l.scheduleAction(l.randomAround(time.Second), v, (*viewerLoop).sendUnwatchIfEnded)
	}
}

// handleSubscribed handles the answer to a subscribe. The answer to a watch needs
// nothing.
func (l *viewerLoop) handleSubscribed(v *viewer, s *step) {
	if s.to.view.watchedCode != "" {
		return
	}
	if s.isDiff {
		l.counters.Resumes++
	} else {
		l.counters.Snapshots++
	}
	v.isSubscribing, v.subscribedAt, v.attempts = false, l.now, 0
	if v.hasList {
		return // a resync on the same socket
	}
	if v.hasPosition {
		l.countReconnect(v, s.isDiff)
	}
	v.hasList = true
	v.watchedList = nil
	if v.isWatcher {
		l.sendWatch(v)
	}
	if v.isRoaming {
		l.scheduleAction(l.randomAround(l.options.StayTime), v, (*viewerLoop).disconnectRoaming)
	}
}
