//go:build !linux || portable

package socket

import (
	"io"
	"os"
	"sync/atomic"
	"syscall"
)

// Poller notifies sockets that have input. While a socket is idle, a goroutine
// with a minimal stack waits for its input; other goroutines handle messages. It
// is passed to [Accept] in [Options]. All methods are safe for concurrent use.
type Poller struct {
	workerPool
	receivers atomic.Int64
}

// NewPoller starts a poller.
func NewPoller() (*Poller, error) { return &Poller{workerPool: newWorkerPool()}, nil }

// String returns the name of this way of reading sockets.
func (*Poller) String() string { return "portable" }

// Close ends the poller. All its sockets must be closed before.
func (p *Poller) Close() error {
	close(p.done)
	return nil
}

func (p *Poller) register(*receiver) error {
	p.receivers.Add(1)
	return nil
}

func (p *Poller) unregister(*receiver) { p.receivers.Add(-1) }

// watchReadableOnce requests one notification, which comes at once if there is input
// already.
func (r *receiver) watchReadableOnce() error {
	go r.waitReadableAndNotify()
	return nil
}

// waitReadableAndNotify waits for input or the end of the connection, and notifies.
func (r *receiver) waitReadableAndNotify() {
	r.raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		return err != syscall.EAGAIN && err != syscall.EINTR
	})
	r.notifyReadable()
}

// receiveNonBlocking receives without blocking. It returns errBufferEmpty if there is no
// input, and io.EOF after the last.
func (r *receiver) receiveNonBlocking(p []byte) (n int, err error) {
	closedErr := r.raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p)
		for err == syscall.EINTR {
			n, err = syscall.Read(int(fd), p)
		}
		return true
	})
	switch {
	case closedErr != nil:
		return 0, closedErr
	case err == syscall.EAGAIN:
		return 0, errBufferEmpty
	case err != nil:
		return 0, os.NewSyscallError("recv", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// sendNonBlocking writes the bytes that the kernel accepts at once, and returns their
// number. Descriptors of connections are non-blocking.
func sendNonBlocking(raw syscall.RawConn, frame frameParts) (n int, err error) {
	closedErr := raw.Write(func(fd uintptr) bool {
		for _, part := range frame {
			var sent int
			for rest := part; len(rest) > 0; rest = rest[sent:] {
				if sent, err = syscall.Write(int(fd), rest); err == syscall.EINTR {
					sent, err = 0, nil
				}
				if err != nil {
					return true
				}
				n += sent
			}
		}
		return true
	})
	switch {
	case closedErr != nil:
		return n, closedErr
	case err == syscall.EAGAIN:
		return n, nil
	}
	return n, err
}
