package socket

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/coder/websocket"
)

const (
	// stallSteps is the number of parts of StallTimeout. A write that times out
	// reports how many bytes were sent, but not when. So the time of the last byte
	// is known to a thirtieth of StallTimeout.
	stallSteps = 30

	// maxTLSWrite is the size of one write to TLS, which cannot be resumed, so that
	// progress shows only in complete writes.
	maxTLSWrite = 16 << 10

	// goingAwayTimeout is the time for a close frame to a peer that has accepted
	// nothing for StallTimeout: one attempt.
	goingAwayTimeout = time.Millisecond
)

// drainer is the unsent data of a socket, and the goroutine that writes it.
type drainer struct {
	// Guarded by outbound.mu.
	startedFrame  frameParts    // the rest of a message; it goes first
	controlFrames []byte        // whole control frames; they go next
	message       frameParts    // goes last
	done          chan struct{} // closed when the drainer ends; nil: nobody waits

	// Owned by the goroutine.
	unsent         net.Buffers // the frame that is being written
	isFrameStarted bool        // a part of that frame was sent
	scratch        [2][]byte   // the array of unsent
}

// startDrainer starts a drainer. The caller holds mu.
func (o *outbound) startDrainer(d *drainer) {
	o.drainer = d
	go o.runDrainer(d)
}

// runDrainer writes frames until nothing is unsent, or a write fails.
func (o *outbound) runDrainer(d *drainer) {
	timeouts := writeTimeouts{stall: o.transport.options.StallTimeout, frame: o.transport.options.FrameTimeout}
	for {
		hasFrame, isMessage := o.loadNextFrameOrEnd(d)
		if !hasFrame {
			return
		}
		if err := o.writeUnsentFrame(d, timeouts); err != nil {
			if err == ErrSlowPeer && (d.isFrameStarted || !o.tryReplaceWithGoingAway(d)) {
				ResetOnClose(o.transport.Conn)
			}
			o.closeAndEndDrainer(err)
			return
		}
		d.isFrameStarted = false
		if isMessage {
			o.reportWritableOrAwaitPong()
		}
	}
}

// loadNextFrameOrEnd moves the next frame to unsent. If there is none it ends the drainer.
func (o *outbound) loadNextFrameOrEnd(d *drainer) (hasFrame, isMessage bool) {
	o.mu.Lock()
	switch {
	case d.startedFrame.len() > 0:
		d.moveToUnsent(&d.startedFrame)
		hasFrame, isMessage = true, true
	case len(d.controlFrames) > 0:
		d.moveToUnsent(&frameParts{d.controlFrames})
		d.controlFrames = nil
		hasFrame = true
	case d.message.len() > 0:
		d.moveToUnsent(&d.message)
		hasFrame, isMessage = true, true
	case o.rawConn != nil:
		o.transport.Conn.SetWriteDeadline(time.Time{}) // a deadline would also end non-blocking writes
	}
	if hasFrame {
		o.mu.Unlock()
	} else {
		o.endDrainerAndUnlock(ErrClosed) // the error of a message that a close frame replaced
	}
	return hasFrame, isMessage
}

// endDrainerAndUnlock ends the drainer and notifies its waiters. The caller holds mu;
// endDrainerAndUnlock unlocks it.
func (o *outbound) endDrainerAndUnlock(unsentMessageErr error) {
	wasFull, onWritable, done := o.full, o.onWritable, o.drainer.done
	o.full, o.drainer = false, nil
	o.mu.Unlock()
	if done != nil {
		close(done)
	}
	if wasFull {
		onWritable(unsentMessageErr)
	}
}

// reportWritableOrAwaitPong makes the socket writable, or leaves that to a pong.
func (o *outbound) reportWritableOrAwaitPong() {
	o.mu.Lock()
	o.stats.Frames++
	o.full = false
	onWritable, isWaiting := o.onWritable, o.awaitPongIfWindowFull()
	o.mu.Unlock()
	if !isWaiting {
		onWritable(nil)
	}
}

// closeAndEndDrainer closes the connection and ends the drainer.
func (o *outbound) closeAndEndDrainer(err error) {
	o.transport.Close()
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	o.endDrainerAndUnlock(o.err)
}

// tryReplaceWithGoingAway tries once to send a close frame instead of an unstarted frame.
func (o *outbound) tryReplaceWithGoingAway(d *drainer) (isSent bool) {
	o.mu.Lock()
	wasClosing := o.isClosing
	o.isClosing = true
	o.mu.Unlock()
	if wasClosing {
		return false
	}
	d.moveToUnsent(&frameParts{newCloseFrame(websocket.StatusGoingAway, "too slow")})
	return o.writeUnsentFrame(d, writeTimeouts{stall: goingAwayTimeout, frame: goingAwayTimeout}) == nil
}

// writeTimeouts bound the time for one frame.
type writeTimeouts struct {
	stall time.Duration // without a byte
	frame time.Duration // for the whole frame
}

// writeUnsentFrame writes unsent. It returns ErrSlowPeer when a timeout has passed;
// unsent is then the rest.
func (o *outbound) writeUnsentFrame(d *drainer, timeouts writeTimeouts) error {
	if len(d.unsent) == 0 {
		return nil
	}
	start := time.Now()
	lastProgress, now := start, start
	for {
		if err := o.transport.Conn.SetWriteDeadline(o.writeDeadline(timeouts, start, lastProgress, now)); err != nil {
			return o.closedOrWriteError(err)
		}
		n, err := o.writeOnce(d)
		if len(d.unsent) == 0 {
			return nil
		}
		now = time.Now()
		if n > 0 {
			lastProgress = now
		}
		switch {
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return o.closedOrWriteError(err)
		case err != nil && o.isTLS, now.Sub(lastProgress) >= timeouts.stall, now.Sub(start) >= timeouts.frame:
			return ErrSlowPeer
		}
	}
}

// writeDeadline returns the deadline of the next write: the earlier of the two
// timeouts, or the end of a stall step, if that is earlier and the write can be
// resumed.
func (o *outbound) writeDeadline(timeouts writeTimeouts, start, lastProgress, now time.Time) time.Time {
	deadline := lastProgress.Add(timeouts.stall)
	if end := start.Add(timeouts.frame); end.Before(deadline) {
		deadline = end
	}
	if timeouts.stall >= timeouts.frame || o.isTLS {
		return deadline
	}
	if step := now.Add(timeouts.stall / stallSteps); step.Before(deadline) {
		deadline = step
	}
	return deadline
}

// writeOnce writes once, and removes the sent bytes from unsent.
func (o *outbound) writeOnce(d *drainer) (n int, err error) {
	if o.isTLS {
		n, err = o.transport.Conn.Write(d.unsent[0][:min(len(d.unsent[0]), maxTLSWrite)])
		d.skipUnsent(n)
	} else {
		var n64 int64
		n64, err = d.unsent.WriteTo(o.transport.Conn)
		n = int(n64)
	}
	d.isFrameStarted = d.isFrameStarted || n > 0
	o.mu.Lock()
	o.stats.Bytes += int64(n)
	o.mu.Unlock()
	return n, err
}

// moveToUnsent makes a frame the one that is written next, and empties the variable.
func (d *drainer) moveToUnsent(frame *frameParts) {
	d.unsent = d.scratch[:0]
	for _, p := range frame {
		if len(p) > 0 {
			d.unsent = append(d.unsent, p)
		}
	}
	*frame = frameParts{}
}

// skipUnsent removes n bytes of the first part from unsent.
func (d *drainer) skipUnsent(n int) {
	if d.unsent[0] = d.unsent[0][n:]; len(d.unsent[0]) == 0 {
		d.unsent[0] = nil
		d.unsent = d.unsent[1:]
	}
}
