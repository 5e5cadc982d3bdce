package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"onair/hub"
	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/admission"
	"onair/server/auth"
	"onair/server/broadcast"
	"onair/server/runtimeconfig"
	"onair/server/urls"
)

// Options are the parts of the node that the API uses.
type Options struct {
	Node       *presencenode.Node
	Hub        *hub.Hub
	Broadcasts *broadcast.Service

	Runtime   *runtimeconfig.Store
	Admission *admission.Admission
	URLs      *urls.Signer
	Metrics   *prometheus.Registry
	Log       zerolog.Logger
}

// API answers the HTTP calls of version 1.
type API struct {
	Options

	durations   *prometheus.HistogramVec
	callLimiter userRateLimiter // by anchor
	likeLimiter *likeLimiter
}

// New makes the API of a node that has joined the log.
func New(o Options) *API {
	return &API{
		Options: o, callLimiter: newUserRateLimiter(), likeLimiter: newLikeLimiter(),
		durations: promauto.With(o.Metrics).NewHistogramVec(prometheus.HistogramOpts{
			Name: "onair_http_request_duration_seconds", Help: "Duration of HTTP calls, by call and status; without sockets and event streams.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		}, []string{"call", "status"}),
	}
}

// Register adds the routes of all calls to a mux.
func (a *API) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/streams/events", a.requireViewer(a.streamEvents))

	call := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, a.MeasureDuration(pattern, h)) }
	call("GET /v1/streams", a.requireViewer(a.listStreams))
	call("GET /v1/streams/{code}", a.requireViewer(a.getStream))
	call("GET /v1/streams/{code}/play", a.requireViewer(a.getPlayURLs))
	call("POST /v1/streams/{code}/likes", a.requireViewer(a.likeStream))

	call("POST /v1/streams", a.requireRoleAndCallRate(a.startStream, auth.Anchor, auth.Backend))
	call("POST /v1/streams/{code}/beat", a.requireRoleAndCallRate(a.beatStream, auth.Anchor, auth.Backend))
	call("PATCH /v1/streams/{code}", a.requireRoleAndCallRate(a.updateStream, auth.Anchor, auth.Backend))
	call("DELETE /v1/streams/{code}", a.requireRoleAndCallRate(a.stopStream, auth.Anchor, auth.Backend))

	call("GET /v1/recordings", a.requireViewer(a.listRecordings))
	call("GET /v1/recordings/{id}/play", a.requireViewer(a.getRecordingURLs))

	call("POST /v1/sign", a.requireRoleAndCallRate(a.signURLs, auth.Backend, auth.Admin))
	call("GET /v1/streams/{code}/why", a.requireRoleAndCallRate(a.explainSession, auth.Backend, auth.Admin))
	call("GET /v1/sessions", a.requireRoleAndCallRate(a.listSessions, auth.Backend, auth.Admin))
	call("POST /v1/streams/{code}/kick", a.requireRoleAndCallRate(a.kickStream, auth.Backend, auth.Admin))
	call("GET /v1/bans/{anchor}", a.requireRoleAndCallRate(a.getBan, auth.Backend, auth.Admin))
	call("PUT /v1/bans/{anchor}", a.requireRoleAndCallRate(a.putBan, auth.Backend, auth.Admin))
	call("DELETE /v1/bans/{anchor}", a.requireRoleAndCallRate(a.deleteBan, auth.Backend, auth.Admin))
	call("GET /v1/dead-letters", a.requireRoleAndCallRate(a.listDeadLetters, auth.Backend, auth.Admin))
	call("GET /v1/metrics", a.requireRoleAndCallRate(a.getNodeMetrics, auth.Admin))
}

// MeasureDuration returns a handler that observes how long the calls of a pattern take.
func (a *API) MeasureDuration(pattern string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		startedAt := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next(recorder, r)
		a.durations.WithLabelValues(pattern, strconv.Itoa(recorder.status)).Observe(time.Since(startedAt).Seconds())
	}
}

// statusRecorder records the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the response for http.ResponseController and http.MaxBytesReader.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// NodeHeader is the header that names the node that has answered.
const NodeHeader = "Onair-Node"

// getNodeMetrics answers GET /v1/metrics: the metrics of this node, for operators who cannot
// reach the ops listener.
func (a *API) getNodeMetrics(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	w.Header().Set(NodeHeader, a.Runtime.Current().Node)
	w.Header().Set("Cache-Control", "no-store")
	promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

// checkOrigin returns an error for calls of pages of another origin that cors does not allow.
// Otherwise such a page could make its visitors like and watch streams without a token.
func (a *API) checkOrigin(r *http.Request) error {
	if admission.IsAllowedPage(r, a.Runtime.Current().CORS) {
		return nil
	}
	return &wire.Error{Code: wire.CodeForbidden, Message: "pages of this origin may not make this call: see cors"}
}

// clientAddress returns the address of the client, also behind the configured proxies.
func (a *API) clientAddress(r *http.Request) string {
	return admission.ClientAddress(r, a.Runtime.Current().Proxies).String()
}

// logTime returns the time of the last applied entry, in Unix milliseconds.
func (a *API) logTime() (nowUnixMillis int64) {
	return presencenode.Query(a.Node, (*presence.Registry).LogTime)
}
