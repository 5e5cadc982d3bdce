package platform

import (
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the processor time of this process, and of the calling thread.
func CPUTime() (process, thread time.Duration) {
	return cpuTimeOf(unix.RUSAGE_SELF), cpuTimeOf(unix.RUSAGE_THREAD)
}

func cpuTimeOf(rusageWho int) time.Duration {
	var u unix.Rusage
	if unix.Getrusage(rusageWho, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// OpenFileLimit returns how many files the process may have open; 0: unknown.
func OpenFileLimit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(r.Cur, 1<<30))
}
