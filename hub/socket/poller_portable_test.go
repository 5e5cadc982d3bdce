//go:build !linux || portable

package socket

// receiverCount is how many sockets the poller knows.
func (p *Poller) receiverCount() int { return int(p.receivers.Load()) }
