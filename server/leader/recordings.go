package leader

import (
	"context"
	"time"

	"onair/presence"
)

// maxListFailures is how many queries in a row may fail before a round ends.
const maxListFailures = 5

// importProviderRecordings reads the provider's recordings of recently ended sessions at an interval,
// and adds those that no callback reported. It reads each session's at least twice, because a
// recording is listed some minutes after the end.
func (l *Leader) importProviderRecordings(ctx context.Context) {
	interval := l.Config.Recordings.Every
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		failuresInRow := 0
		for _, e := range l.sessionsEndedWithin(3 * interval) {
			from, to := time.UnixMilli(e.Stream.StartedAt).Add(-time.Minute), time.Now()
			err := l.Providers.Recordings(ctx, e.Stream.Code, from, to, func(rec presence.Recording) {
				if err := l.Broadcasts.AddRecording(ctx, &rec); err != nil {
					l.Log.Warn().Err(err).Str("recording", rec.ID).Msg("recording not stored")
				}
			})
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				failuresInRow = 0
				continue
			}
			l.Log.Warn().Err(err).Str("stream", e.Stream.Code).Msg("listing recordings failed, retrying")
			if failuresInRow++; failuresInRow == maxListFailures {
				break
			}
		}
	}
}

// sessionsEndedWithin returns the sessions that ended within the last d, newest first.
func (l *Leader) sessionsEndedWithin(d time.Duration) (sessions []*presence.Ended) {
	l.Node.Read(func(r *presence.Registry) {
		for _, e := range r.EndedSessionsBackward(0) {
			if e.EndedAt < r.LogTime()-d.Milliseconds() {
				return
			}
			sessions = append(sessions, e)
		}
	})
	return sessions
}

// Rate of deletion.
const (
	deleteInterval  = time.Minute
	deleteBatchSize = 500 // recordings
)

// deleteOldRecordings deletes recordings that are older than recordings.keep, until ctx ends.
func (l *Leader) deleteOldRecordings(ctx context.Context) {
	tick := time.NewTicker(deleteInterval)
	defer tick.Stop()
	for {
		before := time.Now().Add(-l.Config.Recordings.Keep).UnixMilli()
		deleted, err := l.Archive.DeleteRecordings(ctx, before, deleteBatchSize)
		if err != nil && ctx.Err() == nil {
			l.Log.Warn().Err(err).Msg("deleting old recordings failed, retrying")
		}
		if deleted > 0 {
			l.Log.Info().Int("recordings", deleted).Msg("old recordings deleted")
		}
		if deleted == deleteBatchSize {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
