//go:build linux && !portable

package socket

// count is how many sockets the poller knows.
func (p *Poller) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.feeds)
}
