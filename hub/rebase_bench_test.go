package hub

import (
	"slices"
	"testing"
	"time"

	"onair/presence"
)

// BenchmarkRebase: a list of 100,000 streams, loaded anew, of which one in so
// many has changed in what viewers see, over 2,000 views that somebody looks at.
// "locked-ms" is how long of that the hub's lock is held.
func BenchmarkRebase(b *testing.B) {
	for _, c := range []struct {
		name  string
		every int
	}{{"1%", 100}, {"10%", 10}, {"all", 1}} {
		b.Run(c.name, func(b *testing.B) { benchmarkRebase(b, c.every) })
	}
}

func benchmarkRebase(b *testing.B, every int) {
	l := newLoad(scale{streams: 100_000})
	for _, q := range l.queries(2000) {
		s := l.hub.Attach(&taken{})
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
	l.hub.Rebase(slices.Values(lists[0]), position(1), epoch)
	l.settle()
	n := 1
	var locked time.Duration
	b.ReportAllocs()
	for b.Loop() {
		n++
		changed := l.hub.against(slices.Values(lists[(n+1)%2]))
		began := time.Now()
		l.hub.rebase(changed, position(n), epoch)
		locked += time.Since(began)
		if len(changed) != len(l.streams)/every {
			b.Fatalf("%d changes", len(changed))
		}
		b.StopTimer()
		l.settle()
		b.StartTimer()
	}
	b.ReportMetric(locked.Seconds()*1000/float64(b.N), "locked-ms")
}

// settle has every view moved to the hub's position, as flushing would.
func (l *load) settle() {
	for _, v := range l.hub.views {
		l.hub.show(v, l.hub.now(v))
		l.hub.reschedule(v)
	}
}
