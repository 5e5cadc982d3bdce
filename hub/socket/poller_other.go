//go:build !linux || portable

package socket

import "syscall"

// A Poller tells sockets when there is something to read. Here there is none:
// sockets are read by a goroutine each.
type Poller struct{}

// NewPoller returns nil.
func NewPoller() (*Poller, error) { return nil, nil }

// Close does nothing.
func (*Poller) Close() error { return nil }

func (*Poller) run(f func()) { go f() }

func (*Poller) remove(*feed) {}

func newFeed(*wire, syscall.RawConn, Options) *feed { return nil }

func (*feed) arm() error { return nil }

func (*feed) recv([]byte) (int, error) { return 0, errAgain }
