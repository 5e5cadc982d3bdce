package redislog

import (
	"errors"
	"iter"
	"testing"
	"testing/synctest"

	"onair/presence"
	"onair/presence/redislog/redismodel"
)

// TestFoundingEntryIsTrimmed: Tail never yields the entry of the snapshot with which an
// epoch was founded, because it has no batch. A reader that is one entry behind gets
// ErrTrimmed.
func TestFoundingEntryIsTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		l := openLog(t, Options{Client: redis.Dial(1, redismodel.Faults{}).Client()})
		r := mustLoad(t, l)
		next, stop := iter.Pull2(l.Tail(t.Context(), r.LastEntry()))
		defer stop()
		mustAppend(t, l, emptyBatch(1))
		if _, err, _ := next(); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, emptyBatch(2))
		if err := l.applyEntries(t.Context(), r, 2); err != nil {
			t.Fatal(err)
		}
		redis.Restart(false)
		if _, _, err := l.Load(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if e, err, _ := next(); !errors.Is(err, presence.ErrTrimmed) {
			t.Fatalf("entry %d, error %v", e.Num, err)
		}
	})
}
