package node

import (
	"net/http"

	"github.com/rs/cors"

	"onair/hub/wire"
	"onair/server/admission"
	"onair/server/api"
	"onair/server/response"
	"onair/web"
)

// PublicHandler serves all public routes of a node that has joined the log.
func (n *Node) PublicHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/anchor", n.Sockets.AnchorHandler())
	mux.HandleFunc("GET /v1/viewer", n.Sockets.ViewerHandler())
	n.API.Register(mux)
	for pattern, handler := range n.Callbacks.Handlers() {
		mux.Handle(pattern, n.API.MeasureDuration(pattern, handler))
	}
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeNotFound, Message: "no route for " + r.Method + " of this path"})
	})
	documents := api.Handler()
	for _, path := range []string{"/openapi.json", "/asyncapi.json", "/docs", "/docs/sockets"} {
		mux.Handle("GET "+path, documents)
	}
	mux.Handle("/", web.Handler())
	return n.Recovery.AbortOnPanic(n.allowOrigins(mux))
}

// unavailableHandler answers 503 while the node cannot serve the list yet.
func (n *Node) unavailableHandler() http.Handler {
	return n.Recovery.AbortOnPanic(n.allowOrigins(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeUnavailable, Message: startingReason, RetryAfterMS: 1000})
	})))
}

// allowOrigins adds the CORS headers that pages of other origins need.
func (n *Node) allowOrigins(next http.Handler) http.Handler {
	return cors.New(cors.Options{
		AllowOriginFunc: func(origin string) bool { return admission.IsAllowedOrigin(origin, n.Runtime.Current().CORS) },
		AllowedMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders:  []string{"*"}, // tools for tracing add theirs to each request of a page
		ExposedHeaders:  []string{"ETag", "Location", "Retry-After"},
		MaxAge:          600,
	}).Handler(next)
}
