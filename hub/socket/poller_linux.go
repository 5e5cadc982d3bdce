//go:build linux && !portable

package socket

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Poller notifies sockets that have input, so that an idle socket has no
// goroutine. It is passed to [Accept] in [Options]. All methods are safe for
// concurrent use.
//
// It is an epoll instance that the runtime's poller watches, so no thread blocks
// in a system call. The runtime keeps the sockets' descriptors, so none is closed
// and reused while the poller uses it.
type Poller struct {
	// Static after construction.
	file *os.File // the epoll instance
	raw  syscall.RawConn
	workerPool

	mu        sync.Mutex // guards all below
	lastID    uint64
	receivers map[uint64]*receiver
}

// NewPoller starts a poller.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("socket: epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("socket: epoll: %w", err)
	}
	p := &Poller{
		file: os.NewFile(uintptr(fd), "epoll"), workerPool: newWorkerPool(), receivers: map[uint64]*receiver{},
	}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, fmt.Errorf("socket: epoll: %w", err)
	}
	go p.runEpollLoop()
	go p.runDeadPeerLoop()
	return p, nil
}

// String returns the name of this way of reading sockets.
func (*Poller) String() string { return "epoll" }

// Close ends the poller. All its sockets must be closed before.
func (p *Poller) Close() error {
	err := p.file.Close()
	<-p.done
	return err
}

// runEpollLoop notifies the receivers that have input, until the poller is closed.
func (p *Poller) runEpollLoop() {
	defer close(p.done)
	var events [256]unix.EpollEvent
	for {
		n := 0
		err := p.raw.Read(func(fd uintptr) bool {
			var err error
			if n, err = unix.EpollWait(int(fd), events[:], 0); err != nil {
				n = 0
			}
			return n > 0
		})
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			if r := p.receiver(uint64(uint32(e.Fd)) | uint64(e.Pad)<<32); r != nil {
				r.notifyReadable()
			}
		}
	}
}

func (p *Poller) receiver(id uint64) *receiver {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.receivers[id]
}

// register adds a receiver, without watching it yet.
func (p *Poller) register(r *receiver) error {
	p.mu.Lock()
	p.lastID++
	r.pollID = p.lastID
	p.receivers[r.pollID] = r
	p.mu.Unlock()
	err := r.controlEpoll(unix.EPOLL_CTL_ADD, 0)
	if err != nil {
		p.unregister(r)
	}
	return err
}

// unregister removes a receiver. The kernel removes its descriptor when the
// connection is closed.
func (p *Poller) unregister(r *receiver) {
	p.mu.Lock()
	delete(p.receivers, r.pollID)
	p.mu.Unlock()
}

// watchReadableOnce requests one notification, which comes at once if there is input
// already.
func (r *receiver) watchReadableOnce() error {
	return r.controlEpoll(unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP)
}

func (r *receiver) controlEpoll(op int, events uint32) error {
	var epollErr error
	err := r.raw.Control(func(fd uintptr) {
		event := unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(r.pollID), Pad: int32(r.pollID >> 32)}
		epollErr = r.poller.raw.Control(func(epoll uintptr) {
			epollErr = unix.EpollCtl(int(epoll), op, int(fd), &event)
		})
	})
	if err != nil {
		return err
	}
	return epollErr
}

// receiveNonBlocking receives without blocking. It returns errBufferEmpty if there is no
// input, and io.EOF after the last.
func (r *receiver) receiveNonBlocking(p []byte) (n int, err error) {
	var received uintptr
	var errno syscall.Errno
	closedErr := r.raw.Read(func(fd uintptr) bool {
		for {
			received, _, errno = syscall.RawSyscall6(unix.SYS_RECVFROM, fd,
				uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
			if errno != unix.EINTR {
				return true
			}
		}
	})
	switch {
	case closedErr != nil:
		return 0, closedErr
	case errno == unix.EAGAIN:
		return 0, errBufferEmpty
	case errno != 0:
		return 0, os.NewSyscallError("recv", errno)
	case received == 0:
		return 0, io.EOF
	}
	return int(received), nil
}
