package socket

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// controlTime is how long a control frame may block the goroutine that
	// reads. It must be shorter than the 5 s after which the library closes
	// the connection. What did not go by then goes with the next frame.
	controlTime = time.Second

	// maxWaiting bounds the control frames that wait for a writer, in bytes.
	// Pongs beyond it are dropped; RFC 6455 §5.5.3 allows that.
	maxWaiting = 1 << 10

	// lastWord is how long a close frame may take that is owed to a peer
	// which has taken nothing for StallTime: one attempt.
	lastWord = time.Millisecond

	// maxScratch is the longest message that is put together to be one write,
	// and the most that a socket keeps for that.
	maxScratch = 1 << 10
)

// outbound is the writing half of a wire: whole frames, one at a time. Who
// writes holds the turn, also while that blocks; a control frame that finds it
// taken is left in waiting, and the holder sends it before it lets go.
type outbound struct {
	// Static after construction.
	conn  net.Conn
	done  <-chan struct{} // the wire is closed
	whole bool            // a write that timed out cannot be resumed (TLS)
	data  patience        // for data frames

	turn chan struct{} // held (full) by whoever writes

	// Guarded by mu, which is never held across I/O.
	mu      sync.Mutex
	waiting []byte // whole control frames
	ended   bool   // a close frame was sent or waits: nothing may follow

	// Owned by the holder of turn.
	rest    net.Buffers // goes before all else: what is left of a frame
	partial bool        // some of that frame has gone
	pieces  [2][]byte   // what rest is a slice of
	scratch []byte      // the first of pieces, if it is ours
	sending []byte      // likewise, for control frames

	// Counted by the holder of turn, read by anyone.
	frames atomic.Int64
	bytes  atomic.Int64
}

// send writes a message, or fails with ErrClosed, ErrSlow or what the
// connection says. After any but ErrClosed the connection is of no more use.
func (o *outbound) send(m Message, deflated bool) error {
	select {
	case o.turn <- struct{}{}:
	case <-o.done:
		return ErrClosed
	}
	if o.hasEnded() {
		o.release(nil) // it may have been posted while we had the turn
		return ErrClosed
	}
	err := o.frame(m, deflated)
	o.release(err)
	return err
}

// frame writes a message between the control frames that came before it and
// those that came meanwhile. The caller holds the turn.
func (o *outbound) frame(m Message, deflated bool) error {
	if err := o.flush(o.data); err != nil {
		return err
	}
	o.load(m, deflated)
	if err := o.push(o.data); err != nil {
		if err == ErrSlow && !o.partial {
			o.sayGoingAway()
		}
		return err
	}
	o.frames.Add(1)
	return o.flush(o.data)
}

// control takes one control frame from the library, and sends it unless
// someone else is writing, who then will.
func (o *outbound) control(frame []byte) (int, error) {
	if !isControl(frame) {
		return 0, errNotControl
	}
	if o.post(frame) && o.tryTurn() {
		err := o.flush(patienceOf(o.controlTime()))
		o.release(err)
		if err != nil && err != ErrSlow {
			return 0, err
		}
	}
	return len(frame), nil
}

// end sends a close frame as the last, after what is being written, and
// reports whether it has gone by limit.
func (o *outbound) end(frame []byte, limit time.Time) bool {
	o.post(frame)
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case o.turn <- struct{}{}:
	case <-o.done:
		return false
	case <-timer.C:
		return false
	}
	err := o.flush(patienceOf(time.Until(limit)))
	o.release(err)
	return err == nil
}

// post leaves a control frame for the next holder of the turn. It reports
// false if nothing may follow what was sent.
func (o *outbound) post(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	o.ended = isClose(frame)
	if o.ended || len(o.waiting)+len(frame) <= maxWaiting {
		o.waiting = append(o.waiting, frame...)
	}
	return true
}

// hasEnded says whether a close frame was sent or waits.
func (o *outbound) hasEnded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// tryTurn takes the turn if nobody has it.
func (o *outbound) tryTurn() bool {
	select {
	case o.turn <- struct{}{}:
		return true
	default:
		return false
	}
}

// release gives up the turn after the error that it ended with. Without one, a
// control frame that came after the last flush, and saw the turn taken, must
// not be forgotten: so look again once it is free.
func (o *outbound) release(err error) {
	for {
		<-o.turn
		if err != nil {
			return
		}
		o.mu.Lock()
		none := len(o.waiting) == 0
		o.mu.Unlock()
		if none || !o.tryTurn() {
			return
		}
		err = o.flush(patienceOf(o.controlTime()))
	}
}

// flush finishes the frame that was begun, then sends the control frames that
// wait. The caller holds the turn.
func (o *outbound) flush(p patience) error {
	for {
		if err := o.push(p); err != nil {
			return err
		}
		o.mu.Lock()
		o.sending, o.waiting = o.waiting, o.sending[:0]
		o.mu.Unlock()
		if len(o.sending) == 0 {
			return nil
		}
		o.begin(o.sending, nil)
	}
}

// load makes a message what is to be written next. The caller holds the turn
// and has flushed.
func (o *outbound) load(m Message, deflated bool) {
	own, shared := m.split(o.scratch[:0], deflated)
	if len(own) > 0 && len(own)+len(shared) <= maxScratch {
		own, shared = append(own, shared...), nil
	}
	if o.scratch = own; cap(own) > maxScratch {
		o.scratch = nil
	}
	o.begin(own, shared)
}

// begin makes first and second, of which one may be empty, what is to be
// written next.
func (o *outbound) begin(first, second []byte) {
	o.rest = o.pieces[:0]
	o.partial = false
	for _, p := range [...][]byte{first, second} {
		if len(p) > 0 {
			o.rest = append(o.rest, p)
		}
	}
}

// sayGoingAway tries once to send a close frame instead of a frame of which
// nothing has gone.
func (o *outbound) sayGoingAway() {
	o.begin(nil, nil)
	o.post(closeFrame(websocket.StatusGoingAway, "too slow"))
	o.flush(patienceOf(lastWord))
}
