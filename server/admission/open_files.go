package admission

import (
	"net"
	"net/http"
	"sync/atomic"
	"syscall"

	"github.com/rs/zerolog"

	"onair/server/config"
)

const (
	// nonSocketFiles are open files that are not sockets: the store, listeners, HTTP
	// connections, and connections whose handshake is rejected.
	nonSocketFiles = 200
	// privateFiles are open files that are not public connections: the store, the
	// listeners, and connections to the ops listener.
	privateFiles = 50
)

// LowerSocketLimitToOpenFiles lowers limits.sockets to the number of files that the process may open.
func LowerSocketLimitToOpenFiles(cfg *config.Config, log zerolog.Logger) {
	files := maxOpenFiles()
	if sockets := max(1, files-nonSocketFiles); files != 0 && sockets < cfg.Limits.Sockets {
		log.Warn().Int("limits.sockets", cfg.Limits.Sockets).Int("open_files", files).Int("sockets", sockets).
			Msg("socket limit lowered to open files limit")
		cfg.Limits.Sockets = sockets
	}
}

// maxOpenFiles is the number of files that the process may have open, 0 when it is unknown.
func maxOpenFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30))
}

// ConnectionLimit bounds all public connections by the files that the process may open.
// Without free files, neither the store nor the ops listener would work. It may be used
// concurrently.
type ConnectionLimit struct {
	admission *Admission
	maxConns  int          // public connections, sockets included; 0: no limit
	count     atomic.Int64 // connections that the HTTP server has
}

// NewConnectionLimit returns a limit without connections. Admission counts the sockets.
func NewConnectionLimit(a *Admission) *ConnectionLimit {
	l := &ConnectionLimit{admission: a}
	if files := maxOpenFiles(); files != 0 {
		l.maxConns = max(1, files-privateFiles)
	}
	return l
}

// TrackState is the ConnState function of an HTTP server. It closes a connection above the
// limit at once, because no file is free for a response.
func (l *ConnectionLimit) TrackState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if n := l.count.Add(1); l.maxConns != 0 && int(n)+l.admission.hijackedConnCount() > l.maxConns {
			l.admission.metrics.rejected.WithLabelValues(string(rejectionFileLimit)).Inc()
			c.Close()
		}
	case http.StateHijacked, http.StateClosed:
		l.count.Add(-1)
	}
}
