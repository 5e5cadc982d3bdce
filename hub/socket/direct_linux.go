//go:build linux && !portable

package socket

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sending is one write that does not block.
type sending struct {
	try func(fd uintptr) bool // attempt, made once

	frame pieces
	n     int
	err   error
}

var sendings = sync.Pool{New: func() any {
	d := new(sending)
	d.try = d.attempt
	return d
}}

// send writes what the kernel takes at once, and returns how many bytes that
// was.
func send(raw syscall.RawConn, frame pieces) (n int, err error) {
	d := sendings.Get().(*sending)
	d.frame, d.n, d.err = frame, 0, nil
	if err = raw.Write(d.try); err == nil {
		err = d.err
	}
	n = d.n
	d.frame = pieces{}
	sendings.Put(d)
	return n, err
}

// sendFlags keep the call from blocking, and a connection that the peer has
// closed from raising a signal.
const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// attempt makes one system call. It never blocks, so the scheduler need not
// know of it: that is a tenth of its cost.
func (d *sending) attempt(fd uintptr) bool {
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
