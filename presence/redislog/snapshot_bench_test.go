package redislog

import (
	"fmt"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
)

// BenchmarkSnapshot measures a snapshot of the leader, and the start of a node.
func BenchmarkSnapshot(b *testing.B) {
	for _, streams := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			bench := &redisBench{b, redistest.Start(b)}
			l := bench.openLog()
			l.options.SnapshotEvery = time.Millisecond
			if _, _, err := l.Load(b.Context(), populatedRegistry(b, streams)); err != nil {
				b.Fatal(err)
			}
			var loading, writing, redisCPU time.Duration
			seq := uint64(0)
			b.ResetTimer()
			for range b.N {
				start := time.Now()
				if _, _, err := l.Load(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
				loading += time.Since(start)
				for before := time.Now().UnixMilli(); time.Now().UnixMilli() < before+5; {
					continue
				}
				seq++
				if err := l.Append(b.Context(), emptyBatch(seq)); err != nil {
					b.Fatal(err)
				}
				cpuBefore := bench.redis.CPUTime()
				start = time.Now()
				if err := l.writeDueSnapshot(b.Context()); err != nil {
					b.Fatal(err)
				}
				writing += time.Since(start)
				redisCPU += bench.redis.CPUTime() - cpuBefore
			}
			b.ReportMetric(loading.Seconds()/float64(b.N), "load-s")
			b.ReportMetric(writing.Seconds()/float64(b.N), "save-s")
			b.ReportMetric(redisCPU.Seconds()/float64(b.N), "redis-save-cpu-s")
			b.ReportMetric(float64(l.newest.Load().bytes)/1e6, "MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}
