package redislog_test

import (
	"errors"
	"iter"
	"testing"
	"testing/synctest"

	"onair/presence"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
)

// TestFoundedByTheNextEntry: the entry that a history was founded with is not
// yielded, also to a reader that was one entry behind: its batch is nowhere.
func TestFoundedByTheNextEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		redis := redismodel.New(redismodel.Options{})
		log := redislog.Open(redislog.Options{Client: redis.Dial(1, redismodel.Weather{}).Client()})
		defer log.Close()
		r, _, err := log.Load(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		say := func(no uint64) {
			b := presence.Batch{Node: "a", Boot: 1, Origin: 1, No: no, Knows: presence.Rules}
			if err := log.Append(t.Context(), b.Seal()); err != nil {
				t.Fatal(err)
			}
		}
		next, stop := iter.Pull2(log.Tail(t.Context(), r.Last()))
		defer stop()
		say(1)
		if _, err, _ := next(); err != nil {
			t.Fatal(err)
		}
		say(2)
		for e, err := range log.Tail(t.Context(), r.Last()) {
			if err == nil {
				_, err = r.Apply(e)
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.Num == 2 {
				break
			}
		}
		redis.Restart(false)
		if _, _, err := log.Load(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if e, err, _ := next(); !errors.Is(err, presence.ErrTrimmed) {
			t.Fatalf("entry %d came, error %v", e.Num, err)
		}
	})
}
