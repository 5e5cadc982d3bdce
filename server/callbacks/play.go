package callbacks

import (
	"context"

	"onair/server/hooks"
)

// authorizePlay lets somebody watch who has a play URL of this server's, of a
// stream that is live.
func (s *Callbacks) authorizePlay(ctx context.Context, p *provider, ev *hooks.Event) (result string, err error) {
	if result, err = p.signatureResult(s.verifySignature(ev)); err != nil {
		return result, err
	}
	if !s.isPlayable(ev.Code) {
		// It may have been started through another node a moment ago.
		if err = s.Broadcasts.Sync(ctx); err != nil {
			return resultUnavailable, err
		}
		if !s.isPlayable(ev.Code) {
			return notLiveResult(ev.Kind, "this stream is not live")
		}
	}
	return resultAccepted, nil
}

// isPlayable reports whether a name is that of a live stream, or of its transcoding
// by one of the templates.
func (s *Callbacks) isPlayable(name string) bool {
	if s.Hub.StreamByCode(name) != nil {
		return true
	}
	of := s.Broadcasts.OriginalCode(name)
	return of != "" && s.Hub.StreamByCode(of) != nil
}
