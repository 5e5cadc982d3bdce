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
func (p *Poller) Add(int, int32, int32, Interest) error { return errNotLinux }

// SetInterest returns an error.
func (p *Poller) SetInterest(int, int32, int32, Interest) error { return errNotLinux }

// Wait returns an error.
func (p *Poller) Wait(time.Duration) (n int, isFull bool, err error) { return 0, false, errNotLinux }

// Event returns nothing.
func (p *Poller) Event(int) (index, generation int32, isWritable bool) { return 0, 0, false }

// DialTCP returns an error.
func DialTCP(netip.AddrPort, netip.Addr, int) (fd int, err error) { return -1, errNotLinux }

// DialResult returns an error.
func DialResult(int) error { return errNotLinux }

// Receive returns an error.
func Receive(int, []byte) (n int, err error) { return 0, errNotLinux }

// Send returns an error.
func Send(int, []byte) (n int, err error) { return 0, errNotLinux }

// CloseSocket does nothing.
func CloseSocket(int) {}

// CPUTime returns nothing.
func CPUTime() (process, thread time.Duration) { return 0, 0 }

// OpenFileLimit returns 0: unknown.
func OpenFileLimit() int { return 0 }
