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
	errAgain    = errors.New("not now")
)

type poller struct{}

const maxEvents = 0

func newPoller() (*poller, error) { return nil, errNotLinux }

func (p *poller) close() {}

type interest uint32

const (
	interestNone interest = iota
	interestInput
	interestOutput
)

func (p *poller) add(int, int32, int32, interest) error { return errNotLinux }

func (p *poller) change(int, int32, int32, interest) error { return errNotLinux }

func (p *poller) wait(time.Duration) (int, bool, error) { return 0, false, errNotLinux }

func (p *poller) event(int) (index, life int32, output bool) { return 0, 0, false }

func dial(netip.AddrPort, netip.Addr, int) (int, error) { return -1, errNotLinux }

func dialResult(int) error { return errNotLinux }

func receive(int, []byte) (int, error) { return 0, errNotLinux }

func send(int, []byte) (int, error) { return 0, errNotLinux }

func closeSocket(int) {}

func cpuTime() (process, thread time.Duration) { return 0, 0 }

func openFiles() int { return 0 }
