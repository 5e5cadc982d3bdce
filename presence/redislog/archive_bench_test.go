package redislog

import (
	"strconv"
	"testing"

	"onair/presence/presencetest"
	"onair/presence/redislog/redistest"
)

// BenchmarkArchive: a million recordings on Redis, and the memory they take there:
// by the server's own sum, and by MEMORY USAGE of the keys that all of them are in.
func BenchmarkArchive(b *testing.B) {
	x := &bench{b, redistest.Start(b)}
	l := x.open()
	used := func() int {
		n, err := strconv.Atoi(x.redis.Info("memory", "used_memory"))
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	empty := used()
	presencetest.BenchArchive(b, l, func(n int) {
		b.Logf("%d bytes of memory for each recording, all told", (used()-empty)/n)
		for _, key := range []string{l.keys.recordings, l.keys.byStart, l.keys.byEnd} {
			b.Logf("%s: %d", key, x.redis.Do("MEMORY", "USAGE", key, "SAMPLES", 1000).(int64)/int64(n))
		}
		for _, key := range []string{l.keys.byAnchor + "anchor000123", l.keys.byCode + "8888_anchor000123"} {
			b.Logf("%s: %d for each of its %d", key, x.redis.Do("MEMORY", "USAGE", key, "SAMPLES", 0).(int64)/1000, x.redis.Do("ZCARD", key))
		}
	})
}
