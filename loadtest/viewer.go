package main

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"onair/hub/wire"
	"onair/loadtest/platform"
)

// socketStage is the progress of a viewer's socket.
type socketStage uint8

const (
	stageClosed          socketStage = iota
	stageDialing                     // waits for TCP
	stageHandshaking                 // waits for the HTTP response
	stageAwaitingWelcome             // waits for the first message
	stageOpen
)

// viewer is one simulated viewer. The goroutine of the viewer loop owns it.
type viewer struct {
	// Static after construction.
	index int32
	view  *view
	viewerTraits

	route
	viewerSocket

	list          *list
	watchedList   *list  // of the one stream that it watches, or nil
	watchedCode   string // the stream that it watches or is about to
	isSubscribing bool   // waits for the answer to a subscribe
	hasPosition   bool   // the subscribe had a position
	hasList       bool   // has received a list on this socket
	subscribedAt  time.Duration
	listChangedAt time.Duration
	attempts      int // of connects and subscribes that failed in a row

	shownLists map[string]*list // of a reference: all its lists, by view and position
}

// viewerTraits are what a viewer does besides following its view.
type viewerTraits struct {
	isSlow      bool // reads slowly
	isRoaming   bool // disconnects now and then
	isWatcher   bool // watches a stream
	isReference bool // others are compared with it
}

// viewerSocket is the state of a viewer's latest socket.
type viewerSocket struct {
	fd         int
	generation int32 // the number of the socket
	stage      socketStage
	nonce      uint64 // of the handshake
	unparsed   []byte // of an incomplete frame
	fragments  []byte // of an incomplete message
	isDeflated bool   // the incomplete message is deflated
	unsent     []byte
	receivedAt time.Duration
	isDrained  bool // the node sends it to another
}

// hasListOnSocket reports whether the viewer has a list on its socket.
func (v *viewer) hasListOnSocket() bool { return v.stage == stageOpen && v.hasList && !v.isSubscribing }

// The ids of requests are the same for all viewers, so that the answers are the same
// to the byte.
var (
	subscribeID = wire.IntID(1)
	watchID     = wire.IntID(2)
	unwatchID   = wire.IntID(3)
	likeID      = wire.IntID(4)
)

// Reconnecting clients use full jitter between zero and the backoff.
const (
	backoffBase = time.Second
	backoffCap  = 30 * time.Second
)

// randomBackoff is a random time up to a bound that doubles with each attempt, up to maxDelay.
func randomBackoff(r *rand.Rand, attempts int, maxDelay time.Duration) time.Duration {
	backoff := min(maxDelay, backoffBase<<min(attempts, 10))
	return time.Duration(r.Int64N(int64(backoff) + 1))
}

// connectViewer opens a new socket to the next node.
func (l *viewerLoop) connectViewer(v *viewer) {
	if v.stage != stageClosed {
		return
	}
	receiveBuffer := 0
	if v.isSlow {
		receiveBuffer = slowReceiveBuffer
	}
	if !v.isReference {
		v.node = l.options.nextNode(v.route)
	}
	v.isDrained = false
	to := l.options.nodes[v.node].address
	fd, err := platform.DialTCP(to, sourceAddress(to.Addr(), int(v.index)), receiveBuffer)
	if err != nil {
		l.handleDialError(v, err)
		return
	}
	v.viewerSocket = viewerSocket{fd: fd, generation: v.generation + 1, stage: stageDialing, receivedAt: l.now}
	v.isSubscribing, v.hasList = false, false
	if err := l.poller.Add(fd, v.index, v.generation, platform.InterestOutput); err != nil {
		l.closeAndScheduleReconnect(v, "epoll: "+err.Error())
	}
}

// closeWithoutFrame closes a viewer's socket without a close frame.
func (l *viewerLoop) closeWithoutFrame(v *viewer) {
	if v.stage == stageClosed {
		return
	}
	platform.CloseSocket(v.fd)
	v.stage, v.fd = stageClosed, -1
	v.unparsed, v.fragments, v.unsent = nil, nil, nil
}

// closeWithFrame sends a close frame and closes a viewer's socket.
func (l *viewerLoop) closeWithFrame(v *viewer) {
	l.sendCloseFrameIfIdle(v)
	l.closeWithoutFrame(v)
}

func (l *viewerLoop) sendCloseFrameIfIdle(v *viewer) {
	if v.stage == stageOpen && len(v.unsent) == 0 {
		l.sendOrQueueFrame(v, opClose, binary.BigEndian.AppendUint16(nil, wire.CloseNormal))
	}
}

// handleWritable sends the handshake, or the rest of what could not be sent before.
func (l *viewerLoop) handleWritable(v *viewer) {
	if v.stage == stageDialing {
		if err := platform.DialResult(v.fd); err != nil {
			l.handleDialError(v, err)
			return
		}
		v.stage, v.nonce = stageHandshaking, l.rand.Uint64()
		v.unsent = l.handshakes[v.node].appendRequest(nil, v.nonce)
	}
	n, err := platform.Send(v.fd, v.unsent)
	if err != nil && !errors.Is(err, platform.ErrWouldBlock) {
		l.closeAndScheduleReconnect(v, "write: "+err.Error())
		return
	}
	if v.unsent = v.unsent[n:]; len(v.unsent) == 0 {
		v.unsent = nil
		l.setInterestOrReconnect(v, platform.InterestInput)
	}
}

func (l *viewerLoop) setInterestOrReconnect(v *viewer, interest platform.Interest) {
	if err := l.poller.SetInterest(v.fd, v.index, v.generation, interest); err != nil {
		l.closeAndScheduleReconnect(v, "epoll: "+err.Error())
	}
}

func (l *viewerLoop) sendOrQueueMessage(v *viewer, m wire.Message) {
	l.buffers.message = wire.Append(l.buffers.message[:0], m)
	l.sendOrQueueFrame(v, opText, l.buffers.message)
}

// sendOrQueueFrame sends a frame. What the socket does not accept waits in v.unsent.
// It ignores errors: the next read returns them.
func (l *viewerLoop) sendOrQueueFrame(v *viewer, op byte, payload []byte) {
	if len(v.unsent) > 0 {
		v.unsent = appendMaskedFrame(v.unsent, op, payload, l.rand.Uint32())
		return
	}
	l.buffers.frame = appendMaskedFrame(l.buffers.frame[:0], op, payload, l.rand.Uint32())
	n, err := platform.Send(v.fd, l.buffers.frame)
	if err != nil && !errors.Is(err, platform.ErrWouldBlock) {
		return
	}
	if n < len(l.buffers.frame) {
		v.unsent = append(v.unsent, l.buffers.frame[n:]...)
		l.setInterestOrReconnect(v, platform.InterestInput|platform.InterestOutput)
	}
}

// sendSubscribe subscribes to the view, from the viewer's position.
func (l *viewerLoop) sendSubscribe(v *viewer) {
	if v.stage != stageOpen {
		return
	}
	m := v.view.query
	m.ID, m.Pos = subscribeID, v.list.pos
	if m.Pos != "" {
		m.View = v.view.id
	}
	v.isSubscribing, v.hasPosition = true, m.Pos != ""
	l.sendOrQueueMessage(v, &m)
}

// sendWatch watches a stream of the viewer's list, unless it watches one already.
func (l *viewerLoop) sendWatch(v *viewer) {
	if v.stage != stageOpen || v.isSubscribing || v.watchedList != nil {
		return
	}
	if v.watchedCode == "" && !l.isSettling {
		for code := range v.list.entries { // a random one
			v.watchedCode = code
			break
		}
	}
	if v.watchedCode != "" {
		l.sendOrQueueMessage(v, &wire.Watch{ID: watchID, Code: v.watchedCode})
	} else {
		l.scheduleAction(time.Second, v, (*viewerLoop).sendWatch)
	}
}

// scheduleAnotherWatch schedules the watch of another stream. A reference keeps its stream.
func (l *viewerLoop) scheduleAnotherWatch(v *viewer) {
	if !v.isReference {
		v.watchedCode = ""
	}
	l.scheduleAction(l.randomAround(time.Second), v, (*viewerLoop).sendWatch)
}

// sendUnwatchIfEnded ends the watch of a stream that has ended.
func (l *viewerLoop) sendUnwatchIfEnded(v *viewer) {
	if v.stage == stageOpen && v.watchedList != nil && len(v.watchedList.entries) == 0 {
		l.sendOrQueueMessage(v, &wire.Unwatch{ID: unwatchID, Code: v.watchedList.view.watchedCode})
	}
}

// disconnectRoaming disconnects a roaming viewer, which comes back with its position.
func (l *viewerLoop) disconnectRoaming(v *viewer) {
	if l.isSettling || v.stage == stageClosed {
		return
	}
	l.closeWithFrame(v)
	l.counters.Absences++
	l.scheduleAction(l.randomAround(l.options.AwayTime), v, (*viewerLoop).connectViewer)
}
