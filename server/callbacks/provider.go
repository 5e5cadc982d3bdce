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
	name    string
	maxBody int64    // in bytes
	events  []string // that a path may end in
	config  func(*config.Hooks) config.Hook
	read    func(h *config.Hooks, event string, body []byte) (hooks.Event, error)
	answer  func(w http.ResponseWriter, ev *hooks.Event, e *wire.Error)
	// isLate reports an event that was overtaken by a later one; nil: the events of
	// this provider say themselves what they are about.
	isLate func(ev *hooks.Event, now time.Time) bool
	// unsignedCode answers a push or a player without a signature.
	unsignedCode wire.ErrorCode
	// canConfirm: an end is asked after where there is a cloud to ask.
	canConfirm bool
}

// Bounds of bodies, in bytes.
const (
	maxMediaBody = 16 << 10 // of a media server
	maxCloudBody = 64 << 10
)

// providers are all there are. Where the body says which event it is, the path
// may say it for people, and nobody looks at it.
func providers() []provider {
	turns := hooks.NewOrderTracker()
	return []provider{
		{
			name: hooks.ProviderTencent, maxBody: maxCloudBody,
			config: func(h *config.Hooks) config.Hook { return h.Tencent },
			read: func(h *config.Hooks, _ string, body []byte) (hooks.Event, error) {
				return hooks.ParseTencent(body, h.TencentKey.Reveal(), time.Now())
			},
			answer: answerCode, canConfirm: true,
		},
		{
			name: hooks.ProviderSRS, maxBody: maxMediaBody,
			events: []string{"on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr"},
			config: func(h *config.Hooks) config.Hook { return h.SRS },
			read:   func(_ *config.Hooks, _ string, body []byte) (hooks.Event, error) { return hooks.ParseSRS(body) },
			answer: answerCode, unsignedCode: wire.CodeForbidden,
		},
		{
			name: hooks.ProviderNginxRTMP, maxBody: maxMediaBody,
			events: []string{"publish", "publish_done", "play", "play_done", "update", "record_done"},
			config: func(h *config.Hooks) config.Hook { return h.NginxRTMP },
			read:   func(_ *config.Hooks, _ string, body []byte) (hooks.Event, error) { return hooks.ParseNginxRTMP(body) },
			answer: answerEmpty, unsignedCode: wire.CodeForbidden,
		},
		{
			name: hooks.ProviderMediaMTX, maxBody: maxMediaBody,
			events: []string{"auth", "available", "unavailable", "record"},
			config: func(h *config.Hooks) config.Hook { return h.MediaMTX },
			read: func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) {
				return hooks.ParseMediaMTX(event, body)
			},
			// RTSP clients come without anything at first, and have to be asked.
			answer: answerEmpty, unsignedCode: wire.CodeUnauthorized,
		},
		{
			name: hooks.ProviderZLM, maxBody: maxMediaBody,
			events: []string{"on_publish", "on_play", "on_stream_changed", "on_record_mp4", "on_stream_none_reader"},
			config: func(h *config.Hooks) config.Hook { return h.ZLM },
			read: func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) {
				return hooks.ParseZLM(event, body)
			},
			answer: answerZLM, unsignedCode: wire.CodeForbidden, isLate: turns.Observe,
		},
	}
}

// answerEmpty answers those who look at the status alone.
func answerEmpty(w http.ResponseWriter, _ *hooks.Event, e *wire.Error) {
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

// answerCode answers those who look at the status and at a code.
func answerCode(w http.ResponseWriter, _ *hooks.Event, e *wire.Error) {
	if e != nil {
		writeCode(w, response.Statuses[e.Code], CodeAnswer{Code: response.Statuses[e.Code], Msg: e.Message})
		return
	}
	writeCode(w, http.StatusOK, CodeAnswer{})
}

// answerZLM answers ZLMediaKit, which repeats what is answered with another
// status than 200 and takes a code for a refusal. How a stream is remuxed stays
// as it is configured there; nobody's watching is no reason to close it.
func answerZLM(w http.ResponseWriter, ev *hooks.Event, e *wire.Error) {
	switch {
	case e != nil && e.Code == wire.CodeForbidden:
		writeCode(w, http.StatusOK, CodeAnswer{Code: http.StatusForbidden, Msg: e.Message})
	case e != nil:
		answerCode(w, ev, e)
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
