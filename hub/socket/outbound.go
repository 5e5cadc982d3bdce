package socket

import (
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// controlTime is how long the goroutine that reads waits for its answer to a
	// close frame to go, before the library closes the connection under it.
	controlTime = time.Second

	// maxWaiting bounds the control frames that wait for a writer, in bytes.
	// Pongs beyond it are dropped; RFC 6455 §5.5.3 allows that.
	maxWaiting = 1 << 10

	// maxOwn is the longest message that is put together to be one piece.
	maxOwn = 1 << 10

	// lastWord is how long a close frame may take that is owed to a peer
	// which has taken nothing for StallTime: one attempt.
	lastWord = time.Millisecond
)

// outbound is the writing half of a wire: whole frames, one at a time. A frame
// is written at once, without blocking, as far as the connection takes it. What
// is left makes a drainer: a goroutine that lives until all has gone, and that
// alone writes meanwhile. So a socket whose peer keeps up never has one.
type outbound struct {
	// Static after construction.
	conn  net.Conn
	close func() error    // closes the wire
	done  <-chan struct{} // the wire is closed
	whole bool            // a write that timed out cannot be resumed (TLS)
	data  patience

	mu       sync.Mutex // guards all below; nothing blocks while it is held
	direct   *direct    // what writes without blocking; nil: only a drainer can
	ready    func(error)
	ended    bool   // a close frame was sent or waits: nothing may follow
	err      error  // why no more can be written
	full     bool   // a message was taken and has not gone: ready is owed
	waiting  []byte // whole control frames, which go before pending
	pending  pieces // the message that waits for the drainer
	left     pieces // of a frame that was begun, until the drainer takes it
	draining bool
	drained  chan struct{} // closed when the drainer ends; nil: nobody asked
	frames   int64
	bytes    int64

	// Owned by the drainer.
	rest    net.Buffers // goes before all else
	begun   bool        // some of the frame in rest has gone
	scratch [2][]byte   // what rest is a slice of
}

// pieces are the parts of one frame that has not gone.
type pieces [2][]byte

func (p *pieces) len() int { return len(p[0]) + len(p[1]) }

// skip takes away n bytes that have gone.
func (p *pieces) skip(n int) {
	first := min(n, len(p[0]))
	p[0] = p[0][first:]
	p[1] = p[1][n-first:]
}

// send writes a message without blocking. It reports that the socket is full
// when it has taken the message but not all of it has gone.
func (o *outbound) send(m Message, deflated bool) (full bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ended:
		return false, ErrClosed
	case o.err != nil:
		return false, o.err
	case o.full:
		return true, ErrFull
	}
	own := owns.Get().(*[]byte)
	var frame pieces
	if frame[0], frame[1] = m.split((*own)[:0], deflated); len(frame[0]) > 0 && frame.len() <= maxOwn {
		frame = pieces{append(frame[0], frame[1]...)}
	}
	if cap(frame[0]) <= maxOwn {
		*own = frame[0]
	}
	if o.draining {
		o.pending = frame
	} else if frame, err = o.attempt(frame); err != nil {
		return false, err
	} else if frame.len() == 0 {
		owns.Put(own)
		o.frames++
		return false, nil
	} else {
		o.left = frame
	}
	o.full = true
	o.drain()
	return true, nil
}

// owns are buffers for what messages do not share. One that has not gone is
// kept until it has, and not put back.
var owns = sync.Pool{New: func() any { return new([]byte) }}

// attempt writes what goes at once, and returns the rest. The caller holds mu.
func (o *outbound) attempt(frame pieces) (pieces, error) {
	if o.direct == nil {
		return frame, nil
	}
	n, err := o.direct.write(frame)
	o.bytes += int64(n)
	if err != nil {
		o.fail(err)
		return frame, o.err
	}
	o.begun = n > 0
	frame.skip(n)
	return frame, nil
}

// fail notes that no more can be written: ErrClosed if that is our own doing.
// The caller holds mu.
func (o *outbound) fail(err error) {
	if o.err != nil {
		return
	}
	o.err = o.failed(err)
}

// control takes one control frame from the library. It does not block, but for
// a close frame, after which the library closes the connection.
func (o *outbound) control(frame []byte) (int, error) {
	if !isControl(frame) {
		return 0, errNotControl
	}
	o.post(frame)
	if isClose(frame) {
		o.await(controlTime)
	}
	return len(frame), nil
}

// end sends a close frame as the last, after what is being written, and
// reports whether it has gone by limit.
func (o *outbound) end(frame []byte, limit time.Time) bool {
	o.post(frame)
	return o.await(time.Until(limit))
}

// post sends a control frame, or leaves it to the drainer; it is dropped if
// nothing may follow what was sent. What keeps it from going is not said: it
// will keep a message from going, too, or the reader from reading.
func (o *outbound) post(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.err != nil {
		return
	}
	if o.ended = isClose(frame); o.ended {
		o.pending = pieces{} // it would come behind
	}
	if o.draining {
		if o.ended || len(o.waiting)+len(frame) <= maxWaiting {
			o.waiting = append(o.waiting, frame...)
		}
		return
	}
	rest, err := o.attempt(pieces{frame})
	if err == nil && rest.len() > 0 {
		o.waiting = append(o.waiting, rest[0]...)
		o.drain()
	}
}

// await waits for the drainer to end, and reports whether all has gone.
func (o *outbound) await(d time.Duration) bool {
	o.mu.Lock()
	if !o.draining {
		defer o.mu.Unlock()
		return o.err == nil
	}
	if o.drained == nil {
		o.drained = make(chan struct{})
	}
	drained := o.drained
	o.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-drained:
	case <-o.done:
		return false
	case <-timer.C:
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err == nil
}

// drain starts the drainer. The caller holds mu.
func (o *outbound) drain() {
	if !o.draining {
		o.draining = true
		go o.run()
	}
}

// run is the drainer.
func (o *outbound) run() {
	for {
		message, more := o.take()
		if !more {
			return
		}
		if err := o.push(o.data); err != nil {
			if err == ErrSlow && !o.begun {
				o.sayGoingAway()
			}
			o.lose(err)
			return
		}
		o.begun = false
		if message {
			o.sent()
		}
	}
}

// take puts into rest what goes next, and says whether that is a message. The
// drainer ends when there is nothing.
func (o *outbound) take() (message, more bool) {
	o.mu.Lock()
	switch {
	case o.left.len() > 0:
		o.load(o.left)
		o.left = pieces{}
		message, more = true, true
	case len(o.waiting) > 0:
		o.load(pieces{o.waiting})
		o.waiting = nil
		more = true
	case o.pending.len() > 0:
		o.load(o.pending)
		o.pending = pieces{}
		message, more = true, true
	case o.direct != nil:
		o.conn.SetWriteDeadline(time.Time{}) // it holds for direct writes too
	}
	if more {
		o.mu.Unlock()
	} else {
		o.rest = nil
		o.rested(ErrClosed) // a message that is owed was dropped for a close frame
	}
	return message, more
}

// rested ends the drainer, and tells who waits for it. The caller holds mu,
// which is let go of.
func (o *outbound) rested(err error) {
	owed, ready := o.full, o.ready
	o.full, o.draining = false, false
	if o.drained != nil {
		close(o.drained)
		o.drained = nil
	}
	o.mu.Unlock()
	if owed {
		ready(err)
	}
}

// sent notes that the message has gone, which makes room for the next.
func (o *outbound) sent() {
	o.mu.Lock()
	o.frames++
	o.full = false
	ready := o.ready
	o.mu.Unlock()
	ready(nil)
}

// lose ends the drainer, and the connection.
func (o *outbound) lose(err error) {
	o.close()
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	o.pending, o.waiting, o.rest = pieces{}, nil, nil
	o.rested(o.err)
}

// load makes the parts of a frame what is to be written next.
func (o *outbound) load(frame pieces) {
	o.rest = o.scratch[:0]
	for _, p := range frame {
		if len(p) > 0 {
			o.rest = append(o.rest, p)
		}
	}
}

// sayGoingAway tries once to send a close frame instead of a frame of which
// nothing has gone.
func (o *outbound) sayGoingAway() {
	o.mu.Lock()
	ended := o.ended
	o.ended = true
	o.mu.Unlock()
	if !ended {
		o.load(pieces{closeFrame(websocket.StatusGoingAway, "too slow")})
		o.push(patienceOf(lastWord))
	}
}

func (o *outbound) onReady(f func(error)) {
	o.mu.Lock()
	o.ready = f
	o.mu.Unlock()
}

func (o *outbound) stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Stats{Frames: o.frames, Bytes: o.bytes}
}
