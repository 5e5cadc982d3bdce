//go:build !linux || portable

package socket

// count is how many sockets the poller knows.
func (p *Poller) count() int { return int(p.feeds.Load()) }
