package callbacks

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub"
	"onair/hub/wire"
	presencenode "onair/presence/node"
	"onair/server/admission"
	"onair/server/broadcast"
	"onair/server/cloud"
	"onair/server/hooks"
	"onair/server/livecode"
	"onair/server/recordings"
	"onair/server/response"
	"onair/server/runtimeconfig"
)

// What became of a callback, in metrics.
const (
	resultAccepted     = "accepted"
	resultDenied       = "denied"       // from an address, or under a path, that is not allowed
	resultMalformed    = "malformed"    // not understood
	resultBadSignature = "signature"    // it, or the URL that it is about, is not signed as it must be, or has expired
	resultForeign      = "foreign"      // about a stream that is none of ours; nothing was asked
	resultNotLive      = "not_live"     // no live session has the code: never begun, ended, banned
	resultSuperseded   = "late"         // overtaken by what came after it
	resultContradicted = "contradicted" // an end of a push, of which the cloud says that it goes on
	resultUnavailable  = "unavailable"  // could not be decided
)

// Callbacks judge the callbacks of clouds and media servers.
type Callbacks struct {
	Options
	metrics *metrics
}

// Options are what callbacks are judged with.
type Options struct {
	Node       *presencenode.Node
	Hub        *hub.Hub
	Broadcasts *broadcast.Service
	Recordings *recordings.Service
	Codes      livecode.Template
	Runtime    *runtimeconfig.Store
	// PushState asks the cloud whether something is pushed under a live code; nil:
	// there is no cloud to ask.
	PushState func(ctx context.Context, code string) (cloud.State, error)
	Log       zerolog.Logger
}

// New registers the metrics of callbacks.
func New(o Options, reg prometheus.Registerer) *Callbacks {
	return &Callbacks{o, newMetrics(reg)}
}

// Handlers serve POST /v1/hooks/{provider}[/{secret}][/{event}], by the provider's
// name.
func (s *Callbacks) Handlers() iter.Seq2[string, http.HandlerFunc] {
	return func(yield func(string, http.HandlerFunc) bool) {
		for _, p := range providers() {
			if !yield(p.name, s.handler(&p)) {
				return
			}
		}
	}
}

func (s *Callbacks) handler(p *provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		event, result, err := s.handleRequest(w, r, p)
		s.metrics.callbacks.WithLabelValues(p.name, event.Name, result).Inc()
		e := response.WireError(err)
		if e != nil && (result != resultDenied || p.hookConfig(&s.Runtime.Current().Hooks).Enabled) {
			s.Log.Warn().Str("provider", p.name).Str("event", event.Name).Str("stream", event.Code).
				Str("result", result).Str("why", e.Message).Msg("callback refused")
		}
		if e != nil && e.Code == wire.CodeNotFound {
			response.WriteProblem(w, e)
			return
		}
		p.writeAnswer(w, &event, e)
	}
}

// proxyHeaders are headers of which proxies add one or the other.
var proxyHeaders = []string{"X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"}

// handleRequest reads one callback, if it may come, and handles it. The event that it
// returns is for metrics and the log: it has a code only where that is one.
func (s *Callbacks) handleRequest(w http.ResponseWriter, r *http.Request, p *provider) (ev hooks.Event, result string, err error) {
	cfg := s.Runtime.Current()
	hook := p.hookConfig(&cfg.Hooks)
	peer := admission.ClientAddress(r, cfg.Proxies)
	// A proxy on this machine that is not among ours would make everybody local.
	forwarded := peer == admission.ClientAddress(r, nil) && slices.ContainsFunc(proxyHeaders, func(name string) bool { return len(r.Header.Values(name)) > 0 })
	allowed := len(hook.Allow) == 0 || !forwarded && admission.IsInNetworks(peer, hook.Allow)
	event, known := p.eventName(r, hook.Secret.Reveal())
	if !hook.Enabled || !allowed || !known {
		return ev, resultDenied, &wire.Error{Code: wire.CodeNotFound, Message: "there is nothing here"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.maxBody))
	if err != nil {
		return ev, resultMalformed, &wire.Error{Code: wire.CodeBadRequest, Message: "the body is too long, or did not come whole in time"}
	}
	read, err := p.parse(&cfg.Hooks, event, body)
	switch {
	case errors.Is(err, hooks.ErrSignatureExpired):
		return ev, resultBadSignature, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	case errors.Is(err, hooks.ErrSignatureInvalid):
		return ev, resultBadSignature, &wire.Error{Code: wire.CodeForbidden, Message: err.Error()}
	case err != nil:
		return ev, resultMalformed, &wire.Error{Code: wire.CodeBadRequest, Message: err.Error()}
	}
	result, err = s.handleEvent(r.Context(), p, &read, peer)
	if !livecode.IsValid(read.Code) {
		read.Code = "" // it goes into the log
	}
	return read, result, err
}

// eventName reads the path: the secret, where there is one, and after it at most
// the name of an event.
func (p *provider) eventName(r *http.Request, secret string) (event string, known bool) {
	first, second := r.PathValue("first"), r.PathValue("second")
	if secret != "" {
		if subtle.ConstantTimeCompare([]byte(first), []byte(secret)) == 0 {
			return "", false
		}
		first, second = second, ""
	}
	return first, second == "" && (first == "" || slices.Contains(p.events, first))
}

// maxClockSkew is by how much a provider's clock may be ahead of this machine's, in
// milliseconds. A begin that lay further in the future would make all begins
// before that look old.
const maxClockSkew = 10_000

// clampToNow limits a provider's time to the present.
func clampToNow(at int64) int64 { return min(at, time.Now().UnixMilli()+maxClockSkew) }
