package node

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"onair/hub/wire"
	"onair/server/response"
)

// opsHandler is what the people on call and their tools see. It is served on
// its own listener, which is not for the public.
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

// unreadyReason is why this node takes no new sockets, or "".
func (n *Node) unreadyReason() string {
	if !n.IsServing() {
		return "the list is being read from the log"
	}
	return n.Admission.UnreadyReason()
}

// serveReadyz answers whether this node takes new sockets: 503 while it starts, while
// it drains and when it is full. A node that is cut off from its log, or whose store cannot be
// written, stays ready, and says so: it serves the list and hears beats, and to
// take every node out of rotation at once would help nobody.
func (n *Node) serveReadyz(w http.ResponseWriter, _ *http.Request) {
	if why := n.unreadyReason(); why != "" {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeUnavailable, Message: why})
		return
	}
	var state struct {
		Degraded []string `json:"degraded,omitempty"`
		Since    int64    `json:"since,omitempty"` // Unix milliseconds, of what has lasted longest
	}
	addDegraded := func(what string, since int64) {
		if since == 0 {
			return
		}
		state.Degraded = append(state.Degraded, what)
		if state.Since == 0 || since < state.Since {
			state.Since = since
		}
	}
	addDegraded("log", n.status.isolatedSince.Load())
	if since := n.Presence.UnwritableSince(); !since.IsZero() {
		addDegraded("store", since.UnixMilli())
	}
	response.WriteValue(w, state)
}
