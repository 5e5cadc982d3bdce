package callbacks

import (
	"context"
	"time"

	"onair/presence"
	"onair/server/hooks"
)

// addRecording adds a recording of a stream, live or not. It returns once the recording is
// durable, because the provider does not repeat an accepted callback.
func (c *Callbacks) addRecording(ctx context.Context, p *provider, ev *hooks.Event) (result string, err error) {
	if result, err = c.verifyPushSignature(p, ev); err != nil {
		return result, err
	}
	completeRecordingTimes(&ev.Recording, time.Now().UnixMilli())
	if err = c.Broadcasts.AddRecording(ctx, &ev.Recording); err != nil {
		return resultUnavailable, err
	}
	return resultAccepted, nil
}

// completeRecordingTimes computes the missing times of a file that was reported at a time. The
// start stays 0 when nothing determines it; the start of the session counts then.
func completeRecordingTimes(rec *presence.Recording, nowMillis int64) {
	if rec.EndedAt == 0 && rec.StartedAt != 0 && rec.Duration != 0 {
		rec.EndedAt = rec.StartedAt + rec.Duration
	}
	if rec.EndedAt == 0 || rec.EndedAt > nowMillis {
		rec.EndedAt = nowMillis
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
