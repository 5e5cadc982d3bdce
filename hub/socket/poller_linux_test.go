//go:build linux && !portable

package socket

// receiverCount returns the number of registered receivers.
func (p *Poller) receiverCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.receivers)
}
