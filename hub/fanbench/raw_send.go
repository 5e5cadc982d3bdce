//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// acceptedConnections returns the descriptors of this process's connections to its own
// port.
func acceptedConnections(port int) (fds []int, err error) {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	for _, d := range dir {
		fd, err := strconv.Atoi(d.Name())
		if err != nil {
			return nil, err
		}
		local, err := unix.Getsockname(fd)
		if err != nil {
			continue // no socket, or the directory itself
		}
		if a, ok := local.(*unix.SockaddrInet4); !ok || a.Port != port {
			continue
		}
		if _, err := unix.Getpeername(fd); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}

// sendRawToAll makes one non-blocking send for each socket, and nothing else. It
// is the limit for the other methods.
func sendRawToAll(fds []int, frame []byte) error {
	p, size := uintptr(unsafe.Pointer(unsafe.SliceData(frame))), uintptr(len(frame))
	for _, fd := range fds {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), p, size, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno != 0 || n != size {
			return fmt.Errorf("raw send: %d of %d bytes: %w", n, size, errno)
		}
	}
	return nil
}
