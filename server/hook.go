package main

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"onair/hub/wire"
	"onair/server/hooks"
)

// What became of a callback, in metrics.
const (
	callbackAccepted     = "accepted"
	callbackDenied       = "denied"       // from an address, or under a path, that is not allowed
	callbackMalformed    = "malformed"    // not understood
	callbackSignature    = "signature"    // it, or the URL that it is about, is not signed as it must be, or has expired
	callbackForeign      = "foreign"      // about a stream that is none of ours; nothing was asked
	callbackNotLive      = "not_live"     // no live session has the code: never begun, ended, banned
	callbackLate         = "late"         // overtaken by what came after it
	callbackContradicted = "contradicted" // an end of a push, of which the cloud says that it goes on
	callbackFailed       = "unavailable"  // could not be decided
)

// hook answers POST /v1/hooks/{provider}[/{secret}][/{event}].
func (s *server) hook(p provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		event, result, e := s.callback(w, r, &p)
		s.metrics.callbacks.WithLabelValues(p.name, event.Name, result).Inc()
		if e != nil && (result != callbackDenied || p.set(&s.now().cfg.Hooks).Enabled) {
			s.log.Warn().Str("provider", p.name).Str("event", event.Name).Str("stream", event.Code).
				Str("result", result).Str("why", e.Message).Msg("callback refused")
		}
		if e != nil && e.Code == wire.CodeNotFound {
			writeProblem(w, e)
			return
		}
		p.answer(w, &event, e)
	}
}

// forwardedBy are headers of which proxies add one or the other.
var forwardedBy = []string{"X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"}

// callback reads one callback, if it may come, and takes it in. The event that
// it returns is for metrics and the log: it has a code only where that is one.
func (s *server) callback(w http.ResponseWriter, r *http.Request, p *provider) (ev hooks.Event, result string, e *wire.Error) {
	cfg := s.now().cfg
	hook := p.set(&cfg.Hooks)
	peer := clientAddress(r, cfg.Proxies)
	// A proxy on this machine that is not among ours would make everybody local.
	forwarded := peer == clientAddress(r, nil) && slices.ContainsFunc(forwardedBy, func(name string) bool { return len(r.Header.Values(name)) > 0 })
	allowed := len(hook.Allow) == 0 || !forwarded && inNetworks(peer, hook.Allow)
	event, known := p.eventOf(r, hook.Secret.Reveal())
	if !hook.Enabled || !allowed || !known {
		return ev, callbackDenied, refuse(wire.CodeNotFound, "there is nothing here")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.longest))
	if err != nil {
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, "the body is too long, or did not come whole in time")
	}
	read, err := p.read(&cfg.Hooks, event, body)
	switch {
	case errors.Is(err, hooks.ErrSignatureExpired):
		return ev, callbackSignature, refuse(wire.CodeUnauthorized, err.Error())
	case errors.Is(err, hooks.ErrSignatureInvalid):
		return ev, callbackSignature, refuse(wire.CodeForbidden, err.Error())
	case err != nil:
		return ev, callbackMalformed, refuse(wire.CodeBadRequest, err.Error())
	}
	result, e = s.take(r.Context(), p, &read, peer)
	if !isCode(read.Code) {
		read.Code = "" // it goes into the log
	}
	return read, result, e
}

// eventOf reads the path: the secret, where there is one, and after it at most
// the name of an event.
func (p *provider) eventOf(r *http.Request, secret string) (event string, known bool) {
	first, second := r.PathValue("first"), r.PathValue("second")
	if secret != "" {
		if subtle.ConstantTimeCompare([]byte(first), []byte(secret)) == 0 {
			return "", false
		}
		first, second = second, ""
	}
	return first, second == "" && (first == "" || slices.Contains(p.events, first))
}

// aheadOf is by how much a provider's clock may be ahead of this machine's, in
// milliseconds. A begin that lay further in the future would make all begins
// before that look old.
const aheadOf = 10_000

// notAfterNow keeps a provider's time out of the future.
func notAfterNow(at int64) int64 { return min(at, time.Now().UnixMilli()+aheadOf) }
