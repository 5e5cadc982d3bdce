//go:build linux && !portable

package socket

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendCall holds the arguments and results of one non-blocking write. Pooling it
// avoids the allocation of a closure for each write.
type sendCall struct {
	callback func(fd uintptr) bool // the method run

	frame frameParts
	n     int
	err   error
}

var sendCallPool = sync.Pool{New: func() any {
	s := new(sendCall)
	s.callback = s.sendOnce
	return s
}}

// sendNonBlocking writes the bytes that the kernel accepts at once, and returns their
// number.
func sendNonBlocking(raw syscall.RawConn, frame frameParts) (n int, err error) {
	s := sendCallPool.Get().(*sendCall)
	s.frame, s.n, s.err = frame, 0, nil
	if err = raw.Write(s.callback); err == nil {
		err = s.err
	}
	n = s.n
	s.frame = frameParts{}
	sendCallPool.Put(s)
	return n, err
}

// sendFlags make the call non-blocking, and suppress the signal for a connection
// that the peer has closed.
const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// sendOnce makes one system call. The call never blocks, so it bypasses the scheduler,
// which saves a tenth of its cost.
func (s *sendCall) sendOnce(fd uintptr) (isDone bool) {
	var n uintptr
	var errno syscall.Errno
	first, second := s.frame[0], s.frame[1]
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
		s.n = int(n)
	case unix.EAGAIN:
	default:
		s.err = errno
	}
	return true
}
