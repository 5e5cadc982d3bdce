//go:build !linux

package platform

import (
	"errors"
	"net/netip"
	"time"
)

var errNotLinux = errors.New("simulated viewers run on Linux only")

// ErrWouldBlock is never returned here.
var ErrWouldBlock = errors.New("the operation would block")

// Poller does not exist on this system.
type Poller struct{}

// NewPoller returns an error.
func NewPoller() (*Poller, error) { return nil, errNotLinux }

// Close does nothing.
func (p *Poller) Close() {}

// Interest is what a socket waits for.
type Interest uint32

// Interests may be combined.
const (
	InterestNone   Interest = 0
	InterestInput  Interest = 1
	InterestOutput Interest = 2
)

// Add returns an error.
func (p *Poller) Add(fd int, ownerIndex, generation int32, interest Interest) error {
	return errNotLinux
}

// SetInterest returns an error.
func (p *Poller) SetInterest(fd int, ownerIndex, generation int32, interest Interest) error {
	return errNotLinux
}

// Wait returns an error.
func (p *Poller) Wait(timeout time.Duration) (n int, isFull bool, err error) {
	return 0, false, errNotLinux
}

// Event returns nothing.
func (p *Poller) Event(i int) (ownerIndex, generation int32, isWritable bool) { return 0, 0, false }

// DialTCP returns an error.
func DialTCP(to netip.AddrPort, source netip.Addr, receiveBufferBytes int) (fd int, err error) {
	return -1, errNotLinux
}

// DialResult returns an error.
func DialResult(fd int) error { return errNotLinux }

// Receive returns an error.
func Receive(fd int, buf []byte) (n int, err error) { return 0, errNotLinux }

// Send returns an error.
func Send(fd int, data []byte) (n int, err error) { return 0, errNotLinux }

// CloseSocket does nothing.
func CloseSocket(fd int) {}

// CPUTime returns nothing.
func CPUTime() (process, thread time.Duration) { return 0, 0 }

// OpenFileLimit returns 0: unknown.
func OpenFileLimit() int { return 0 }
