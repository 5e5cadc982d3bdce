package leader

import (
	"context"
	"time"

	"onair/presence"
)

// maxListFailures is after how many failures in a row no more is asked for.
const maxListFailures = 5

// importRecordings asks the provider, once in a while, for the recordings of the
// sessions that have ended lately, and keeps those of which no callback has told.
// Each is asked for at least twice: a recording is there some minutes after the end.
func (l *Leader) importRecordings(ctx context.Context) {
	every := l.Config.Recordings.Every
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		failed := 0 // in a row
		for _, e := range l.sessionsEndedWithin(3 * every) {
			from, to := time.UnixMilli(e.Stream.StartedAt).Add(-time.Minute), time.Now()
			err := l.Providers.Recordings(ctx, e.Stream.Code, from, to, func(rec presence.Recording) {
				if err := l.Recordings.Add(ctx, &rec); err != nil {
					l.Log.Warn().Err(err).Str("recording", rec.ID).Msg("a recording could not be kept")
				}
			})
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				failed = 0
				continue
			}
			l.Log.Warn().Err(err).Str("stream", e.Stream.Code).Msg("the provider's recordings could not be listed, trying again")
			if failed++; failed == maxListFailures {
				break
			}
		}
	}
}

// sessionsEndedWithin are the sessions that ended in so much time, the last first.
func (l *Leader) sessionsEndedWithin(d time.Duration) (all []*presence.Ended) {
	l.Node.Read(func(r *presence.Registry) {
		for _, e := range r.EndedSessions(0) {
			if e.EndedAt < r.LogTime()-d.Milliseconds() {
				return
			}
			all = append(all, e)
		}
	})
	return all
}

// Pace of what is discarded.
const (
	deleteInterval  = time.Minute
	deleteBatchSize = 500 // at once
)

// deleteOldRecordings removes the recordings that are older than configured, until
// ctx ends.
func (l *Leader) deleteOldRecordings(ctx context.Context) {
	if l.Config.Recordings.Keep == 0 {
		return
	}
	tick := time.NewTicker(deleteInterval)
	defer tick.Stop()
	for {
		before := time.Now().Add(-l.Config.Recordings.Keep).UnixMilli()
		n, err := l.Archive.DeleteRecordings(ctx, before, deleteBatchSize)
		if err != nil && ctx.Err() == nil {
			l.Log.Warn().Err(err).Msg("old recordings could not be removed, trying again")
		}
		if n > 0 {
			l.Log.Info().Int("recordings", n).Msg("old recordings were removed")
		}
		if n == deleteBatchSize {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
