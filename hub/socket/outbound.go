package socket

import (
	"bytes"
	"net"
	"sync"
	"syscall"
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
	// which has taken nothing for StallTimeout: one attempt.
	lastWord = time.Millisecond
)

// outbound is the writing half of a wire: whole frames, one at a time. A frame
// is written at once, without blocking, as far as the connection takes it. What
// is left makes a drainer: a goroutine that lives until all has gone, and that
// alone writes meanwhile. So a socket whose peer keeps up never has one.
type outbound struct {
	// Static after construction.
	conn  net.Conn
	raw   syscall.RawConn // of conn, to write without blocking; nil: only a drainer can
	wire  *wire
	data  patience
	whole bool // a write that timed out cannot be resumed (TLS)

	mu    sync.Mutex // guards all below; nothing blocks while it is held
	ended bool       // a close frame was sent or waits: nothing may follow
	full  bool       // a message was taken and has not gone: ready is owed
	ready func(error)
	err   error    // why no more can be written
	drain *drainer // nil: nothing is left
	stats Stats
}

// drainer is what is left to be written, and the goroutine that does.
type drainer struct {
	// Guarded by outbound.mu.
	left    pieces        // of the frame that was begun
	waiting []byte        // whole control frames, which go next
	pending pieces        // the message that goes then
	over    chan struct{} // closed when all has gone, or will not; nil: nobody asked

	// Owned by the goroutine.
	rest    net.Buffers // what is being written
	begun   bool        // some of that has gone
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
	frame, own := compose(m, deflated)
	if o.drain != nil {
		o.drain.pending = frame
		o.full = true
		return true, nil
	}
	rest, begun, err := o.attempt(frame)
	if err != nil {
		return false, err
	}
	if rest.len() == 0 {
		if own != nil {
			owns.Put(own)
		}
		o.stats.Frames++
		return false, nil
	}
	o.start(&drainer{left: rest, begun: begun})
	o.full = true
	return true, nil
}

// owns are buffers for what messages do not share. One that has not gone is
// kept until it has, and not put back.
var owns = sync.Pool{New: func() any { return new([]byte) }}

// compose returns a message's frame, and the buffer that its own part is in, if
// that is one of owns.
func compose(m Message, deflated bool) (frame pieces, own *[]byte) {
	if len(m.Head) == 0 {
		frame[0], frame[1] = m.split(nil, deflated)
		return frame, nil
	}
	own = owns.Get().(*[]byte)
	if frame[0], frame[1] = m.split((*own)[:0], deflated); frame.len() <= maxOwn {
		frame = pieces{append(frame[0], frame[1]...)}
	}
	if cap(frame[0]) > 2*maxOwn {
		return frame, nil
	}
	*own = frame[0]
	return frame, own
}

// attempt writes what goes at once, and returns the rest, and whether that has
// been begun. The caller holds mu.
func (o *outbound) attempt(frame pieces) (rest pieces, begun bool, err error) {
	if o.raw == nil {
		return frame, false, nil
	}
	n, err := send(o.raw, frame)
	o.stats.Bytes += int64(n)
	if err != nil {
		o.fail(err)
		return frame, false, o.err
	}
	frame.skip(n)
	return frame, n > 0, nil
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
	o.ended = isClose(frame)
	if d := o.drain; d != nil {
		if o.ended {
			d.pending = pieces{} // it would come behind
		}
		if o.ended || len(d.waiting)+len(frame) <= maxWaiting {
			d.waiting = append(d.waiting, frame...)
		}
		return
	}
	rest, begun, err := o.attempt(pieces{frame})
	if err == nil && rest.len() > 0 {
		o.start(&drainer{waiting: bytes.Clone(rest[0]), begun: begun})
	}
}

// await waits until nothing is left, and reports whether all has gone.
func (o *outbound) await(d time.Duration) bool {
	over := o.over()
	if over != nil {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-over:
		case <-o.wire.done:
			return false
		case <-timer.C:
			return false
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err == nil
}

// over is closed when nothing is left; nil: nothing is.
func (o *outbound) over() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drain == nil {
		return nil
	}
	if o.drain.over == nil {
		o.drain.over = make(chan struct{})
	}
	return o.drain.over
}

// start starts a drainer. The caller holds mu.
func (o *outbound) start(d *drainer) {
	o.drain = d
	go o.run(d)
}

// run is the drainer's goroutine.
func (o *outbound) run(d *drainer) {
	for {
		message, more := o.take(d)
		if !more {
			return
		}
		if err := o.push(d, o.data); err != nil {
			if err == ErrSlowPeer && !d.begun {
				o.sayGoingAway(d)
			}
			o.lose(err)
			return
		}
		d.begun = false
		if message {
			o.sent()
		}
	}
}

// take puts into rest what goes next, and says whether that is a message. The
// drainer ends when there is nothing.
func (o *outbound) take(d *drainer) (message, more bool) {
	o.mu.Lock()
	switch {
	case d.left.len() > 0:
		d.load(d.left)
		d.left = pieces{}
		message, more = true, true
	case len(d.waiting) > 0:
		d.load(pieces{d.waiting})
		d.waiting = nil
		more = true
	case d.pending.len() > 0:
		d.load(d.pending)
		d.pending = pieces{}
		message, more = true, true
	case o.raw != nil:
		o.conn.SetWriteDeadline(time.Time{}) // it holds for what does not block, too
	}
	if more {
		o.mu.Unlock()
	} else {
		o.rested(ErrClosed) // a message that is owed was dropped for a close frame
	}
	return message, more
}

// rested ends the drainer, and tells who waits for it. The caller holds mu,
// which is let go of.
func (o *outbound) rested(err error) {
	owed, ready, over := o.full, o.ready, o.drain.over
	o.full, o.drain = false, nil
	o.mu.Unlock()
	if over != nil {
		close(over)
	}
	if owed {
		ready(err)
	}
}

// sent notes that the message has gone, which makes room for the next.
func (o *outbound) sent() {
	o.mu.Lock()
	o.stats.Frames++
	o.full = false
	ready := o.ready
	o.mu.Unlock()
	ready(nil)
}

// lose ends the drainer, and the connection.
func (o *outbound) lose(err error) {
	o.wire.Close()
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	o.rested(o.err)
}

// load makes the parts of a frame what is to be written next.
func (d *drainer) load(frame pieces) {
	d.rest = d.scratch[:0]
	for _, p := range frame {
		if len(p) > 0 {
			d.rest = append(d.rest, p)
		}
	}
}

// sayGoingAway tries once to send a close frame instead of a frame of which
// nothing has gone.
func (o *outbound) sayGoingAway(d *drainer) {
	o.mu.Lock()
	ended := o.ended
	o.ended = true
	o.mu.Unlock()
	if !ended {
		d.load(pieces{closeFrame(websocket.StatusGoingAway, "too slow")})
		o.push(d, patienceOf(lastWord))
	}
}

func (o *outbound) onReady(f func(error)) {
	o.mu.Lock()
	o.ready = f
	o.mu.Unlock()
}

func (o *outbound) counts() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats
}
