package platform

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Poller waits for many sockets at once, by epoll. A socket is known by the index of
// its owner and by a generation, so that an event of a closed socket is not taken for
// one of its successor. It is not safe for concurrent use.
type Poller struct {
	fd     int
	events []unix.EpollEvent
}

// maxEvents is the most events of one Wait.
const maxEvents = 256

// NewPoller returns an error when the system has no epoll descriptor left.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &Poller{fd, make([]unix.EpollEvent, maxEvents)}, err
}

// Close may be called twice.
func (p *Poller) Close() {
	unix.Close(p.fd)
	p.fd = -1 // a second Close must not close another descriptor of that number
}

// Interest is what a socket waits for.
type Interest uint32

// Interests may be combined.
const (
	InterestNone   Interest = 0
	InterestInput  Interest = unix.EPOLLIN
	InterestOutput Interest = unix.EPOLLOUT
)

// Add registers a socket. Closing the socket removes it.
func (p *Poller) Add(fd int, ownerIndex, generation int32, interest Interest) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: uint32(interest), Fd: ownerIndex, Pad: generation})
}

// SetInterest changes what a registered socket waits for.
func (p *Poller) SetInterest(fd int, ownerIndex, generation int32, interest Interest) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: uint32(interest), Fd: ownerIndex, Pad: generation})
}

// Wait waits for events, at most for timeout, and returns their number. With isFull
// there may be more. It waits whole milliseconds, rounded up: rounded down, it would
// return at once, again and again, before a deadline.
func (p *Poller) Wait(timeout time.Duration) (n int, isFull bool, err error) {
	n, err = unix.EpollWait(p.fd, p.events, int((timeout + time.Millisecond - 1).Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return 0, false, nil
	}
	return n, n == len(p.events), err
}

// Event returns the i-th event of the last Wait. A socket that failed has input: a
// read returns its error.
func (p *Poller) Event(i int) (ownerIndex, generation int32, isWritable bool) {
	e := &p.events[i]
	return e.Fd, e.Pad, e.Events&unix.EPOLLOUT != 0
}
