//go:build !linux || portable

package socket

// receiverCount returns the number of registered receivers.
func (p *Poller) receiverCount() int { return int(p.receivers.Load()) }
