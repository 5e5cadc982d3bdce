//go:build linux && !portable

package socket

import (
	"maps"
	"net"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// deadAfter is the time for which a peer may leave sent data unacknowledged.
	// It must be longer than the time in which a phone changes its network.
	deadAfter = 50 * time.Second
	// deadCheckInterval is the time between two checks. One costs about a
	// microsecond per socket.
	deadCheckInterval = 10 * time.Second
)

// runDeadPeerLoop closes the sockets of dead peers until the poller is closed. A
// live peer with a closed window answers the kernel's probes, so only
// StallTimeout applies to it.
func (p *Poller) runDeadPeerLoop() {
	ticker := time.NewTicker(deadCheckInterval)
	defer ticker.Stop()
	var info unix.TCPInfo
	for {
		select {
		case <-p.done:
			return
		case <-ticker.C:
		}
		for _, r := range p.allReceivers() {
			if readTCPInfo(r.raw, &info) && isPeerDead(&info) {
				r.transport.reset()
			}
		}
	}
}

func (p *Poller) allReceivers() []*receiver {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.AppendSeq(make([]*receiver, 0, len(p.receivers)), maps.Values(p.receivers))
}

// IsPeerDead reports whether c is a TCP connection, or TLS over one, whose peer has left
// sent data unacknowledged and been silent for 50 s. A [Poller] closes the sockets of
// such peers; IsPeerDead is for long-lived HTTP answers. Without Linux it returns false.
func IsPeerDead(c net.Conn) bool {
	tcp := tcpConn(c)
	if tcp == nil {
		return false
	}
	var info unix.TCPInfo
	return readTCPInfo(plainTCPRawConn(tcp), &info) && isPeerDead(&info)
}

// isPeerDead reports whether sent data is unacknowledged and the peer has been silent
// for too long.
func isPeerDead(info *unix.TCPInfo) bool {
	return info.Unacked > 0 && time.Duration(info.Last_ack_recv)*time.Millisecond >= deadAfter
}

// readTCPInfo reads the kernel's state of a connection into info. It returns
// false if the connection is closed.
func readTCPInfo(raw syscall.RawConn, info *unix.TCPInfo) (isOpen bool) {
	var errno syscall.Errno
	err := raw.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(*info))
		_, _, errno = syscall.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
			uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	return err == nil && errno == 0
}
