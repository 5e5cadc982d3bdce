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

// provider has the differences between the callbacks of one provider and those of others.
type provider struct {
	name        string
	maxBody     int64    // in bytes
	events      []string // names that a path may end in
	hookConfig  func(*config.Hooks) config.Hook
	parse       func(h *config.Hooks, event string, body []byte) (hooks.Event, error)
	writeAnswer func(w http.ResponseWriter, ev *hooks.Event, e *wire.Error)
	// isSuperseded reports that a later event of the stream arrived at this node before
	// this one. It runs before the URL is verified. nil: the events of this provider
	// identify their push.
	isSuperseded func(ev *hooks.Event, now time.Time) bool
	// unsignedErrorCode is the code for a push or play URL without a signature.
	unsignedErrorCode wire.ErrorCode
	sendsGET          bool // it may be configured to send its body as the query of a GET
	// confirmsEnds: the end of a push is confirmed with the cloud, if there is one.
	confirmsEnds bool
}

// Maximum sizes of bodies, in bytes.
const (
	maxMediaServerBody = 16 << 10
	maxCloudBody       = 64 << 10
)

// providers are all providers. Where the body names the event, the path may name it too and
// is not compared.
func providers() []provider {
	order := hooks.NewOrderTracker()
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
			writeAnswer: writeEmptyAnswer, unsignedErrorCode: wire.CodeForbidden, sendsGET: true,
		},
		{
			name: hooks.ProviderMediaMTX, maxBody: maxMediaServerBody,
			events:     []string{"auth", "available", "unavailable", "record"},
			hookConfig: func(h *config.Hooks) config.Hook { return h.MediaMTX },
			parse: func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) {
				return hooks.ParseMediaMTX(event, body)
			},
			// RTSP clients send their credentials only after a response 401.
			writeAnswer: writeEmptyAnswer, unsignedErrorCode: wire.CodeUnauthorized,
		},
		{
			name: hooks.ProviderZLM, maxBody: maxMediaServerBody,
			events:     []string{"on_publish", "on_play", "on_stream_changed", "on_record_mp4", "on_stream_none_reader"},
			hookConfig: func(h *config.Hooks) config.Hook { return h.ZLM },
			parse: func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) {
				return hooks.ParseZLM(event, body)
			},
			writeAnswer: writeZLMAnswer, unsignedErrorCode: wire.CodeForbidden, isSuperseded: order.RecordUnlessLate,
		},
	}
}

// writeEmptyAnswer writes an answer to providers that read the status alone.
func writeEmptyAnswer(w http.ResponseWriter, _ *hooks.Event, e *wire.Error) {
	if e != nil {
		response.WriteProblem(w, e)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// CodeAnswer is the body of an answer to SRS, ZLMediaKit and Tencent. A Code of 0 accepts.
type CodeAnswer struct {
	Code  int    `json:"code"`
	Msg   string `json:"msg,omitempty"`
	Close *bool  `json:"close,omitempty"`
}

// writeCodeAnswer writes an answer to providers that read the status and a code.
func writeCodeAnswer(w http.ResponseWriter, _ *hooks.Event, e *wire.Error) {
	if e != nil {
		writeCode(w, response.Statuses[e.Code], CodeAnswer{Code: response.Statuses[e.Code], Msg: e.Message})
		return
	}
	writeCode(w, http.StatusOK, CodeAnswer{})
}

// writeZLMAnswer writes an answer to ZLMediaKit, which repeats a callback after a status
// other than 200, and reads a code other than 0 as a refusal. The answer changes no option
// of the stream, and keeps a stream without readers open.
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

func writeCode(w http.ResponseWriter, status int, answer CodeAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}
