//go:build linux && !portable

package socket

import (
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// deadAfter is how long a peer may leave what is on its way to it without a
	// word. It must be longer than phones need to change their network.
	deadAfter = 50 * time.Second
	// sweepEvery is how often that is looked at, for about a microsecond a socket.
	sweepEvery = 10 * time.Second
)

// sweep closes the sockets of dead peers, until the poller is closed. Whoever
// has shut its window but lives goes on answering the kernel's probes, and is
// left to StallTimeout.
func (p *Poller) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var info unix.TCPInfo
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
		for _, f := range p.all() {
			if tcpInfo(f.raw, &info) && dead(&info) {
				f.wire.Close()
			}
		}
	}
}

func (p *Poller) all() []*feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*feed, 0, len(p.feeds))
	for _, f := range p.feeds {
		all = append(all, f)
	}
	return slices.Clip(all)
}

// dead says whether segments are on their way to a peer of which nothing has
// been heard for too long.
func dead(info *unix.TCPInfo) bool {
	return info.Unacked > 0 && time.Duration(info.Last_ack_recv)*time.Millisecond >= deadAfter
}

// tcpInfo asks the kernel about a connection; it reports false if that is
// closed.
func tcpInfo(raw syscall.RawConn, info *unix.TCPInfo) bool {
	var errno syscall.Errno
	err := raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(*info))
		_, _, errno = syscall.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
			uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	return err == nil && errno == 0
}
