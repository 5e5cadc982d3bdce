package main

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"onair/hub/wire"
	"onair/server/auth"
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
	mux.HandleFunc("GET /debug/flight", s.flightRoute)
	return mux
}

// nodeHeader names the node that a call came to, where that matters.
const nodeHeader = "Onair-Node"

// nodeMetrics answers GET /v1/metrics: what /metrics says of the node that the
// call came to, for people who cannot reach the other listener.
func (s *server) nodeMetrics(w http.ResponseWriter, r *http.Request, _ auth.Identity) *wire.Error {
	w.Header().Set(nodeHeader, s.cfg.Node)
	w.Header().Set("Cache-Control", "no-store")
	promhttp.HandlerFor(s.reg, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

// unready says why this node takes no new sockets, or "".
func (s *server) unready() string {
	if !s.opened.Load() {
		return "the list is being read from the log"
	}
	return s.gate.full()
}

// readyz says whether this node takes new sockets: 503 while it starts, while
// it drains and when it is full. A node that is cut off from its log, or whose store cannot be
// written, stays ready, and says so: it serves the list and hears beats, and to
// take every node out of rotation at once would help nobody.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	if why := s.unready(); why != "" {
		writeProblem(w, refuse(wire.CodeUnavailable, why))
		return
	}
	var state struct {
		Degraded []string `json:"degraded,omitempty"`
		Since    int64    `json:"since,omitempty"` // Unix milliseconds, of what has lasted longest
	}
	note := func(what string, since int64) {
		if since == 0 {
			return
		}
		state.Degraded = append(state.Degraded, what)
		if state.Since == 0 || since < state.Since {
			state.Since = since
		}
	}
	note("log", s.heldSince.Load())
	if since := s.node.UnwritableSince(); !since.IsZero() {
		note("store", since.UnixMilli())
	}
	writeValue(w, state)
}
