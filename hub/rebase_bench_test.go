package hub

import (
	"slices"
	"testing"
	"time"

	"onair/presence"
)

// BenchmarkRebase measures a Rebase to a copy of a list of 100,000 streams, with
// 2,000 views that have a viewer. A part of the streams has visible changes.
// "locked-ms" is the time with the hub's lock held.
func BenchmarkRebase(b *testing.B) {
	for _, c := range []struct {
		name  string
		every int
	}{{"1%", 100}, {"10%", 10}, {"all", 1}} {
		b.Run(c.name, func(b *testing.B) { benchmarkRebase(b, c.every) })
	}
}

func benchmarkRebase(b *testing.B, every int) {
	l := newWorkload(benchScale{streams: 100_000})
	for _, q := range l.makeQueries(2000) {
		s := l.hub.Attach(&countingConn{})
		defer s.Close()
		if e := l.hub.Subscribe(s, &q); e != nil {
			b.Fatal(e)
		}
	}
	var lists [2][]*presence.Stream
	for i, st := range l.streams {
		for k := range lists {
			next := *st
			if i%every == 0 {
				next.Viewers += int64(1000 * k)
				next.Title = []string{"before", "after"}[k]
			}
			lists[k] = append(lists[k], &next)
		}
	}
	l.hub.Rebase(slices.Values(lists[0]), position(1), testStart)
	l.resetViews()
	n := 1
	var locked time.Duration
	b.ReportAllocs()
	for b.Loop() {
		n++
		changed := l.hub.listChangesTo(slices.Values(lists[(n+1)%2]))
		began := time.Now()
		l.hub.applyChangesInNewEpoch(changed, position(n), testStart)
		locked += time.Since(began)
		if len(changed) != len(l.streams)/every {
			b.Fatalf("%d changes", len(changed))
		}
		b.StopTimer()
		l.resetViews()
		b.StartTimer()
	}
	b.ReportMetric(locked.Seconds()*1000/float64(b.N), "locked-ms")
}

// resetViews moves every view to the hub's position.
func (l *workload) resetViews() {
	for _, v := range l.hub.views {
		l.hub.publishWithoutFrame(v)
		l.hub.updateViewDueTime(v)
	}
}
