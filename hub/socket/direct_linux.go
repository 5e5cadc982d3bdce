//go:build linux && !portable

package socket

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// direct writes to a TCP connection what the kernel takes at once. The
// connection stays the runtime's, which keeps its descriptor from being closed,
// and used again, while we write. It is guarded by outbound.mu.
type direct struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // attempt, made once

	frame pieces
	n     int
	err   error
}

// newDirect returns nil for what is no TCP connection.
func newDirect(c net.Conn) *direct {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{raw: raw}
	d.try = d.attempt
	return d
}

// write writes without blocking, and returns how many bytes went.
func (d *direct) write(frame pieces) (int, error) {
	d.frame, d.n, d.err = frame, 0, nil
	err := d.raw.Write(d.try)
	d.frame = pieces{}
	if err == nil {
		err = d.err
	}
	return d.n, err
}

// sendFlags keep the call from blocking, and a connection that the peer has
// closed from raising a signal.
const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// attempt makes one system call. It never blocks, so the scheduler need not
// know of it: that is a tenth of its cost.
func (d *direct) attempt(fd uintptr) bool {
	var n uintptr
	var errno syscall.Errno
	first, second := d.frame[0], d.frame[1]
	if len(first) == 0 {
		first, second = second, nil
	}
	for {
		if len(second) == 0 {
			n, _, errno = syscall.RawSyscall6(unix.SYS_SENDTO, fd,
				uintptr(unsafe.Pointer(unsafe.SliceData(first))), uintptr(len(first)), sendFlags, 0, 0)
		} else {
			vector := [2]unix.Iovec{{Base: &first[0]}, {Base: &second[0]}}
			vector[0].SetLen(len(first))
			vector[1].SetLen(len(second))
			header := unix.Msghdr{Iov: &vector[0]}
			header.SetIovlen(2)
			n, _, errno = syscall.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&header)), sendFlags)
		}
		if errno != unix.EINTR {
			break
		}
	}
	switch errno {
	case 0:
		d.n = int(n)
	case unix.EAGAIN:
	default:
		d.err = errno
	}
	return true
}
