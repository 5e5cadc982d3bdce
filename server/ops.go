package main

import (
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// opsRoutes is what the people on call and their tools see. It is served on
// its own listener, which is not for the public.
func (s *server) opsRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.reg, promhttp.HandlerOpts{Registry: s.reg}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, []byte(`{}`)) })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// readyz says whether this node takes new sockets: 503 while draining and when
// it is full. A node that is cut off from its log stays ready, and says so: to
// take every node out of rotation at once would help nobody.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	if e := s.gate.closed(false); e != nil {
		writeProblem(w, e)
		return
	}
	if since := s.heldSince.Load(); since != 0 {
		writeJSON(w, fmt.Appendf(nil, `{"degraded":["log"],"since":%d}`, since))
		return
	}
	writeJSON(w, []byte(`{}`))
}
