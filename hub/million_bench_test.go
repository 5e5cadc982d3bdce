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

// BenchmarkMillion has a million viewers look at 2,000 views of a list of
// 100,000 streams, in one process, over connections in memory that take
// everything at once: what is measured is the hub, without the library's
// connections and the kernel's. Views have viewers by Zipf's law. One operation
// is ten seconds of real time with 5,000 changes a second; so give it
// -benchtime 1x. What making the load costs is left out.
func BenchmarkMillion(b *testing.B) {
	const viewers = 1_000_000
	s := benchScale{streams: 100_000, views: 2000, rate: 5000}
	l := newWorkload(s)
	counts := &countingConn{}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	done.Go(func() { l.hub.Run(ctx) })
	queries := l.makeQueries(s.views)
	popular, random := newZipf(len(queries)), rand.New(rand.NewPCG(3, 4))
	for i := range queries { // each is looked at by somebody
		l.subscribeViewer(b, counts, &queries[i])
	}

	empty := liveHeap()
	began := cpuTime(syscall.RUSAGE_SELF)
	for range viewers - len(queries) {
		l.subscribeViewer(b, counts, &queries[popular.draw(random)])
	}
	joined := cpuTime(syscall.RUSAGE_SELF) - began
	perViewer := float64(liveHeap()-empty) / float64(viewers-len(queries))
	_, touched := l.countMatches(100)

	for b.Loop() {
		entries := l.makeEntries(s.rate * 10)
		time.Sleep(3 * time.Second) // what the census has touched goes
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

// liveHeap is what is live.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// subscribeViewer has somebody look at a view.
func (l *workload) subscribeViewer(b *testing.B, w Conn, q *wire.Subscribe) {
	if e := l.hub.Subscribe(l.hub.Attach(w), q); e != nil {
		b.Fatal(e)
	}
}
