package main

import (
	"context"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/hooks"
)

// keepRecording keeps what was recorded of a stream, live or not. It is
// answered once it is durable: what is not accepted, the provider tells again,
// if it does that at all.
func (s *server) keepRecording(ctx context.Context, p *provider, ev *hooks.Event) (result string, e *wire.Error) {
	if result, e = s.verifyPush(p, ev); e != nil {
		return result, e
	}
	dateRecording(&ev.Recording, time.Now().UnixMilli())
	if e = s.record(ctx, &ev.Recording); e != nil {
		return callbackFailed, e
	}
	return callbackAccepted, nil
}

// dateRecording completes the times of a file that was told of just now. The
// start stays 0 where there is nothing to know it from: it is that of the
// session then.
func dateRecording(rec *presence.Recording, now int64) {
	if rec.EndedAt == 0 && rec.StartedAt != 0 && rec.Duration != 0 {
		rec.EndedAt = rec.StartedAt + rec.Duration
	}
	if rec.EndedAt == 0 || rec.EndedAt > now {
		rec.EndedAt = now
	}
	switch {
	case 0 < rec.Duration && rec.Duration < rec.EndedAt:
		rec.StartedAt = rec.EndedAt - rec.Duration
	case 0 < rec.StartedAt && rec.StartedAt < rec.EndedAt:
		rec.Duration = rec.EndedAt - rec.StartedAt
	default:
		rec.StartedAt, rec.Duration = 0, 0
	}
}
