package callbacks

import (
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
	"onair/server/config"
)

func TestCompleteRecordingTimes(t *testing.T) {
	const now = 1_000_000
	for _, c := range []struct{ from, until, duration, wantFrom, wantUntil, wantDuration int64 }{
		{0, 0, 0, 0, now, 0},
		{990_000, 0, 0, 990_000, now, 10_000},
		{0, 0, 10_000, 990_000, now, 10_000},
		{900_000, 0, 50_000, 900_000, 950_000, 50_000},
		{0, 950_000, 50_000, 900_000, 950_000, 50_000},
		{1, 950_000, 50_000, 900_000, 950_000, 50_000},
		{900_000, 950_000, 0, 900_000, 950_000, 50_000},
		{2_000_000, 0, 0, 0, now, 0},
		{0, 2_000_000, 10_000, 990_000, now, 10_000},
		{0, 950_000, 2_000_000, 0, 950_000, 0},
		{960_000, 950_000, 0, 0, 950_000, 0},
	} {
		rec := presence.Recording{StartedAt: c.from, EndedAt: c.until, Duration: c.duration}
		completeRecordingTimes(&rec, now)
		if want := (presence.Recording{StartedAt: c.wantFrom, EndedAt: c.wantUntil, Duration: c.wantDuration}); rec != want {
			t.Errorf("%+v: %+v", c, rec)
		}
	}
}

// TestFutureStartIsClamped: a start in the future does not make later starts look old.
func TestFutureStartIsClamped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		if got := limitToNow(now.Add(time.Hour).UnixMilli()); got != now.Add(10*time.Second).UnixMilli() {
			t.Errorf("an hour ahead is %v", time.UnixMilli(got).Sub(now))
		}
		for _, at := range []int64{0, now.Add(-time.Hour).UnixMilli(), now.Add(5 * time.Second).UnixMilli()} {
			if got := limitToNow(at); got != at {
				t.Errorf("%d is %d", at, got)
			}
		}
	})
}

// TestSecretMustNotBeEventName: the name of an event is refused as a secret.
func TestSecretMustNotBeEventName(t *testing.T) {
	for _, p := range providers() {
		for _, event := range p.events {
			key := "--hooks." + p.name + ".secret"
			if _, err := config.Load([]string{key, event}, nil); err == nil {
				t.Errorf("%s may be %s", key, event)
			}
		}
	}
}
