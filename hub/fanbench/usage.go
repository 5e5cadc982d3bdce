//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// machineClock returns the nanoseconds of CLOCK_MONOTONIC, which all processes share. It
// costs as much as time.Since.
type machineClock func() int64

func newMachineClock() machineClock {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	start, base := time.Now(), ts.Nano()
	return func() int64 { return base + int64(time.Since(start)) }
}

// processCPUTime is the CPU time of this process, in user and kernel mode.
func processCPUTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // cannot fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentBytes is this process's resident memory in bytes.
func residentBytes() (int64, error) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, rss int64
	if _, err := fmt.Fscan(bytes.NewReader(data), &size, &rss); err != nil {
		return 0, err
	}
	return rss * int64(os.Getpagesize()), nil
}

// machineTCPBufferBytes is the size of all TCP buffers of the machine in bytes.
func machineTCPBufferBytes() (int64, error) {
	f, err := os.Open("/proc/net/sockstat")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, pages, ok := strings.Cut(lines.Text(), " mem "); ok && strings.HasPrefix(lines.Text(), "TCP:") {
			var n int64
			_, err := fmt.Sscan(pages, &n)
			return n * int64(os.Getpagesize()), err
		}
	}
	return 0, fmt.Errorf("no TCP memory in %s", f.Name())
}

// socketBufferBytes is the size of a socket's buffers in bytes, by SO_MEMINFO.
func socketBufferBytes(fd int) int64 {
	const received, forward, queued = 0, 4, 5 // linux/sock_diag.h, SK_MEMINFO_…
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return int64(info[received]) + int64(info[forward]) + int64(info[queued])
}
