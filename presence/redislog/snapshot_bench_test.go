package redislog

import (
	"fmt"
	"testing"
	"time"

	"onair/presence"
	"onair/presence/redislog/redistest"
)

// BenchmarkSnapshot: what the keeper does every few minutes, apart from the
// list that it serves, and what a node does that starts.
func BenchmarkSnapshot(b *testing.B) {
	for _, streams := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			x := &bench{b, redistest.Start(b)}
			l := x.open()
			l.options.SnapshotEvery = time.Millisecond
			if _, _, err := l.Load(b.Context(), population(b, streams)); err != nil {
				b.Fatal(err)
			}
			var loading, saving, redis time.Duration
			no, bytes := uint64(0), 0
			b.ResetTimer()
			for range b.N {
				began := time.Now()
				if _, _, err := l.Load(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
				loading += time.Since(began)
				for before := time.Now().UnixMilli(); time.Now().UnixMilli() < before+5; {
					continue
				}
				no++
				batch := presence.Batch{Node: "a", Boot: 1, Origin: 1, No: no, Knows: presence.Rules}
				if err := l.Append(b.Context(), batch.Seal()); err != nil {
					b.Fatal(err)
				}
				used := x.redis.CPU()
				began = time.Now()
				if err := l.save(b.Context()); err != nil {
					b.Fatal(err)
				}
				saving += time.Since(began)
				redis += x.redis.CPU() - used
				bytes = l.saved.Load().bytes
			}
			b.ReportMetric(loading.Seconds()/float64(b.N), "load-s")
			b.ReportMetric(saving.Seconds()/float64(b.N), "save-s")
			b.ReportMetric(redis.Seconds()/float64(b.N), "redis-save-cpu-s")
			b.ReportMetric(float64(bytes)/1e6, "MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}
