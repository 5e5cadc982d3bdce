package callbacks

import (
	"context"
	"time"

	"onair/presence"
	"onair/server/hooks"
)

// addRecording stores what was recorded of a stream, live or not. It is
// answered once it is durable: what is not accepted, the provider tells again,
// if it does that at all.
func (s *Callbacks) addRecording(ctx context.Context, p *provider, ev *hooks.Event) (result string, err error) {
	if result, err = s.verifyPush(p, ev); err != nil {
		return result, err
	}
	completeRecordingTimes(&ev.Recording, time.Now().UnixMilli())
	if err = s.Recordings.Add(ctx, &ev.Recording); err != nil {
		return resultUnavailable, err
	}
	return resultAccepted, nil
}

// completeRecordingTimes completes the times of a file that was told of just now. The
// start stays 0 where there is nothing to know it from: it is that of the
// session then.
func completeRecordingTimes(rec *presence.Recording, now int64) {
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
