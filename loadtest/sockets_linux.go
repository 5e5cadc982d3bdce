package main

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ErrWouldBlock is a socket that has nothing to read, or no room to write, just now.
var ErrWouldBlock error = unix.EAGAIN

// Poller waits for many sockets at once. A socket is named by an index and by
// which of the sockets at that index it is, so that what is said of one that
// was closed is not taken for its successor's.
type Poller struct {
	fd     int
	events []unix.EpollEvent
}

// maxEvents is how many sockets are served between two looks at the clock.
const maxEvents = 256

func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &Poller{fd, make([]unix.EpollEvent, maxEvents)}, err
}

func (p *Poller) Close() {
	unix.Close(p.fd)
	p.fd = -1 // which a second close cannot take for another's
}

// Interest is what to wait for.
type Interest uint32

const (
	InterestNone   Interest = 0
	InterestInput  Interest = unix.EPOLLIN
	InterestOutput Interest = unix.EPOLLOUT
)

func (p *Poller) Add(fd int, index, life int32, in Interest) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: uint32(in), Fd: index, Pad: life})
}

func (p *Poller) SetInterest(fd int, index, life int32, in Interest) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: uint32(in), Fd: index, Pad: life})
}

// Wait waits for events and returns how many there are; full says that there
// may be more. It waits whole milliseconds, rounded up: down, it would come
// back at once, again and again, until the time has come.
func (p *Poller) Wait(most time.Duration) (n int, full bool, err error) {
	n, err = unix.EpollWait(p.fd, p.events, int((most + time.Millisecond - 1).Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return 0, false, nil
	}
	return n, n == len(p.events), err
}

// Event is the i-th that wait found. A socket that failed has input: reading
// tells what happened.
func (p *Poller) Event(i int) (index, life int32, output bool) {
	e := &p.events[i]
	return e.Fd, e.Pad, e.Events&unix.EPOLLOUT != 0
}

// Dial begins to connect. A source that is not valid is the kernel's choice; a
// receive buffer of 0 is its default.
func Dial(to netip.AddrPort, source netip.Addr, receive int) (fd int, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if receive > 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receive)
	}
	if err == nil && source.IsValid() {
		// Without this the kernel would choose the port before it knows that
		// the same one may serve for another destination.
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			unix.Bind(fd, sockaddr(netip.AddrPortFrom(source, 0))),
		)
	}
	if err == nil {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.Connect(fd, sockaddr(to)),
		)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// DialResult tells what became of a dial.
func DialResult(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	return err
}

// Receive reads what is there; 0 bytes are the end.
func Receive(fd int, buf []byte) (int, error) {
	return retryInterrupted(func() (int, error) { return unix.Read(fd, buf) })
}

func Send(fd int, data []byte) (int, error) {
	return retryInterrupted(func() (int, error) { return unix.SendmsgN(fd, data, nil, nil, unix.MSG_NOSIGNAL) })
}

func retryInterrupted(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return max(0, n), err
		}
	}
}

func Close(fd int) { unix.Close(fd) }

// CPUTime is what this process has used, and what the calling thread has.
func CPUTime() (process, thread time.Duration) {
	return usage(unix.RUSAGE_SELF), usage(unix.RUSAGE_THREAD)
}

func usage(who int) time.Duration {
	var u unix.Rusage
	if unix.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// OpenFileLimit is how many files the process may have open.
func OpenFileLimit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(r.Cur, 1<<30))
}
