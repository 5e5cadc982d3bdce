//go:build !linux

package main

import (
	"errors"
	"net/netip"
	"time"
)

// Viewers in numbers need epoll.
var (
	errNotLinux = errors.New("viewers run on Linux only")
	ErrWouldBlock    = errors.New("not now")
)

type Poller struct{}

const maxEvents = 0

func NewPoller() (*Poller, error) { return nil, errNotLinux }

func (p *Poller) Close() {}

type Interest uint32

const (
	InterestNone Interest = iota
	InterestInput
	InterestOutput
)

func (p *Poller) Add(int, int32, int32, Interest) error { return errNotLinux }

func (p *Poller) SetInterest(int, int32, int32, Interest) error { return errNotLinux }

func (p *Poller) Wait(time.Duration) (int, bool, error) { return 0, false, errNotLinux }

func (p *Poller) Event(int) (index, life int32, output bool) { return 0, 0, false }

func Dial(netip.AddrPort, netip.Addr, int) (int, error) { return -1, errNotLinux }

func DialResult(int) error { return errNotLinux }

func Receive(int, []byte) (int, error) { return 0, errNotLinux }

func Send(int, []byte) (int, error) { return 0, errNotLinux }

func Close(int) {}

func CPUTime() (process, thread time.Duration) { return 0, 0 }

func OpenFileLimit() int { return 0 }
