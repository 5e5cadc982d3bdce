package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/rs/cors"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/api"
	"onair/server/auth"
	"onair/web"
)

// routes is the whole public surface.
func (s *server) routes() http.Handler {
	anchors := &endpoint{
		name: kindAnchor, limit: func() int { return s.now().cfg.Limits.Message }, only: auth.Anchor,
		anonymous: func() bool { return false }, attend: s.attendAnchor,
	}
	viewers := &endpoint{
		name: kindViewer, limit: func() int { return s.now().cfg.Limits.ViewerMessage },
		anonymous: func() bool { return s.now().cfg.Viewer.Anonymous }, attend: s.attendViewer,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/anchor", s.serveSocket(anchors))
	mux.HandleFunc("GET /v1/viewer", s.serveSocket(viewers))
	mux.HandleFunc("GET /v1/streams/events", s.asViewer(s.streamEvents))

	call := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, s.timed(pattern, h)) }
	call("GET /v1/streams", s.asViewer(s.listStreams))
	call("GET /v1/streams/{code}", s.asViewer(s.oneStream))
	call("GET /v1/streams/{code}/play", s.asViewer(s.playStream))
	call("POST /v1/streams/{code}/likes", s.asViewer(s.likeStream))

	call("POST /v1/streams", s.by(s.startStream, auth.Anchor, auth.Backend))
	call("POST /v1/streams/{code}/beat", s.by(s.beatStream, auth.Anchor, auth.Backend))
	call("PATCH /v1/streams/{code}", s.by(s.updateStream, auth.Anchor, auth.Backend))
	call("DELETE /v1/streams/{code}", s.by(s.stopStream, auth.Anchor, auth.Backend))

	call("GET /v1/recordings", s.asViewer(s.listRecordings))
	call("GET /v1/recordings/{id}/play", s.asViewer(s.playRecording))

	call("POST /v1/sign", s.by(s.signCode, auth.Backend, auth.Admin))
	call("GET /v1/streams/{code}/why", s.by(s.whyStream, auth.Backend, auth.Admin))
	call("GET /v1/sessions", s.by(s.listSessions, auth.Backend, auth.Admin))
	call("POST /v1/streams/{code}/kick", s.by(s.kickStream, auth.Backend, auth.Admin))
	call("GET /v1/bans/{anchor}", s.by(s.getBan, auth.Backend, auth.Admin))
	call("PUT /v1/bans/{anchor}", s.by(s.putBan, auth.Backend, auth.Admin))
	call("DELETE /v1/bans/{anchor}", s.by(s.deleteBan, auth.Backend, auth.Admin))
	call("GET /v1/dead-letters", s.by(s.listDeadLetters, auth.Backend, auth.Admin))
	call("GET /v1/metrics", s.by(s.nodeMetrics, auth.Admin))

	for _, p := range providers() {
		for _, path := range []string{"", "/{first}", "/{first}/{second}"} {
			call("POST /v1/hooks/"+p.name+path, s.hook(p))
		}
	}
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, refuse(wire.CodeNotFound, "there is nothing at "+r.Method+" of this path"))
	})
	documents := api.Handler()
	for _, path := range []string{"/openapi.json", "/asyncapi.json", "/docs", "/docs/sockets"} {
		mux.Handle("GET "+path, documents)
	}
	mux.Handle("/", web.Handler())
	return s.recovered(s.cors(mux))
}

// cors answers what browsers ask before pages of other origins may call.
func (s *server) cors(next http.Handler) http.Handler {
	return cors.New(cors.Options{
		AllowOriginFunc: func(origin string) bool { return originAllowed(origin, s.now().cfg.CORS) },
		AllowedMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders:  []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"},
		ExposedHeaders:  []string{"ETag", "Location", "Retry-After"},
		MaxAge:          600,
	}).Handler(next)
}

// timed measures a call.
func (s *server) timed(pattern string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next(seen, r)
		s.metrics.requests.WithLabelValues(pattern, strconv.Itoa(seen.status)).Observe(time.Since(began).Seconds())
	}
}

// statusWriter notes the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController and for limits on bodies.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recovered keeps a panic in one handler from ending the process.
func (s *server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.panicked(p, r.Pattern)
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

// panicked notes a panic. It is called by who recovers from it.
func (s *server) panicked(p any, call string) {
	s.metrics.panics.Inc()
	s.log.Error().Str("panic", fmt.Sprint(p)).Str("call", call).Bytes("stack", debug.Stack()).Msg("a handler panicked")
}

func (s *server) socketOptions(k *endpoint) socket.Options {
	return socket.Options{ReadLimit: k.limit(), Poller: s.poller, OriginPatterns: s.now().cfg.Origins}
}

// identify reads the token of a request's header. known is false when there
// is none.
func (s *server) identify(r *http.Request) (who auth.Identity, known bool, e *wire.Error) {
	token, known, err := auth.BearerToken(r)
	if err != nil {
		return who, known, refuse(wire.CodeUnauthorized, err.Error())
	}
	if !known {
		return who, false, nil
	}
	who, e = s.verify(r.Context(), token)
	return who, true, e
}

// verify checks a token. What is said of a refused one never holds any of it.
func (s *server) verify(ctx context.Context, token string) (auth.Identity, *wire.Error) {
	who, err := s.now().tokens.Verify(ctx, token)
	if err != nil {
		s.metrics.refusedTokens.Inc()
		s.log.Warn().Err(err).Msg("token refused")
		return who, refuse(wire.CodeUnauthorized, err.Error())
	}
	return who, nil
}
