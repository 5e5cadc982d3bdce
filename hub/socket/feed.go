package socket

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// feed receives for a socket that nobody waits on. It takes from the connection
// what is there, and lets the library read no more than whole messages, or
// whole control frames between them: the library cannot be told to come back
// within a frame, but may be between two, which guard_test.go pins.
type feed struct {
	// Static after construction.
	poller *Poller
	id     uint64 // for the poller
	raw    syscall.RawConn
	wire   *wire
	limit  int           // bytes of a message that is not deflated
	budget int           // bytes that may wait for their message to be whole
	within time.Duration // from a message's first byte to its last

	// Owned by the holder of Conn.reading.
	stock   []byte      // received, and not read by the library
	unit    int         // how much of stock it may read
	corrupt bool        // the library will find fault with unit
	short   bool        // the connection had no more when it was last asked
	err     error       // of the connection, once it has nothing more
	since   instant     // when the first of what is not whole came; 0: there is none
	late    *time.Timer // wakes the socket when its message is late

	mu    sync.Mutex
	await func()
}

// errAgain is what the library gets at the end of what it may read.
var errAgain = errors.New("socket: nothing more to read yet")

// received are buffers to receive into: what comes is copied, so that sockets
// hold no more than they have.
var received = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// fetch makes the next messages readable. It returns ErrWouldBlock when none is
// whole, or what the peer did wrong.
func (f *feed) fetch() error {
	for f.unit == 0 {
		unit, fault := f.scan()
		switch {
		case fault != nil:
			return fault
		case unit > 0:
			f.unit = unit
			f.settle()
			return nil
		case f.err != nil:
			f.unit = len(f.stock)
			return nil
		case len(f.stock) > f.budget:
			return ErrTooManyFragments
		case f.short:
			return f.nothing()
		}
		f.receive()
	}
	return nil
}

// nothing says that no message is whole, unless one is late.
func (f *feed) nothing() error {
	if len(f.stock) == 0 {
		return ErrWouldBlock
	}
	now := now()
	if f.since == 0 {
		f.since = now
		f.late = time.AfterFunc(f.within, f.wake)
	}
	if now-f.since >= f.within {
		return ErrMessageTimeout
	}
	return ErrWouldBlock
}

// settle notes that a message has come whole.
func (f *feed) settle() {
	if f.late != nil {
		f.late.Stop()
		f.late = nil
	}
	f.since = 0
}

// receive takes what the connection has.
func (f *feed) receive() {
	buf := received.Get().(*[16 << 10]byte)
	defer received.Put(buf)
	n, err := f.recv(buf[:])
	f.stock = append(f.stock, buf[:n]...)
	f.short = err == errAgain || n > 0 && n < len(buf)
	if err != errAgain {
		f.err = err
	}
}

// read is for the library.
func (f *feed) read(p []byte) (int, error) {
	if f.unit == 0 {
		switch {
		case f.err != nil:
			return 0, f.err
		case f.corrupt:
			return 0, io.ErrUnexpectedEOF
		}
		return 0, errAgain
	}
	n := copy(p, f.stock[:f.unit])
	f.unit -= n
	if f.stock = f.stock[n:]; len(f.stock) == 0 {
		f.stock = nil
	}
	return n, nil
}

// scan returns how much of stock is control frames and then a message, whole;
// all of it when there is something that the library will refuse as soon as it
// sees it.
func (f *feed) scan() (unit int, fault *ViolationError) {
	at, open := 0, false
	most, content := uint64(0), uint64(0) // of the message
	for {
		h, ok := parseHeader(f.stock[at:])
		switch {
		case !ok:
			return unit, nil
		case h.broken(open):
			f.corrupt = true
			return len(f.stock), nil
		case h.op >= opClose:
		default:
			if !open {
				most = uint64(f.limit)
			}
			if h.deflated { // the library will see what comes of it
				most = uint64(f.budget)
			}
			if content += h.length; content > most {
				return 0, ErrTooLarge
			}
		}
		if at += h.size + int(h.length); at > len(f.stock) {
			return unit, nil
		}
		switch {
		case h.op >= opClose:
			if !open {
				unit = at
			}
		case h.final:
			return at, nil
		default:
			open = true
		}
	}
}

// wake has whoever awaits the socket look at it.
func (f *feed) wake() {
	f.mu.Lock()
	then := f.await
	f.await = nil
	f.mu.Unlock()
	if then != nil {
		f.poller.run(then)
	}
}

// NotifyReadable has f called once, by a goroutine of the poller's, when there may be
// something to Read, or the socket has been closed. It is for sockets whose
// Read has returned [ErrWouldBlock].
func (c *Conn) NotifyReadable(then func()) {
	c.message = nil
	f := c.wire.in.feed
	f.short = false
	f.mu.Lock()
	f.await = then
	f.mu.Unlock()
	if c.wire.closed() || f.arm() != nil {
		f.wake()
	}
}

// newFeed returns nil for what is to be read by a goroutine: all that is no TCP
// connection, and everything without a poller.
func newFeed(w *wire, raw syscall.RawConn, o Options) *feed {
	if raw == nil || o.Poller == nil {
		return nil
	}
	f := &feed{poller: o.Poller, raw: raw, wire: w, limit: o.ReadLimit, budget: o.byteBudget(), within: o.MessageTimeout}
	if o.Poller.add(f) != nil {
		return nil
	}
	return f
}
