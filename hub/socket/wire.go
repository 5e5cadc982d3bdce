package socket

import (
	"crypto/tls"
	"net"
	"sync"
)

// A wire is the network connection as the WebSocket library has it. Each of
// its halves says itself who may touch it.
type wire struct {
	net.Conn // static; used by the halves, and for addresses

	in  inbound
	out outbound

	closing sync.Once
	done    chan struct{} // closed by Close
	err     error         // of closing; to be read once done is closed
}

// newWire wraps conn. early is what was read from conn already.
func newWire(conn net.Conn, early []byte, o Options) *wire {
	w := &wire{Conn: conn, done: make(chan struct{})}
	_, isTLS := conn.(*tls.Conn)
	raw := rawConn(conn)
	w.in = inbound{
		conn:        conn,
		early:       early,
		feed:        newFeed(w, raw, o),
		messageTime: o.MessageTimeout,
		byteBudget:  o.byteBudget(),
		pingBudget:  o.PingLimit,
		pingWindow:  o.PingWindow,
	}
	if f := w.in.feed; f != nil {
		f.stock, w.in.early = early, nil
	}
	w.out = outbound{
		conn:  conn,
		raw:   raw,
		wire:  w,
		whole: isTLS,
		data:  patience{stall: o.StallTimeout, total: o.FrameTimeout},
	}
	return w
}

// Read is for the library, see inbound.
func (w *wire) Read(p []byte) (int, error) { return w.in.read(p) }

// Write is for the library, see outbound.
func (w *wire) Write(p []byte) (int, error) { return w.out.control(p) }

// Close closes the connection, once, and wakes all who use it. The library
// calls it whenever it gives up; so all ends of a socket pass here.
func (w *wire) Close() error {
	w.closing.Do(func() {
		close(w.done)
		w.err = w.Conn.Close()
		if w.in.feed != nil {
			w.in.feed.poller.remove(w.in.feed)
			w.in.feed.wake()
		}
	})
	return w.err
}

// closed says whether Close was called.
func (w *wire) closed() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}
