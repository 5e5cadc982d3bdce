//go:build linux && !portable

package socket

// receiverCount is how many sockets the poller knows.
func (p *Poller) receiverCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.receivers)
}
