package redislog

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

// FuzzEntry: parseEntry returns an error, or an entry that is the same after another
// round trip.
func FuzzEntry(f *testing.F) {
	f.Add("1763830000123-7", "12", "1763830000123", "8371b4fb1155b71f.1763829000000", "batch")
	f.Add("0-1", "18446744073709551615", "-1", "", "")
	f.Add("1-", "1", "1", "r", "b")
	f.Add("-", "0x1", "1e3", "r", "b")
	f.Fuzz(func(t *testing.T, id, number, time, epoch, batch string) {
		e, err := parseEntry(redis.XMessage{ID: id, Values: map[string]any{"n": number, "t": time, "r": epoch, "b": batch}})
		if err != nil {
			return
		}
		again, err := parseEntry(redis.XMessage{ID: formatID(e.ID), Values: map[string]any{"n": number, "t": time, "r": e.Epoch, "b": string(e.Batch)}})
		if err != nil || !isSameExceptBatch(e, again) || string(again.Batch) != batch {
			t.Errorf("%+v, then %+v, %v", e, again, err)
		}
	})
}

func TestEntryWithoutFields(t *testing.T) {
	for _, values := range []map[string]any{nil, {"n": "1"}, {"t": "1"}, {"n": 1, "t": "1"}} {
		if e, err := parseEntry(redis.XMessage{ID: "1-1", Values: values}); err == nil {
			t.Errorf("%v parsed as %+v", values, e)
		}
	}
}

// FuzzSnapshot: parseSnapshot returns an error, or a description that is the same after
// another round trip.
func FuzzSnapshot(f *testing.F) {
	f.Add((&snapshot{name: "ABC", id: presence.ID{MS: 5, Seq: 1}, number: 7, time: 9, chunks: 3, bytes: 700, checksum: 0xfe}).String())
	f.Add("x 1-1 1 1 1 1 1")
	f.Add("x 1-1 1 1 -1 1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSnapshot(text)
		if err != nil {
			return
		}
		again, err := parseSnapshot(s.String())
		if err != nil || *again != *s {
			t.Errorf("%+v, then %+v, %v", s, again, err)
		}
	})
}
