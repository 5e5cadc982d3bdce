package callbacks

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub"
	"onair/hub/wire"
	presencenode "onair/presence/node"
	"onair/server/admission"
	"onair/server/broadcast"
	"onair/server/hooks"
	"onair/server/livecode"
	"onair/server/response"
	"onair/server/runtimeconfig"
)

// Results of callbacks, as metrics name them.
const (
	resultAccepted     = "accepted"
	resultDenied       = "denied"       // the address, the path or the application is not allowed
	resultMalformed    = "malformed"    // not understood
	resultBadSignature = "signature"    // of the callback or of its URL: missing, wrong or expired
	resultForeign      = "foreign"      // a report about a stream of another deployment
	resultNotLive      = "not_live"     // no live session has the code
	resultSuperseded   = "superseded"   // a later callback arrived first
	resultContradicted = "contradicted" // the cloud denies the end of a push
	resultUnavailable  = "unavailable"  // could not be decided
)

// Callbacks decide about the callbacks of clouds and media servers.
type Callbacks struct {
	Options
	metrics *metrics
}

// Options are the parts of a node that callbacks need.
type Options struct {
	Node       *presencenode.Node
	Hub        *hub.Hub
	Broadcasts *broadcast.Service
	Codes      livecode.Template
	Runtime    *runtimeconfig.Store
	// IsOnline queries the cloud whether there is a push to a live code; nil: there is no
	// cloud.
	IsOnline func(ctx context.Context, code string) (isOnline bool, err error)
	Log      zerolog.Logger
}

// New returns callbacks and registers their metrics.
func New(o Options, reg prometheus.Registerer) *Callbacks {
	return &Callbacks{o, newMetrics(reg)}
}

// Handlers are the handlers of POST /v1/hooks/{provider}[/{secret}][/{event}], and of GET for
// nginx-rtmp, by pattern of [http.ServeMux].
func (c *Callbacks) Handlers() map[string]http.HandlerFunc {
	handlers := map[string]http.HandlerFunc{}
	for _, p := range providers() {
		handle := c.handler(&p)
		for _, path := range []string{"", "/{first}", "/{first}/{second}"} {
			handlers["POST /v1/hooks/"+p.name+path] = handle
			if p.sendsGET {
				handlers["GET /v1/hooks/"+p.name+path] = handle
			}
		}
	}
	return handlers
}

func (c *Callbacks) handler(p *provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		event, result, err := c.handleRequest(w, r, p)
		c.metrics.callbacks.WithLabelValues(p.name, event.Name, result).Inc()
		e := response.WireErrorOrUnavailable(err)
		if e != nil && (result != resultDenied || p.hookConfig(&c.Runtime.Current().Hooks).Enabled) {
			c.Log.Warn().Str("provider", p.name).Str("event", event.Name).Str("stream", event.Code).
				Str("result", result).Str("reason", e.Message).Msg("callback refused")
		}
		if e != nil && e.Code == wire.CodeNotFound {
			response.WriteProblem(w, e)
			return
		}
		p.writeAnswer(w, &event, e)
	}
}

// handleRequest authorizes, parses and handles a callback. The returned event is for the
// metrics and the log: its code is empty unless it is valid.
func (c *Callbacks) handleRequest(w http.ResponseWriter, r *http.Request, p *provider) (event hooks.Event, result string, err error) {
	cfg := c.Runtime.Current()
	client := admission.ClientAddress(r, cfg.Proxies)
	name, isAllowed := p.authorize(r, cfg, client)
	if !isAllowed {
		return event, resultDenied, &wire.Error{Code: wire.CodeNotFound, Message: "nothing is here"}
	}
	body, err := readBodyOrQuery(w, r, p.maxBody)
	if err != nil {
		return event, resultMalformed, &wire.Error{Code: wire.CodeBadRequest, Message: "the body is too long or incomplete"}
	}
	parsed, err := p.parse(&cfg.Hooks, name, body)
	switch {
	case errors.Is(err, hooks.ErrSignatureExpired):
		return event, resultBadSignature, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	case errors.Is(err, hooks.ErrSignatureInvalid):
		return event, resultBadSignature, &wire.Error{Code: wire.CodeForbidden, Message: err.Error()}
	case err != nil:
		return event, resultMalformed, &wire.Error{Code: wire.CodeBadRequest, Message: err.Error()}
	}
	result, err = c.handleEvent(r.Context(), p, &parsed, client)
	if !livecode.IsValid(parsed.Code) {
		parsed.Code = ""
	}
	return parsed, result, err
}

// readBodyOrQuery reads the body of a POST, of maxBytes at most, or what a GET has instead: its query.
func readBodyOrQuery(w http.ResponseWriter, r *http.Request, maxBytes int64) ([]byte, error) {
	if r.Method == http.MethodGet {
		return []byte(r.URL.RawQuery), nil
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
}

// proxyHeaders are headers that proxies add: each proxy adds one of them.
var proxyHeaders = []string{"X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"}

// authorize reports whether a request may be a callback of this provider, by its path and
// the address of its client. eventName is the event that the path names, "" for none.
func (p *provider) authorize(r *http.Request, cfg *runtimeconfig.Config, client netip.Addr) (eventName string, isAllowed bool) {
	hook := p.hookConfig(&cfg.Hooks)
	eventName, isAllowed = p.eventName(r, hook.Secret.Reveal())
	if !isAllowed || !hook.Enabled || len(hook.Allow) == 0 {
		return eventName, isAllowed && hook.Enabled
	}
	// Behind an untrusted proxy on this host, all clients would have a local address.
	isProxied := client == admission.ClientAddress(r, nil) &&
		slices.ContainsFunc(proxyHeaders, func(name string) bool { return len(r.Header.Values(name)) > 0 })
	return eventName, !isProxied && admission.IsInNetworks(client, hook.Allow)
}

// eventName is the event that the path names, "" for none. isKnown is false when the path
// lacks the secret or names no event of this provider.
func (p *provider) eventName(r *http.Request, secret string) (name string, isKnown bool) {
	first, second := r.PathValue("first"), r.PathValue("second")
	if secret != "" {
		if subtle.ConstantTimeCompare([]byte(first), []byte(secret)) == 0 {
			return "", false
		}
		first, second = second, ""
	}
	return first, second == "" && (first == "" || slices.Contains(p.events, first))
}

// maxClockSkew bounds how far the clock of a provider may be ahead, in milliseconds. A push
// that starts in the future would make all pushes until then look old.
const maxClockSkew = 10_000

// limitToNow limits a time of a provider, in Unix milliseconds, to the present.
func limitToNow(atMillis int64) int64 { return min(atMillis, time.Now().UnixMilli()+maxClockSkew) }
