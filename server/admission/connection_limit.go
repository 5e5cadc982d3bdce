package admission

import (
	"net"
	"net/http"
	"sync"
)

// ConnectionLimit bounds the public connections that are no sockets: with all
// files of the process in use neither the store nor the ops listener could go on.
type ConnectionLimit struct {
	// Static after construction.
	admission *Admission
	maxConns  int // public connections in all, sockets among them; 0: no bound is known

	mu    sync.Mutex // guards count
	count int        // connections that the HTTP server has
}

// ownFiles are open files that are no public connections: the store, the
// listeners, and those of whoever looks at metrics.
const ownFiles = 50

// NewConnectionLimit takes how many files the process may have open, 0 if that is
// not known.
func NewConnectionLimit(openFiles int, a *Admission) *ConnectionLimit {
	l := &ConnectionLimit{admission: a}
	if openFiles != 0 {
		l.maxConns = max(1, openFiles-ownFiles)
	}
	return l
}

// TrackState is the ConnState of an HTTP server. A connection that is too many is
// closed at once: there is no file to answer it with.
func (l *ConnectionLimit) TrackState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if n := l.add(1); l.maxConns != 0 && n+l.admission.socketCount() > l.maxConns {
			l.admission.metrics.rejected.WithLabelValues(rejectionFileLimit).Inc()
			c.Close()
		}
	case http.StateHijacked, http.StateClosed:
		l.add(-1)
	}
}

func (l *ConnectionLimit) add(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count += n
	return l.count
}
