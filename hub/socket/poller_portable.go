//go:build !linux || portable

package socket

import (
	"io"
	"os"
	"sync/atomic"
	"syscall"
)

// A Poller tells sockets when there is something to read, so that nobody who is
// woken for a message stays: while a socket is idle, a goroutine with the
// smallest of stacks waits for it. Give it to [Accept] in [Options]. All
// methods may be called concurrently.
type Poller struct {
	labour
	feeds atomic.Int64
}

// NewPoller starts a poller.
func NewPoller() (*Poller, error) { return &Poller{labour: newLabour()}, nil }

// String names the way in which sockets are read.
func (*Poller) String() string { return "portable" }

// Close ends the poller, whose sockets must have been closed.
func (p *Poller) Close() error {
	close(p.done)
	return nil
}

func (p *Poller) add(*feed) error {
	p.feeds.Add(1)
	return nil
}

func (p *Poller) remove(*feed) { p.feeds.Add(-1) }

// arm has the feed woken once. If something is there already that is at once.
func (f *feed) arm() error {
	go f.watch()
	return nil
}

// watch waits until there is something to read, or the connection is closed.
func (f *feed) watch() {
	f.raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		return err != syscall.EAGAIN && err != syscall.EINTR
	})
	f.wake()
}

// recv receives without blocking: errAgain says that there is nothing, io.EOF
// that there never will be.
func (f *feed) recv(p []byte) (n int, err error) {
	failed := f.raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p)
		for err == syscall.EINTR {
			n, err = syscall.Read(int(fd), p)
		}
		return true
	})
	switch {
	case failed != nil:
		return 0, failed
	case err == syscall.EAGAIN:
		return 0, errAgain
	case err != nil:
		return 0, os.NewSyscallError("recv", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// send writes what the kernel takes at once, and returns how many bytes that
// was. Descriptors of connections do not block.
func send(raw syscall.RawConn, frame pieces) (n int, err error) {
	failed := raw.Write(func(fd uintptr) bool {
		for _, p := range frame {
			var some int
			for rest := p; len(rest) > 0; rest = rest[some:] {
				if some, err = syscall.Write(int(fd), rest); err == syscall.EINTR {
					some, err = 0, nil
				}
				if err != nil {
					return true
				}
				n += some
			}
		}
		return true
	})
	switch {
	case failed != nil:
		return n, failed
	case err == syscall.EAGAIN:
		return n, nil
	}
	return n, err
}
