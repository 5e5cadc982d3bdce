package presence

import (
	"fmt"
	"runtime"
	"testing"
)

// newCrowd makes a registry with n listed streams, each with one lease, through
// one node.
func newCrowd(t testing.TB, n int, c func(i int) *Start) *testLog {
	x := newTestLog(t)
	for i := 0; i < n; i += 1_000 {
		var b Batch
		for j := i; j < min(i+1_000, n); j++ {
			b.Commands = append(b.Commands, c(j))
		}
		x.applyBatch("a", b)
	}
	x.entries = nil
	return x
}

func smallStart(i int) *Start {
	return &Start{Session: sessionID(i), Anchor: fmt.Sprint(i), Code: fmt.Sprint("8888_", i), List: "live", Listed: true}
}

// BenchmarkBeats applies beats of a million leases, a sixtieth of them at each
// tick, including the wheel. ns/op is for one beat.
func BenchmarkBeats(b *testing.B) {
	const leases, ticks = 1_000_000, 60
	for _, order := range []string{"spread", "adjoining"} {
		b.Run(order, func(b *testing.B) {
			x := newCrowd(b, leases, smallStart)
			// One entry a tick, all alike but for number and time.
			batches := make([][]byte, ticks)
			perTick := 0
			for t := range batches {
				batch := Batch{Node: "a", Incarnation: 2, Seq: 1}
				for i := range leases {
					if order == "spread" && i%ticks == t || order == "adjoining" && i*ticks/leases == t {
						batch.Beats = append(batch.Beats, Beat{Lease{uint32(i), sessionID(i).leaseTag()}, uint32(i % 1000)})
					}
				}
				perTick = len(batch.Beats)
				batches[t] = batch.Seal().Bytes
			}
			turn := func(n int) {
				x.time += 1_000
				x.num++
				p, _ := x.reg.nodes.find("a")
				p.lastSeq = 0 // the same bytes again
				a, err := x.reg.Apply(Entry{ID: ID{x.num, 0}, Num: x.num, Time: x.time, Epoch: "r1", Batch: batches[n%ticks]})
				if err != nil || a.Refused || a.StrayBeats != 0 {
					b.Fatal(err, a.Refused, a.StrayBeats)
				}
			}
			x.applyBatch("a", Batch{Incarnation: 2})
			for n := range 2 * ticks {
				turn(n) // until the wheel is as in the long run
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			n, beats := 0, 0
			b.ResetTimer()
			for beats < b.N {
				turn(n)
				n++
				beats += perTick
			}
			b.StopTimer()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(beats), "ns/beat")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(beats), "allocs/beat")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(n), "ms/entry")
		})
	}
}

func BenchmarkExpiry(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		x := newCrowd(b, 10_000, smallStart)
		x.advance(185_000)
		x.time += 500
		e := x.sealEntry("a", Batch{})
		b.StartTimer()
		if a := x.applyEntry(e); len(a.Changes) != 10_000 {
			b.Fatal(len(a.Changes))
		}
	}
}

func richStart(i int) *Start {
	return &Start{
		Session: sessionID(i), Anchor: fmt.Sprintf("anchor-%013d", i), Code: fmt.Sprintf("8888_%015d", i), List: "live",
		Title: fmt.Sprintf("%040d", i), Cover: fmt.Sprintf("https://img.example.com/%032d.jpg", i), Tags: []string{"game", "chat"}, Listed: true,
		Socket: fmt.Sprintf("c%010d", i),
	}
}

// TestMemory: each listed stream takes at most 900 bytes of heap, and so does each ended
// session that is remembered.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("50,000 streams")
	}
	per, perEnded := heapPerStream(t, 50_000)
	t.Logf("%.0f bytes of heap a stream, %.0f an ended session", per, perEnded)
	if per > 900 {
		t.Errorf("%.0f bytes of heap a stream, want at most 900", per)
	}
	if perEnded > 900 {
		t.Errorf("%.0f bytes of heap an ended session, want at most 900", perEnded)
	}
}

func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		per, perEnded := heapPerStream(b, 100_000)
		b.ReportMetric(per, "heap-B/stream")
		b.ReportMetric(perEnded, "heap-B/ended")
	}
}

// heapPerStream returns the heap of n listed streams, and of the same sessions after their
// ends, for each.
func heapPerStream(t testing.TB, n int) (listed, ended float64) {
	before := liveHeap()
	x := newCrowd(t, n, richStart)
	for i := 0; i < n; i += 1_000 {
		var b Batch
		for j := i; j < min(i+1_000, n); j++ {
			b.Commands = append(b.Commands, &Observe{Session: sessionID(j), Source: FromCallback, Signal: BeatReceived, Detail: fmt.Sprintf("seq %016d", j)})
			b.Beats = append(b.Beats, Beat{Lease: x.reg.StreamBySession(sessionID(j)).Lease()})
		}
		x.applyBatch("a", b)
	}
	x.entries = nil
	clear(x.lastBatches)
	listed = (liveHeap() - before) / float64(n)
	for i := 0; i < n; i += 1_000 {
		var b Batch
		for j := i; j < min(i+1_000, n); j++ {
			b.Commands = append(b.Commands, &Stop{Session: sessionID(j), Reason: Stopped})
		}
		x.applyBatch("a", b)
	}
	x.entries = nil
	clear(x.lastBatches)
	ended = (liveHeap() - before) / float64(n)
	runtime.KeepAlive(x)
	return listed, ended
}

// liveHeap returns the bytes of heap that are in use.
func liveHeap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

func BenchmarkStart(b *testing.B) {
	x := newCrowd(b, 100_000, richStart)
	var entries []Entry
	for i := 0; i < b.N; i += 100 {
		var batch Batch
		for j := i; j < i+100; j++ {
			c := richStart(200_000 + j)
			batch.Commands = append(batch.Commands, c, &Stop{Session: c.Session, Reason: Stopped})
		}
		entries = append(entries, x.sealEntry("a", batch))
	}
	x.entries = nil
	b.ReportAllocs()
	b.ResetTimer()
	for _, e := range entries {
		x.applyEntry(e)
	}
}

func BenchmarkEncode(b *testing.B) {
	x := newCrowd(b, 100_000, richStart)
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(x.reg.Encode())))
	}
}

func BenchmarkDecode(b *testing.B) {
	image := newCrowd(b, 100_000, richStart).reg.Encode()
	b.SetBytes(int64(len(image)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRegistry(image); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	x := newCrowd(b, 100_000, smallStart)
	b.ReportAllocs()
	for b.Loop() {
		x.reg.Digest()
	}
}

func BenchmarkRestartLeases(b *testing.B) {
	x := newCrowd(b, 1_000_000, smallStart)
	for b.Loop() {
		x.reg.leases.restartMatching(x.reg.clock, func(*lease) bool { return true })
	}
}

func BenchmarkSeal(b *testing.B) {
	batch := Batch{Node: "a", Incarnation: 1, Seq: 1}
	for i := range uint32(16_667) {
		batch.Beats = append(batch.Beats, Beat{Lease{i * 60, uint16(i)}, i % 1000})
	}
	for b.Loop() {
		b.SetBytes(int64(len(batch.Seal().Bytes)))
	}
}
