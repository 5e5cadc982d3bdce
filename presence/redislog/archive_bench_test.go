package redislog

import (
	"strconv"
	"testing"

	"onair/presence/presencetest"
	"onair/presence/redislog/redistest"
)

// BenchmarkArchive measures an archive with a million recordings, and their memory:
// used_memory, and MEMORY USAGE of the keys.
func BenchmarkArchive(b *testing.B) {
	bench := &redisBench{b, redistest.Start(b)}
	l := bench.openLog()
	usedMemory := func() int {
		n, err := strconv.Atoi(bench.redis.Info("memory", "used_memory"))
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	before := usedMemory()
	presencetest.BenchArchive(b, l, func(n int) {
		b.Logf("%d bytes of memory per recording", (usedMemory()-before)/n)
		for _, key := range []string{l.keys.recordings, l.keys.recordingsByStart, l.keys.recordingsByEnd} {
			b.Logf("%s: %d bytes per recording", key, bench.redis.Do("MEMORY", "USAGE", key, "SAMPLES", 1000).(int64)/int64(n))
		}
		for _, key := range []string{l.keys.recordingsByAnchorPrefix + "anchor000123", l.keys.recordingsByCodePrefix + "8888_anchor000123"} {
			b.Logf("%s: %d bytes per recording, %d recordings", key, bench.redis.Do("MEMORY", "USAGE", key, "SAMPLES", 0).(int64)/1000, bench.redis.Do("ZCARD", key))
		}
	})
}
