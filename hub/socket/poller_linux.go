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

// A Poller tells sockets when there is something to read, so that nobody waits
// on those that have nothing to say: an idle socket has no goroutine. Give it
// to [Accept] in [Options].
//
// It is an epoll of its own, which the runtime's poller watches in turn: no
// thread sits in a system call. Descriptors stay the runtime's, in whose poller
// they are too: so none is closed, and used again, while we hold it. All
// methods may be called concurrently.
type Poller struct {
	// Static after construction.
	file *os.File // the epoll
	raw  syscall.RawConn
	labour

	mu    sync.Mutex // guards all below
	last  uint64
	feeds map[uint64]*feed
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
		file: os.NewFile(uintptr(fd), "epoll"), labour: newLabour(), feeds: map[uint64]*feed{},
	}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, fmt.Errorf("socket: epoll: %w", err)
	}
	go p.poll()
	go p.sweep()
	return p, nil
}

// String names the way in which sockets are read.
func (*Poller) String() string { return "epoll" }

// Close ends the poller, whose sockets must have been closed.
func (p *Poller) Close() error {
	err := p.file.Close()
	<-p.done
	return err
}

// poll wakes the feeds that are ready.
func (p *Poller) poll() {
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
			if f := p.feed(uint64(uint32(e.Fd)) | uint64(e.Pad)<<32); f != nil {
				f.wake()
			}
		}
	}
}

func (p *Poller) feed(id uint64) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.feeds[id]
}

// add has the poller know a feed, which is not armed yet.
func (p *Poller) add(f *feed) error {
	p.mu.Lock()
	p.last++
	f.id = p.last
	p.feeds[f.id] = f
	p.mu.Unlock()
	err := f.control(p, unix.EPOLL_CTL_ADD, 0)
	if err != nil {
		p.remove(f)
	}
	return err
}

// remove has the poller forget a feed. The kernel forgets it when its
// connection is closed.
func (p *Poller) remove(f *feed) {
	p.mu.Lock()
	delete(p.feeds, f.id)
	p.mu.Unlock()
}

// arm has the feed woken once. If something is there already that is at once.
func (f *feed) arm() error {
	return f.control(f.poller, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP)
}

func (f *feed) control(p *Poller, op int, events uint32) error {
	var set error
	err := f.raw.Control(func(fd uintptr) {
		event := unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(f.id), Pad: int32(f.id >> 32)}
		set = p.raw.Control(func(epoll uintptr) {
			set = unix.EpollCtl(int(epoll), op, int(fd), &event)
		})
	})
	if err != nil {
		return err
	}
	return set
}

// recv receives without blocking: errAgain says that there is nothing, io.EOF
// that there never will be.
func (f *feed) recv(p []byte) (n int, err error) {
	var got uintptr
	var errno syscall.Errno
	failed := f.raw.Read(func(fd uintptr) bool {
		for {
			got, _, errno = syscall.RawSyscall6(unix.SYS_RECVFROM, fd,
				uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
			if errno != unix.EINTR {
				return true
			}
		}
	})
	switch {
	case failed != nil:
		return 0, failed
	case errno == unix.EAGAIN:
		return 0, errAgain
	case errno != 0:
		return 0, os.NewSyscallError("recv", errno)
	case got == 0:
		return 0, io.EOF
	}
	return int(got), nil
}
