package callbacks

import (
	"encoding/json"
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/server/config"
	"onair/server/hooks"
	"onair/server/response"
)

// provider is one of those whose callbacks are listened to: what of theirs
// differs from the others'.
type provider struct {
	name        string
	maxBody     int64    // in bytes
	events      []string // that a path may end in
	hookConfig  func(*config.Hooks) config.Hook
	parse       func(h *config.Hooks, event string, body []byte) (hooks.Event, error)
	writeAnswer func(w http.ResponseWriter, ev *hooks.Event, e *wire.Error)
	// isSuperseded reports an event that was overtaken by a later one; nil: the events of
	// this provider say themselves what they are about.
	isSuperseded func(ev *hooks.Event, now time.Time) bool
	// unsignedErrorCode answers a push or a player without a signature.
	unsignedErrorCode wire.ErrorCode
	// confirmsEnds: an end is asked after where there is a cloud to ask.
	confirmsEnds bool
}

// Bounds of bodies, in bytes.
const (
	maxMediaServerBody = 16 << 10 // of a media server
	maxCloudBody       = 64 << 10
)

// providers are all there are. Where the body says which event it is, the path
// may say it for people, and nobody looks at it.
func providers() []provider {
	turns := hooks.NewOrderTracker()
	return []provider{
		{
			name: hooks.ProviderTencent, maxBody: maxCloudBody,
			hookConfig: func(h *config.Hooks) config.Hook { return h.Tencent },
			parse: func(h *config.Hooks, _ string, body []byte) (hooks.Event, error) {
				return hooks.ParseTencent(body, h.TencentKey.Reveal(), time.Now())
			},
			writeAnswer: writeCodeAnswer, confirmsEnds: true,
		},
		{
			name: hooks.ProviderSRS, maxBody: maxMediaServerBody,
			events:      []string{"on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr"},
			hookConfig:  func(h *config.Hooks) config.Hook { return h.SRS },
			parse:       func(_ *config.Hooks, _ string, body []byte) (hooks.Event, error) { return hooks.ParseSRS(body) },
			writeAnswer: writeCodeAnswer, unsignedErrorCode: wire.CodeForbidden,
		},
		{
			name: hooks.ProviderNginxRTMP, maxBody: maxMediaServerBody,
			events:      []string{"publish", "publish_done", "play", "play_done", "update", "record_done"},
			hookConfig:  func(h *config.Hooks) config.Hook { return h.NginxRTMP },
			parse:       func(_ *config.Hooks, _ string, body []byte) (hooks.Event, error) { return hooks.ParseNginxRTMP(body) },
			writeAnswer: writeEmptyAnswer, unsignedErrorCode: wire.CodeForbidden,
		},
		{
			name: hooks.ProviderMediaMTX, maxBody: maxMediaServerBody,
			events:     []string{"auth", "available", "unavailable", "record"},
			hookConfig: func(h *config.Hooks) config.Hook { return h.MediaMTX },
			parse: func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) {
				return hooks.ParseMediaMTX(event, body)
			},
			// RTSP clients come without anything at first, and have to be asked.
			writeAnswer: writeEmptyAnswer, unsignedErrorCode: wire.CodeUnauthorized,
		},
		{
			name: hooks.ProviderZLM, maxBody: maxMediaServerBody,
			events:     []string{"on_publish", "on_play", "on_stream_changed", "on_record_mp4", "on_stream_none_reader"},
			hookConfig: func(h *config.Hooks) config.Hook { return h.ZLM },
			parse: func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) {
				return hooks.ParseZLM(event, body)
			},
			writeAnswer: writeZLMAnswer, unsignedErrorCode: wire.CodeForbidden, isSuperseded: turns.Observe,
		},
	}
}

// writeEmptyAnswer answers those who look at the status alone.
func writeEmptyAnswer(w http.ResponseWriter, _ *hooks.Event, e *wire.Error) {
	if e != nil {
		response.WriteProblem(w, e)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// CodeAnswer is what SRS, ZLMediaKit and Tencent read. Code must be a number: 0
// is yes.
type CodeAnswer struct {
	Code  int    `json:"code"`
	Msg   string `json:"msg,omitempty"`
	Close *bool  `json:"close,omitempty"`
}

// writeCodeAnswer answers those who look at the status and at a code.
func writeCodeAnswer(w http.ResponseWriter, _ *hooks.Event, e *wire.Error) {
	if e != nil {
		writeCode(w, response.Statuses[e.Code], CodeAnswer{Code: response.Statuses[e.Code], Msg: e.Message})
		return
	}
	writeCode(w, http.StatusOK, CodeAnswer{})
}

// writeZLMAnswer answers ZLMediaKit, which repeats what is answered with another
// status than 200 and takes a code for a refusal. How a stream is remuxed stays
// as it is configured there; nobody's watching is no reason to close it.
func writeZLMAnswer(w http.ResponseWriter, ev *hooks.Event, e *wire.Error) {
	switch {
	case e != nil && e.Code == wire.CodeForbidden:
		writeCode(w, http.StatusOK, CodeAnswer{Code: http.StatusForbidden, Msg: e.Message})
	case e != nil:
		writeCodeAnswer(w, ev, e)
	case ev.Name == "on_stream_none_reader":
		writeCode(w, http.StatusOK, CodeAnswer{Msg: "success", Close: new(false)})
	default:
		writeCode(w, http.StatusOK, CodeAnswer{Msg: "success"})
	}
}

func writeCode(w http.ResponseWriter, status int, a CodeAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(a)
}
