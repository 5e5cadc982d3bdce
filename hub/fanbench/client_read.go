//go:build linux

package main

import (
	"bytes"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// frameCounts are what viewers have received since the last resetCounts.
type frameCounts struct {
	round        int    // number of resets
	first        []byte // frame of the first fast viewer
	extra        int    // frames after a viewer's first one
	different    int    // frames of fast viewers that differ from first
	arrivals     [2][]int64
	lastRead     int64 // when any viewer last read something
	lastFastRead int64 // the same, except for slow viewers
	kernelMemory int64 // see taskResult.Memory
}

// Indexes of frameCounts.arrivals.
const (
	allViewers = iota
	fastViewers
)

// slowReading is how the first viewers read.
type slowReading struct {
	count    int // viewers that stop or have a rate
	rate     int // bytes a second; 0: they stop
	lastRead int64
	group    int // that reads next
}

// slowGroups is the number of groups of slow viewers that read in turns, one
// group each 1/slowGroups of a second.
const slowGroups = 10

func (c *client) resetCounts() {
	f := &c.counts
	f.round++
	f.extra, f.different, f.first = 0, 0, f.first[:0]
	for i := range f.arrivals {
		f.arrivals[i] = slices.Grow(f.arrivals[i][:0], len(c.viewers))
	}
}

// readViewer reads what a viewer has received, up to maxBytes.
func (c *client) readViewer(v *viewer, maxBytes int) {
	for v.state != stateGone {
		n, errno := readNonBlocking(v.fd, c.buf[:maxBytes])
		switch {
		case errno == unix.EAGAIN:
			return
		case errno != 0 || n == 0:
			v.state = stateGone
			c.endTaskAndReply(fmt.Errorf("a viewer was closed: %w", errno))
			return
		}
		if err := c.consumeReceived(v, c.buf[:n]); err != nil {
			v.state = stateGone
			c.endTaskAndReply(err)
			return
		}
		if n < maxBytes || maxBytes < len(c.buf) {
			return // the next edge reports more
		}
	}
}

// readNonBlocking reads without a call of the scheduler.
func readNonBlocking(fd int, p []byte) (n int, errno unix.Errno) {
	got, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(got), errno
}

// consumeReceived processes bytes that a viewer has received.
func (c *client) consumeReceived(v *viewer, p []byte) error {
	c.counts.lastRead = c.now()
	if !v.isSlow {
		c.counts.lastFastRead = c.counts.lastRead
	}
	if v.state == stateUpgrading {
		rest, err := v.consumeHandshake(p)
		if err != nil {
			return err
		}
		if v.state == stateOpen {
			c.running.pending--
			c.connectNextViewer()
		}
		p = rest
	}
	if v.headerLen == 0 && len(p) > 0 && bytes.Equal(p, c.counts.first) {
		c.countFrameAndSendNext(v, p)
		return nil
	}
	return v.consumeFrames(p, c.countFrameAndSendNext, v.answerPing)
}

// countFrameAndSendNext counts a viewer's frameIfUnsplit. frameIfUnsplit is nil if it came in pieces.
func (c *client) countFrameAndSendNext(v *viewer, frameIfUnsplit []byte) {
	f := &c.counts
	if v.lastRound == f.round {
		f.extra++
		return
	}
	v.lastRound = f.round
	f.arrivals[allViewers] = append(f.arrivals[allViewers], f.lastRead)
	if t := c.running.task; t != nil && t.Action == "send" {
		c.sendAsNextViewer()
	}
	if !c.isFast(v) {
		return
	}
	if len(f.first) == 0 {
		f.first = append(f.first, frameIfUnsplit...)
	}
	if !bytes.Equal(frameIfUnsplit, f.first) {
		f.different++
	}
	f.arrivals[fastViewers] = append(f.arrivals[fastViewers], f.lastRead)
}

func (c *client) isFast(v *viewer) bool {
	return uintptr(unsafe.Pointer(v)) >= uintptr(unsafe.Pointer(unsafe.SliceData(c.viewers[c.firstFast:])))
}

// setSlowViewers has the first viewers stop reading, or read at a rate in bytes
// a second. All others read at once.
func (c *client) setSlowViewers(count, bytesPerSecond int) {
	for i := range c.viewers[:max(count, c.slow.count)] {
		v := &c.viewers[i]
		switch wasSlow := v.isSlow; {
		case i < count && !wasSlow:
			v.isSlow = true
			c.setEpoll(unix.EPOLL_CTL_DEL, v.fd, i, 0)
		case i >= count && wasSlow:
			v.isSlow = false
			c.setEpoll(unix.EPOLL_CTL_ADD, v.fd, i, epollEvents)
		}
	}
	c.slow.count, c.slow.rate, c.slow.lastRead = count, bytesPerSecond, c.now()
}

// readDueSlowViewers reads for the slow viewers with a rate.
func (c *client) readDueSlowViewers() {
	const interval = int64(time.Second / slowGroups)
	for s := &c.slow; s.rate > 0 && c.now() >= s.lastRead+interval; {
		s.lastRead += interval
		s.group = (s.group + 1) % slowGroups
		for i := s.group; i < s.count; i += slowGroups {
			c.readViewer(&c.viewers[i], s.rate)
		}
	}
}
