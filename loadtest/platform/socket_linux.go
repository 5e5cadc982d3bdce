package platform

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ErrWouldBlock is returned when a socket has nothing to read or no room to write.
var ErrWouldBlock error = unix.EAGAIN

// DialTCP begins to connect a non-blocking TCP socket, which is writable once DialResult
// is known. The kernel chooses the source where it is invalid, and the size of the
// receive buffer where that is 0.
func DialTCP(to netip.AddrPort, source netip.Addr, receiveBufferBytes int) (fd int, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if receiveBufferBytes > 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBufferBytes)
	}
	if err == nil && source.IsValid() {
		// Without this option the kernel chooses the port before it has the
		// destination, and uses each port only once.
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			unix.Bind(fd, socketAddress(netip.AddrPortFrom(source, 0))),
		)
	}
	if err == nil {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.Connect(fd, socketAddress(to)),
		)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func socketAddress(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// DialResult returns the error of a finished DialTCP.
func DialResult(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	return err
}

// Receive reads into buf. It returns 0 bytes at the end of the stream, and
// ErrWouldBlock when there is nothing to read.
func Receive(fd int, buf []byte) (n int, err error) {
	return retryInterrupted(func() (int, error) { return unix.Read(fd, buf) })
}

// Send writes as much of data as there is room for. It returns ErrWouldBlock when
// there is none.
func Send(fd int, data []byte) (n int, err error) {
	return retryInterrupted(func() (int, error) { return unix.SendmsgN(fd, data, nil, nil, unix.MSG_NOSIGNAL) })
}

func retryInterrupted(call func() (n int, err error)) (n int, err error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return max(0, n), err
		}
	}
}

// CloseSocket closes a socket.
func CloseSocket(fd int) { unix.Close(fd) }
