package socket

import (
	"bytes"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

const (
	// closeEchoTimeout is the time for which the reading goroutine waits for its
	// echo of a close frame, before the library closes the connection.
	closeEchoTimeout = time.Second

	// maxPendingControlBytes bounds the control frames that wait for the drainer.
	// Further pongs are dropped, which RFC 6455 §5.5.3 allows.
	maxPendingControlBytes = 1 << 10

	// maxJoinedFrame is the largest frame whose parts are copied into one.
	maxJoinedFrame = 1 << 10
)

// outbound is the writing half of a transport. It writes whole frames, one after
// another. It first writes as much as the connection accepts without blocking. A
// drainer, which is a goroutine, writes the rest, and it alone writes until then.
// So a socket with a fast peer has no drainer.
type outbound struct {
	// Static after construction.
	transport *transport
	rawConn   syscall.RawConn // of transport.Conn, for non-blocking writes; nil: only a drainer can write
	isTLS     bool            // a write that timed out cannot be resumed

	mu         sync.Mutex // guards all below; nothing blocks while it is held
	isClosing  bool       // a close frame was sent or waits; nothing may follow it
	full       bool       // a message was accepted but not sent; onWritable must be called
	onWritable func(error)
	err        error    // the error of all further writes
	drainer    *drainer // nil: nothing waits
	progress   readProgress
	pongTimer  *time.Timer // not nil: the window is full; the pong calls onWritable
	stats      Stats
}

// frameParts are the unsent parts of one frame.
type frameParts [2][]byte

func (p *frameParts) len() int { return len(p[0]) + len(p[1]) }

// skip removes n bytes that were sent.
func (p *frameParts) skip(n int) {
	first := min(n, len(p[0]))
	p[0] = p[0][first:]
	p[1] = p[1][n-first:]
}

// sendMessage sends a message without blocking. It returns full if it accepted
// the message, but could not send all of it or the peer has too much to read.
func (o *outbound) sendMessage(m Message, allowDeflate bool) (full bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.isClosing:
		return false, ErrClosed
	case o.err != nil:
		return false, o.err
	case o.full, o.pongTimer != nil:
		return true, ErrFull
	}
	withPing := o.progress.isPingDue(m.plainSize())
	frame, pooledBuffer := composeFrame(m, allowDeflate, withPing)
	o.progress.addSent(frame.len(), withPing)
	if o.drainer != nil {
		o.drainer.message = frame
		o.full = true
		return true, nil
	}
	rest, isStarted, err := o.sendWithoutBlocking(frame)
	if err != nil {
		return false, err
	}
	if rest.len() == 0 {
		if pooledBuffer != nil {
			headBufferPool.Put(pooledBuffer)
		}
		o.stats.Frames++
		return o.awaitPongIfWindowFull(), nil
	}
	o.startDrainer(&drainer{startedFrame: rest, isFrameStarted: isStarted})
	o.full = true
	return true, nil
}

// headBufferPool shares the buffers for the unshared parts of messages. The buffer
// of an unsent message is not returned to it.
var headBufferPool = sync.Pool{New: func() any { return new([]byte) }}

// composeFrame returns a message's frame, with or without a ping after it, and the
// buffer of headBufferPool that it uses, or nil.
func composeFrame(m Message, allowDeflate, withPing bool) (frame frameParts, pooledBuffer *[]byte) {
	if len(m.Head) == 0 {
		frame[0], frame[1] = m.splitFrame(nil, allowDeflate, withPing)
		return frame, nil
	}
	pooledBuffer = headBufferPool.Get().(*[]byte)
	if frame[0], frame[1] = m.splitFrame((*pooledBuffer)[:0], allowDeflate, withPing); frame.len() <= maxJoinedFrame {
		frame = frameParts{append(frame[0], frame[1]...)}
	}
	if cap(frame[0]) > 2*maxJoinedFrame {
		return frame, nil
	}
	*pooledBuffer = frame[0]
	return frame, pooledBuffer
}

// sendWithoutBlocking writes as much of a frame as the connection accepts at once. It
// returns the rest and whether a part was sent. The caller holds mu.
func (o *outbound) sendWithoutBlocking(frame frameParts) (rest frameParts, isStarted bool, err error) {
	if o.rawConn == nil {
		return frame, false, nil
	}
	n, err := sendNonBlocking(o.rawConn, frame)
	o.stats.Bytes += int64(n)
	if err != nil {
		if o.err == nil {
			o.err = o.closedOrWriteError(err)
		}
		return frame, false, o.err
	}
	frame.skip(n)
	return frame, n > 0, nil
}

// closedOrWriteError returns the error for a failed write: ErrClosed if this side closed
// the connection.
func (o *outbound) closedOrWriteError(err error) error {
	if o.transport.isClosed() {
		return ErrClosed
	}
	return err
}

// sendOrQueueLibraryFrame sends one control frame of the library. It blocks only for a
// close frame, because the library closes the connection after it.
func (o *outbound) sendOrQueueLibraryFrame(frame []byte) (int, error) {
	if !isWholeControlFrame(frame) {
		return 0, errNotControl
	}
	o.sendOrQueueControlFrame(frame)
	if isCloseFrame(frame) {
		o.waitDrained(closeEchoTimeout)
	}
	return len(frame), nil
}

// sendOrQueueControlFrame sends a control frame, or leaves it to the drainer, which sends it
// after the frame that is being written. It drops the frame after a close frame. It returns no
// error, because the next message, or the reader, gets the same error.
func (o *outbound) sendOrQueueControlFrame(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sendOrQueueControlFrameLocked(frame)
}

// sendOrQueueControlFrameLocked is sendOrQueueControlFrame for a caller that holds mu. It
// reports whether the frame was not dropped.
func (o *outbound) sendOrQueueControlFrameLocked(frame []byte) (isAccepted bool) {
	if o.isClosing || o.err != nil {
		return false
	}
	o.isClosing = isCloseFrame(frame)
	if d := o.drainer; d != nil {
		if o.isClosing {
			d.message = frameParts{} // it would follow the close frame
		}
		if !o.isClosing && len(d.controlFrames)+len(frame) > maxPendingControlBytes {
			return false
		}
		d.controlFrames = append(d.controlFrames, frame...)
		return true
	}
	rest, isStarted, err := o.sendWithoutBlocking(frameParts{frame})
	if err == nil && rest.len() > 0 {
		o.startDrainer(&drainer{controlFrames: bytes.Clone(rest[0]), isFrameStarted: isStarted})
	}
	return err == nil
}

// sendPing sends a ping, unless one awaits its pong.
func (o *outbound) sendPing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.progress.isPinged || !o.sendOrQueueControlFrameLocked(pingFrame) {
		return
	}
	o.progress.addSent(0, true)
	if o.drainer != nil {
		o.progress.bytesAfterPing = o.drainer.message.len()
	}
}

// awaitPongIfWindowFull starts to wait for a pong if the peer has to read before more is
// sent. The caller holds mu.
func (o *outbound) awaitPongIfWindowFull() (isWaiting bool) {
	if !o.progress.isWindowFull() {
		return false
	}
	timeout := o.transport.options.FrameTimeout
	if !o.progress.hasAnswered {
		timeout = firstPongTimeout
	}
	o.pongTimer = time.AfterFunc(timeout, o.closeOrExemptPeer)
	return true
}

// handlePong makes the socket writable if it waits for this pong.
func (o *outbound) handlePong() {
	o.mu.Lock()
	o.progress.handlePong()
	o.mu.Unlock()
	o.stopAwaitingPongAndNotify(nil)
}

// stopAwaitingPongAndNotify ends the wait for a pong, if there is one, and calls onWritable.
func (o *outbound) stopAwaitingPongAndNotify(err error) (wasWaiting bool) {
	o.mu.Lock()
	timer, onWritable := o.pongTimer, o.onWritable
	o.pongTimer = nil
	o.mu.Unlock()
	if timer == nil {
		return false
	}
	timer.Stop()
	go onWritable(err)
	return true
}

// closeOrExemptPeer closes the connection of a peer that has not read for too long. A peer
// that has never answered a ping is not waited for any more.
func (o *outbound) closeOrExemptPeer() {
	o.mu.Lock()
	o.progress.isUnlimited = !o.progress.hasAnswered
	isUnlimited := o.progress.isUnlimited
	o.mu.Unlock()
	if isUnlimited {
		o.stopAwaitingPongAndNotify(nil)
	} else if o.stopAwaitingPongAndNotify(ErrSlowPeer) {
		o.sendOrQueueControlFrame(newCloseFrame(websocket.StatusGoingAway, "too slow"))
		o.transport.Close()
	}
}

// waitDrained waits until nothing is unsent, and reports whether all was sent.
func (o *outbound) waitDrained(timeout time.Duration) (isSent bool) {
	if drained := o.drainerDoneOrNil(); drained != nil {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		select {
		case <-drained:
		case <-o.transport.done:
			return false
		case <-timer.C:
			return false
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err == nil
}

// drainerDoneOrNil returns a channel that the drainer closes when it ends, or nil if there
// is no drainer.
func (o *outbound) drainerDoneOrNil() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drainer == nil {
		return nil
	}
	if o.drainer.done == nil {
		o.drainer.done = make(chan struct{})
	}
	return o.drainer.done
}

func (o *outbound) setOnWritable(callback func(error)) {
	o.mu.Lock()
	o.onWritable = callback
	o.mu.Unlock()
}

func (o *outbound) currentStats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats
}
