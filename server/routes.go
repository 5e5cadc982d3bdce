package main

import (
	"context"
	"net/http"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/auth"
	"onair/web"
)

// routes is the whole public surface.
func (s *server) routes() http.Handler {
	anchors := &endpoint{name: "anchor", limit: s.cfg.Limits.Message, only: auth.Anchor, attend: s.attendAnchor}
	viewers := &endpoint{
		name: "viewer", limit: s.cfg.Limits.ViewerMessage, anonymous: s.cfg.Viewer.Anonymous, attend: s.attendViewer,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/anchor", s.serveSocket(anchors))
	mux.HandleFunc("GET /v1/viewer", s.serveSocket(viewers))
	mux.HandleFunc("GET /v1/streams", s.asViewer(s.listStreams))
	mux.HandleFunc("GET /v1/streams/{code}", s.asViewer(s.oneStream))
	mux.HandleFunc("GET /v1/streams/{code}/play", s.asViewer(s.playStream))
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, refuse(wire.CodeNotFound, "there is nothing at "+r.Method+" of this path"))
	})
	mux.Handle("/", web.Handler())
	return s.recovered(mux)
}

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
			s.metrics.panics.Inc()
			s.log.Error().Interface("panic", p).Str("path", r.URL.Path).Stack().Msg("a handler panicked")
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *server) socketOptions(k *endpoint) socket.Options {
	return socket.Options{ReadLimit: k.limit, OriginPatterns: s.cfg.Origins}
}

// identify reads the token of a request's header. known is false when there
// is none.
func (s *server) identify(r *http.Request) (who auth.Identity, known bool, e *wire.Error) {
	token, known, err := auth.FromHeader(r)
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
	who, err := s.tokens.Verify(ctx, token)
	if err != nil {
		s.metrics.refusedTokens.Inc()
		s.log.Warn().Err(err).Msg("token refused")
		return who, refuse(wire.CodeUnauthorized, err.Error())
	}
	return who, nil
}
