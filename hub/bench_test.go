package hub

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// BenchmarkViewChange measures Apply without a flush: one of 100,000 streams
// changes in a view of the first 100.
func BenchmarkViewChange(b *testing.B) {
	f, v := newViewWithSockets(b, 100_000, 0)
	st := f.streams["8888_000999"]
	b.ReportAllocs()
	for n := 1; b.Loop(); n++ {
		next := *st
		next.Viewers = int64(n % 1000)
		f.hub.Apply(position(n), testStart+int64(n), []presence.Change{{Old: st, New: &next}}, time.Time{})
		st = &next
	}
	_ = v
}

// BenchmarkFlush measures Apply and a flush of the view after each change.
func BenchmarkFlush(b *testing.B) {
	f, v := newViewWithSockets(b, 100_000, 1)
	st := f.streams["8888_000999"]
	now := time.Now()
	b.ReportAllocs()
	for n := 1; b.Loop(); n++ {
		next := *st
		next.Viewers = int64(5000 + n%1000)
		f.hub.Apply(position(n), testStart+int64(n), []presence.Change{{Old: st, New: &next}}, time.Time{})
		f.hub.publishChangesOrIdleDiff(v, now)
		st = &next
	}
}

// BenchmarkFanout measures the hub's cost of a frame for 10,000 sockets, without
// the cost of their connections.
func BenchmarkFanout(b *testing.B) {
	f, v := newViewWithSockets(b, 100, 10_000)
	frame := f.hub.catchUpOrSnapshotFrame(v, v.published.pos)
	frame.prev = v.published.pos
	b.ReportAllocs()
	for b.Loop() {
		fanOutFrame(f, v, frame)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/viewer")
}

// BenchmarkDiffEncode measures a diff with ten changes of all kinds.
func BenchmarkDiffEncode(b *testing.B) {
	f, v := newViewWithSockets(b, 1000, 0)
	from := v.published
	var changes []presence.Change
	for i, st := range v.published.window[:10] {
		next := *st
		if next.Viewers += 10; i < 3 {
			next.Viewers = 0
		}
		changes = append(changes, presence.Change{Old: st, New: &next})
	}
	f.hub.Apply(position(1), testStart+1, changes, time.Time{})
	to := f.hub.currentState(v)
	b.ReportAllocs()
	for b.Loop() {
		f.hub.delta.setToWindowDifference(v.order, &from, &to, v.urls)
		f.hub.encoder.encodeDiff(v, diffMessage, &from, &to, &f.hub.delta)
	}
	b.ReportMetric(float64(len(f.hub.delta.put)+len(f.hub.delta.set)+len(f.hub.delta.del)), "changes")
}

// BenchmarkCatchUp measures a catch-up over a number of changes of random streams
// in a list of 100,000.
func BenchmarkCatchUp(b *testing.B) {
	for _, changes := range []int{100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(changes), func(b *testing.B) {
			f, v := newViewWithSockets(b, 100_000, 0)
			for n := range changes {
				code := fmt.Sprintf("8888_%06d", n*7919%100_000)
				old := f.streams[code]
				next := *old
				next.Viewers = int64(n * 31 % 1000)
				f.streams[code] = &next
				f.hub.Apply(position(n+1), testStart+int64(n/10), []presence.Change{{Old: old, New: &next}}, time.Time{})
			}
			f.hub.publishWithoutFrame(v)
			f.hub.snapshotFrame(v)
			b.ReportAllocs()
			for b.Loop() {
				clear(v.frames.catchUps)
				f.hub.catchUpOrSnapshotFrame(v, position(0))
			}
		})
	}
}

// BenchmarkNewOrder measures the first view of a filter and sort over 100,000
// streams. One in ten has the common tag, one in a hundred the rare one.
func BenchmarkNewOrder(b *testing.B) {
	l := newWorkload(benchScale{streams: 100_000})
	hub := New(Options{})
	hub.Load(func(yield func(*presence.Stream) bool) {
		for i, st := range l.streams {
			st.Tags = nil
			if i%10 == 0 {
				st.Tags = append(st.Tags, "common")
			}
			if i%100 == 0 {
				st.Tags = append(st.Tags, "rare")
			}
			yield(st)
		}
	}, position(0), testStart)
	for _, m := range []wire.Subscribe{{}, {Tags: []string{"common"}}, {Tags: []string{"rare"}}, {Tags: []string{"common", "rare"}}} {
		q, _ := hub.normalizeQuery(&m)
		b.Run(q.orderName, func(b *testing.B) {
			for b.Loop() {
				hub.orders.removeOrder(hub.findOrCreateOrder(q))
			}
		})
	}
}

// BenchmarkMemory measures the heap that a listed stream takes in the hub: maps, two
// tags and the tree of one order. The stream itself is the registry's.
func BenchmarkMemory(b *testing.B) {
	const n = 200_000
	streams, tags := make([]*presence.Stream, n), []string{"game", "music"}
	for i := range streams {
		id := fmt.Sprintf("anchor%014d", i)
		streams[i] = &presence.Stream{Code: "8888_" + id[5:], Anchor: id, List: "live", Viewers: int64(i), Details: presence.Details{Tags: tags}, Listed: true, Shown: true}
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		h := New(Options{Signer: fakeSigner{}})
		h.Load(slices.Values(streams), position(1), 1)
		if _, e := h.Page(&wire.Subscribe{}, ""); e != nil {
			b.Fatal(e)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/stream")
		runtime.KeepAlive(h)
	}
	runtime.KeepAlive(streams)
}
