package main

import (
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/server/config"
	"onair/server/hooks"
)

// provider is a cloud or a media server that calls back: how its callbacks are
// read, and in which words it wants to be answered.
type provider struct {
	name   string // in paths, metrics and evidence
	config func(*config.Hooks) config.Hook
	events []string // that a path may name
	long   int64    // bounds the body, in bytes
	// cloud: it tells what it has decided already. A refusal only makes it say so
	// again.
	cloud  bool
	read   func(h *config.Hooks, event string, body []byte) (hooks.Event, error)
	agree  func(http.ResponseWriter)
	refuse func(http.ResponseWriter, *wire.Error)
}

// longCallback bounds the body of a media server's callback, in bytes.
const longCallback = 16 << 10

// nginxRTMP lets a push begin or go on, or somebody watch, with 204; anything else
// refuses or cuts it. The body says which event it is; the path may say it for
// those who read it.
var nginxRTMP = &provider{
	name: "nginx-rtmp", config: func(h *config.Hooks) config.Hook { return h.NginxRTMP }, long: longCallback,
	events: []string{"publish", "publish_done", "play", "play_done", "update", "record_done"},
	read:   func(_ *config.Hooks, _ string, body []byte) (hooks.Event, error) { return hooks.NginxRTMP(body) },
	agree:  func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
	refuse: writeProblem,
}

// providers are all there are.
var providers = []*provider{
	nginxRTMP,
	{
		name: "tencent", config: func(h *config.Hooks) config.Hook { return h.Tencent }, long: 64 << 10, cloud: true,
		read: func(h *config.Hooks, _ string, body []byte) (hooks.Event, error) {
			return hooks.Tencent(body, h.TencentKey.Reveal(), time.Now())
		},
		agree:  func(w http.ResponseWriter) { writeJSON(w, []byte(`{"code":0}`)) },
		refuse: writeProblem,
	},
	{
		name: "srs", config: func(h *config.Hooks) config.Hook { return h.SRS }, long: longCallback,
		events: []string{"on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr"},
		read:   func(_ *config.Hooks, _ string, body []byte) (hooks.Event, error) { return hooks.SRS(body) },
		agree:  func(w http.ResponseWriter) { writeJSON(w, []byte(`{"code":0}`)) },
		refuse: func(w http.ResponseWriter, e *wire.Error) { // it wants an integer
			writeBody(w, statuses[e.Code], []byte(`{"code":1,"msg":`+string(wire.AppendString(nil, e.Message))+`}`))
		},
	},
	{
		name: "mediamtx", config: func(h *config.Hooks) config.Hook { return h.MediaMTX }, long: longCallback,
		events: []string{"available", "unavailable", "record"},
		read: func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) {
			return hooks.MediaMTX(event, body)
		},
		agree:  func(w http.ResponseWriter) { writeJSON(w, []byte(`{}`)) },
		refuse: writeProblem,
	},
	{
		name: "zlm", config: func(h *config.Hooks) config.Hook { return h.ZLM }, long: longCallback,
		events: []string{"on_publish", "on_play", "on_stream_changed", "on_record_mp4", "on_stream_none_reader"},
		read:   func(_ *config.Hooks, event string, body []byte) (hooks.Event, error) { return hooks.ZLM(event, body) },
		// Whether a stream that nobody watches goes on is its anchor's business.
		agree: func(w http.ResponseWriter) { writeJSON(w, []byte(`{"code":0,"msg":"success","close":false}`)) },
		refuse: func(w http.ResponseWriter, e *wire.Error) {
			writeJSON(w, []byte(`{"code":-1,"msg":`+string(wire.AppendString(nil, e.Message))+`}`))
		},
	},
}
