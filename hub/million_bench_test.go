package hub

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"onair/hub/wire"
)

// BenchmarkMillion measures the hub with a million viewers of 2,000 views, over a
// list of 100,000 streams in one process. Connections in memory accept all messages
// at once, so the cost of real connections is not included. Views have viewers by
// Zipf's law. One operation takes ten seconds of real time, with 5,000 changes a
// second: use -benchtime 1x. The cost of the workload is not included.
func BenchmarkMillion(b *testing.B) {
	const viewers = 1_000_000
	s := benchScale{streams: 100_000, views: 2000, changesPerSecond: 5000}
	l := newWorkload(s)
	counts := &countingConn{}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	done.Go(func() { l.hub.Run(ctx) })
	queries := l.makeQueries(s.views)
	popular, random := newZipf(len(queries)), rand.New(rand.NewPCG(3, 4))
	for i := range queries { // each view has a viewer
		l.subscribeViewer(b, counts, &queries[i])
	}

	empty := liveHeap()
	began := cpuTime(syscall.RUSAGE_SELF)
	for range viewers - len(queries) {
		l.subscribeViewer(b, counts, &queries[popular.randomRank(random)])
	}
	joined := cpuTime(syscall.RUSAGE_SELF) - began
	perViewer := float64(liveHeap()-empty) / float64(viewers-len(queries))
	_, touched := l.countMatches(100)

	for b.Loop() {
		entries := l.makeEntries(s.changesPerSecond * 10)
		time.Sleep(3 * time.Second) // flush the changes of countMatches
		runtime.LockOSThread()
		frames := counts.frames.Load()
		all, own, start := cpuTime(syscall.RUSAGE_SELF), cpuTime(rusageThread), time.Now()
		var apply time.Duration
		for i, changes := range entries {
			time.Sleep(time.Until(start.Add(time.Duration(i) * 10 * time.Second / time.Duration(len(entries)))))
			before := cpuTime(rusageThread)
			l.applyEntry(changes)
			apply += cpuTime(rusageThread) - before
		}
		own = cpuTime(rusageThread) - own
		all = cpuTime(syscall.RUSAGE_SELF) - all - (own - apply)
		frames = counts.frames.Load() - frames
		runtime.UnlockOSThread()
		changes := float64(len(entries) * scaleEntry)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(100*all.Seconds()/time.Since(start).Seconds(), "%core")
		b.ReportMetric(float64(all.Microseconds())/changes, "cpu-µs/change")
		b.ReportMetric(float64(frames)/changes, "writes/change")
		b.ReportMetric(float64(all.Nanoseconds())/float64(frames), "cpu-ns/write")
		b.ReportMetric(touched, "touched/change")
		b.ReportMetric(perViewer, "heap-B/viewer")
		b.ReportMetric(float64(joined.Nanoseconds())/float64(viewers-len(queries)), "cpu-ns/join")
	}
}

// liveHeap is the size of live objects, in bytes.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// subscribeViewer opens a view on a new socket.
func (l *workload) subscribeViewer(b *testing.B, w Conn, q *wire.Subscribe) {
	if e := l.hub.Subscribe(l.hub.Attach(w), q); e != nil {
		b.Fatal(e)
	}
}
