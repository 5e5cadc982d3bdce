package node

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"onair/hub/wire"
	"onair/server/response"
)

// opsHandler serves metrics, health, profiles and traces. Its listener is not public.
func (n *Node) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.Metrics, promhttp.HandlerOpts{Registry: n.Metrics}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { response.WriteCacheableJSON(w, []byte(`{}`)) })
	mux.HandleFunc("GET /readyz", n.serveReadyz)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /debug/flight", n.flight)
	return mux
}

// startingReason is why a node that starts is not ready.
const startingReason = "the list is being read from the log"

// unreadyReason returns why this node admits no new sockets, or "".
func (n *Node) unreadyReason() string {
	if !n.HasStartedServing() {
		return startingReason
	}
	return n.Admission.UnreadyReason()
}

// serveReadyz answers 200 if this node admits new sockets, and 503 while it starts, drains or
// is full. An isolated node, and one whose store fails, stay ready: they serve the list and
// accept beats, and all nodes would leave the load balancer at once. The body names the fault.
func (n *Node) serveReadyz(w http.ResponseWriter, _ *http.Request) {
	if reason := n.unreadyReason(); reason != "" {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeUnavailable, Message: reason})
		return
	}
	var state struct {
		Degraded []string `json:"degraded,omitempty"`
		Since    int64    `json:"since,omitempty"`    // Unix milliseconds, of the oldest fault
		Warnings []string `json:"warnings,omitempty"` // settings of Redis that should be changed
	}
	addDegraded := func(part string, since int64) {
		if since == 0 {
			return
		}
		state.Degraded = append(state.Degraded, part)
		if state.Since == 0 || since < state.Since {
			state.Since = since
		}
	}
	addDegraded("log", n.status.isolatedSince.Load())
	if since := n.Presence.DurableRefusedSince(); !since.IsZero() {
		addDegraded("store", since.UnixMilli())
	}
	if store, ok := n.Store.(interface{ Warnings() []string }); ok {
		state.Warnings = store.Warnings()
	}
	response.WriteValue(w, state)
}
