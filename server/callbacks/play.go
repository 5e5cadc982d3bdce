package callbacks

import (
	"context"

	"onair/server/hooks"
)

// authorizePlay accepts players with a valid play URL of a live stream.
func (c *Callbacks) authorizePlay(ctx context.Context, p *provider, ev *hooks.Event) (result string, err error) {
	if result, err = p.signatureRejection(c.verifySignature(ev)); err != nil {
		return result, err
	}
	if !c.isPlayable(ev.Code) {
		// Another node may have started the session a moment ago.
		if err = c.Broadcasts.Sync(ctx); err != nil {
			return resultUnavailable, err
		}
		if !c.isPlayable(ev.Code) {
			return notLiveResult(ev.Kind, "this stream is not live")
		}
	}
	return resultAccepted, nil
}

// isPlayable reports whether a name is that of a live stream or of its transcoded stream.
func (c *Callbacks) isPlayable(name string) bool {
	if c.Hub.StreamByCode(name) != nil {
		return true
	}
	original := c.Broadcasts.OriginalCodeOrEmpty(name)
	return original != "" && c.Hub.StreamByCode(original) != nil
}
