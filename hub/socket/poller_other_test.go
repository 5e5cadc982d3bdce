//go:build !linux || portable

package socket

func (*Poller) count() int { return 0 }
