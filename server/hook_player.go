package main

import (
	"context"
	"strings"

	"onair/hub/wire"
	"onair/server/hooks"
)

// admitPlayer lets somebody watch who has a play URL of this server's, of a
// stream that is live.
func (s *server) admitPlayer(ctx context.Context, p *provider, ev *hooks.Event) (result string, e *wire.Error) {
	if result, e = p.refuseSignature(s.now().verify(ev)); e != nil {
		return result, e
	}
	if !s.plays(ev.Code) {
		// It may have been started through another node a moment ago.
		if e = s.sync(ctx); e != nil {
			return callbackFailed, e
		}
		if !s.plays(ev.Code) {
			return s.notLive(ev.Kind, "this stream is not live")
		}
	}
	return callbackAccepted, nil
}

// plays reports whether a name is that of a live stream, or of its transcoding
// by one of the templates.
func (s *server) plays(name string) bool {
	if s.hub.StreamByCode(name) != nil {
		return true
	}
	of := s.transcodedFrom(name)
	return of != "" && s.hub.StreamByCode(of) != nil
}

// transcodedFrom is the live code of which a name is a transcoding by one of the
// templates, or empty.
func (s *server) transcodedFrom(name string) string {
	for _, suffix := range s.now().cfg.Play.Templates {
		if code, ok := strings.CutSuffix(name, "_"+suffix); ok && s.code.ours(code) {
			return code
		}
	}
	return ""
}
