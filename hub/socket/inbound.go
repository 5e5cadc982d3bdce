package socket

import (
	"errors"
	"net"
	"os"
	"time"
)

// inbound is the reading half of a wire. It cannot tell messages apart; Conn
// tells it, from the library's callbacks, when one has begun or ended. In
// between, time and bytes are limited. Bytes that the library has read ahead,
// beyond the end of a message, count for nothing until more come: whoever then
// sends nothing more is as idle as who sent nothing.
//
// Most messages come in one piece and cost no deadline: it is set only before
// a second read, and put back only before the next that needs none.
type inbound struct {
	// Static after construction.
	conn        net.Conn
	messageTime time.Duration
	byteBudget  int
	pingBudget  int
	pingWindow  time.Duration

	// Owned by the holder of Conn.reading.
	early    []byte  // came with the handshake
	feed     *feed   // nil: a goroutine reads the connection
	open     bool    // a data message has begun
	due      instant // when what has begun must have ended; 0: nothing has
	deadline instant // as set on conn
	bytes    int     // since something began
	pings    int     // since pingsFrom
	pingsAt  instant // when the window of pings began

	// Why reading ends, owned likewise: at most one is set.
	fault   *ViolationError // the peer's
	readErr error           // the connection's
}

func (in *inbound) read(p []byte) (int, error) {
	if in.fault != nil {
		return 0, in.fault
	}
	n, err := in.take(p)
	if n > 0 && in.due == 0 {
		in.due = now() + in.messageTime
	}
	if in.bytes += n; in.bytes > in.byteBudget {
		in.fault = ErrTooManyFragments
		return 0, in.fault
	}
	switch {
	case err == nil, err == errAgain:
	case errors.Is(err, os.ErrDeadlineExceeded) && in.due != 0:
		in.fault = ErrMessageTimeout
		return n, in.fault
	default:
		in.readErr = err
	}
	return n, err
}

// take reads early bytes, then from the connection.
func (in *inbound) take(p []byte) (int, error) {
	if in.feed != nil {
		return in.feed.read(p)
	}
	if len(in.early) > 0 {
		n := copy(p, in.early)
		if in.early = in.early[n:]; len(in.early) == 0 {
			in.early = nil
		}
		return n, nil
	}
	if in.due != in.deadline {
		if err := in.conn.SetReadDeadline(timeOf(in.due)); err != nil {
			return 0, err
		}
		in.deadline = in.due
	}
	return in.conn.Read(p)
}

// fetch makes a message readable, where that is not waited for.
func (in *inbound) fetch() error {
	if in.feed == nil {
		return nil
	}
	err := in.feed.fetch()
	if fault, ok := err.(*ViolationError); ok {
		in.fault = fault
	}
	return err
}

// begin says that a data message has begun.
func (in *inbound) begin() { in.open = true }

// end says that a data message has ended.
func (in *inbound) end() {
	in.open = false
	in.controlled()
}

// controlled says that a control frame has been read. Between the frames of a
// message they count towards it, else they are something that has ended.
func (in *inbound) controlled() {
	if !in.open {
		in.due = 0
		in.bytes = 0
	}
}

// pinged says that a ping has been read, and returns whether to answer it.
func (in *inbound) pinged() bool {
	in.controlled()
	if now := now(); in.pings == 0 || now-in.pingsAt >= in.pingWindow {
		in.pings, in.pingsAt = 0, now
	}
	if in.pings++; in.pings > in.pingBudget {
		in.fault = ErrPingFlood
	}
	return in.fault == nil
}
