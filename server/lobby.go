package main

import (
	"net"
	"net/http"
	"sync"
)

// lobby bounds the public connections that are no sockets: with all files of
// the process in use neither the store nor the listener of the people on call
// could go on.
type lobby struct {
	// Static after construction.
	most    int        // public connections in all, sockets among them; 0: no bound is known
	sockets func() int // those that are
	metrics *metrics

	mu   sync.Mutex // guards here
	here int
}

// ownFiles are open files that are no public connections: the store, the
// listeners, and those of whoever looks at metrics.
const ownFiles = 50

// newLobby takes how many files the process may have open, 0 if that is not
// known.
func newLobby(files int, g *gate, m *metrics) *lobby {
	l := &lobby{sockets: g.upgraded, metrics: m}
	if files != 0 {
		l.most = max(1, files-ownFiles)
	}
	return l
}

// follow is told by the HTTP server what becomes of each connection. One that
// is too many is closed at once: there is no file to be polite with.
func (l *lobby) follow(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if n := l.add(1); l.most != 0 && n+l.sockets() > l.most {
			l.metrics.turnedAway.WithLabelValues(outOfFiles).Inc()
			c.Close()
		}
	case http.StateHijacked, http.StateClosed:
		l.add(-1)
	}
}

func (l *lobby) add(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.here += n
	return l.here
}
