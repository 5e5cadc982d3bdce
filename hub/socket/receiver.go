package socket

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// receiver reads a connection without blocking, for sockets of a Poller. It
// buffers the input, and gives the library only whole messages, and whole control
// frames between messages. The library can continue after an error between two
// frames, but not after one within a frame; library_test.go tests this.
type receiver struct {
	// Static after construction.
	poller    *Poller
	pollID    uint64 // identifies the receiver in the poller
	raw       syscall.RawConn
	transport *transport

	// Owned by the holder of Conn.readLock.
	buffer          []byte      // received, but not read by the library
	readable        int         // the number of bytes of buffer that the library may read
	isInvalid       bool        // buffer violates the protocol; the library will detect it
	isDrained       bool        // the connection had no more bytes at the last attempt
	err             error       // the connection's error, after its last byte
	incompleteSince instant     // when the first byte of an incomplete message arrived; 0: none
	messageTimer    *time.Timer // ends an incomplete message

	mu         sync.Mutex
	onReadable func()
}

// registerNewReceiver returns a receiver that is registered with the poller. It returns nil
// if a goroutine must read the connection, because it is not a TCP connection or there is no
// poller.
func registerNewReceiver(t *transport, raw syscall.RawConn) *receiver {
	poller := t.options.Poller
	if raw == nil || poller == nil {
		return nil
	}
	r := &receiver{poller: poller, raw: raw, transport: t}
	if poller.register(r) != nil {
		return nil
	}
	return r
}

// errBufferEmpty is the library's read error if no byte is readable.
var errBufferEmpty = errors.New("socket: nothing more to read yet")

const receiveBufferSize = 16 << 10

// receiveBufferPool shares the buffers for system calls. Received bytes are copied
// from them, so that a socket keeps only as much memory as it needs.
var receiveBufferPool = sync.Pool{New: func() any { return new([receiveBufferSize]byte) }}

// receiveWholeMessage makes the next message readable. It returns ErrWouldBlock if none
// is complete, or the peer's violation.
func (r *receiver) receiveWholeMessage() error {
	for r.readable == 0 {
		complete, violation := r.scanBuffer()
		switch {
		case violation != nil:
			return violation
		case complete > 0:
			r.readable = complete
			r.stopMessageTimer()
			return nil
		case r.err != nil:
			r.readable = len(r.buffer)
			return nil
		case len(r.buffer) > r.transport.options.rawMessageLimit():
			return ErrTooManyFragments
		case r.isDrained:
			return r.wouldBlockOrMessageTimeout()
		}
		r.receiveIntoBuffer()
	}
	return nil
}

// wouldBlockOrMessageTimeout returns ErrWouldBlock, or ErrMessageTimeout for an incomplete
// message that is too late. It starts the message's timer.
func (r *receiver) wouldBlockOrMessageTimeout() error {
	if len(r.buffer) == 0 {
		return ErrWouldBlock
	}
	now, timeout := now(), r.transport.options.MessageTimeout
	if r.incompleteSince == 0 {
		r.incompleteSince = now
		r.messageTimer = time.AfterFunc(timeout, r.notifyReadable)
	}
	if now-r.incompleteSince >= timeout {
		return ErrMessageTimeout
	}
	return ErrWouldBlock
}

func (r *receiver) stopMessageTimer() {
	if r.messageTimer != nil {
		r.messageTimer.Stop()
		r.messageTimer = nil
	}
	r.incompleteSince = 0
}

// receiveIntoBuffer appends available bytes of the connection to the buffer.
func (r *receiver) receiveIntoBuffer() {
	buf := receiveBufferPool.Get().(*[receiveBufferSize]byte)
	defer receiveBufferPool.Put(buf)
	n, err := r.receiveNonBlocking(buf[:])
	r.buffer = append(r.buffer, buf[:n]...)
	r.isDrained = err == errBufferEmpty || n > 0 && n < len(buf)
	if err != errBufferEmpty {
		r.err = err
	}
}

// readBuffered is the library's Read.
func (r *receiver) readBuffered(p []byte) (int, error) {
	if r.readable == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.isInvalid:
			return 0, io.ErrUnexpectedEOF
		}
		return 0, errBufferEmpty
	}
	n := copy(p, r.buffer[:r.readable])
	r.readable -= n
	if r.buffer = r.buffer[n:]; len(r.buffer) == 0 {
		r.buffer = nil
	}
	return n, nil
}

// scanBuffer returns the length of complete control frames and of the complete
// message after them. It returns the whole buffer if the library will detect a
// violation in it.
func (r *receiver) scanBuffer() (readableBytes int, violation *ViolationError) {
	end, inMessage := 0, false
	limit, size := uint64(0), uint64(0) // of the message
	for {
		h, ok := parseClientHeader(r.buffer[end:])
		switch {
		case !ok:
			return readableBytes, nil
		case h.isProtocolViolation(inMessage):
			r.isInvalid = true
			return len(r.buffer), nil
		case h.opcode >= opClose:
		default:
			if !inMessage {
				limit = uint64(r.transport.options.ReadLimit)
			}
			if h.isDeflated { // the library checks the inflated size
				limit = uint64(r.transport.options.rawMessageLimit())
			}
			if size += h.payloadSize; size > limit {
				return 0, ErrTooLarge
			}
		}
		if end += h.headerSize + int(h.payloadSize); end > len(r.buffer) {
			return readableBytes, nil
		}
		switch {
		case h.opcode >= opClose:
			if !inMessage {
				readableBytes = end
			}
		case h.isFinal:
			return end, nil
		default:
			inMessage = true
		}
	}
}

// notifyReadable passes the callback of NotifyReadable, if any, to the poller's
// workers.
func (r *receiver) notifyReadable() {
	r.mu.Lock()
	callback := r.onReadable
	r.onReadable = nil
	r.mu.Unlock()
	if callback != nil {
		r.poller.runInWorker(callback)
	}
}

// NotifyReadable has a goroutine of the poller call callback once, when Read may
// return something else than [ErrWouldBlock]: a message or an error. It must be
// called only after Read has returned ErrWouldBlock.
func (c *Conn) NotifyReadable(callback func()) {
	c.message = nil
	r := c.transport.inbound.receiver
	r.isDrained = false
	r.mu.Lock()
	r.onReadable = callback
	r.mu.Unlock()
	if c.transport.isClosed() || r.watchReadableOnce() != nil {
		r.notifyReadable()
	}
}
