package wire_test

import (
	"fmt"
	"testing"

	"onair/hub/wire"
)

// tenEntries are ten entries as a busy list has them.
func tenEntries() []wire.Entry {
	list := make([]wire.Entry, 10)
	for i := range list {
		list[i] = alice()
		list[i].Code = fmt.Sprintf("8888_anchor%d", i)
	}
	return list
}

func tenPuts() *wire.Diff {
	return &wire.Diff{View: "live/hot100", Prev: "1-0.9f", Pos: "2-2.07", HasTotal: true, Total: 5210, Put: tenEntries()}
}

// appendSets writes the usual frame: ten entries whose counters moved.
func appendSets(dst []byte, old, now []wire.Entry) []byte {
	b := wire.BeginDiff(wire.AppendHead(dst, wire.TypeDiff, ""), "live/hot100", "1-0.9f", "2-2.07")
	for i := range old {
		b.AddSet(&old[i], &now[i])
	}
	return b.End()
}

func movedCounters(list []wire.Entry) []wire.Entry {
	now := append([]wire.Entry(nil), list...)
	for i := range now {
		now[i].Viewers++
		now[i].Likes += 3
	}
	return now
}

func TestHotAppendersDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 64<<10)
	diff, old := tenPuts(), tenEntries()
	now := movedCounters(old)
	snap := wire.Snapshot{ID: "1", View: "v", Pos: "p", Streams: old}
	for name, write := range map[string]func(){
		"AppendDiff":     func() { wire.AppendDiff(buf, diff) },
		"AppendSnapshot": func() { wire.AppendSnapshot(buf, &snap) },
		"Body.Set":       func() { appendSets(buf, old, now) },
		"AppendAck":      func() { wire.AppendAck(buf, &wire.Ack{ID: "1", N: 4, ServerTime: 5, DeadlineInMS: 6}) },
	} {
		if n := testing.AllocsPerRun(100, write); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkAppendDiffTenPuts(b *testing.B) {
	d := tenPuts()
	buf := wire.AppendDiff(nil, d)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendDiff(buf[:0], d)
	}
}

func BenchmarkAppendDiffTenSets(b *testing.B) {
	old := tenEntries()
	now := movedCounters(old)
	buf := appendSets(nil, old, now)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = appendSets(buf[:0], old, now)
	}
}

func BenchmarkAppendAck(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendAck(buf[:0], &wire.Ack{ID: "17", N: 4, ServerTime: 1763830000123, DeadlineInMS: 180000})
	}
}

func BenchmarkAppendString(b *testing.B) {
	for name, s := range map[string]string{
		"ascii":   "https://play.example.com/live/8888_alice.flv?txSecret=abcdef&txTime=69123456",
		"chinese": "今晚八点不见不散，带你看遍山河湖海",
	} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				buf = wire.AppendJSONString(buf[:0], s)
			}
		})
	}
}

func benchmarkDecode(b *testing.B, frame []byte, decode decoder) {
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeBeat(b *testing.B) {
	benchmarkDecode(b, []byte(`{"type":"beat","n":7,"stats":{"bitrate_kbps":2500,"fps":30}}`), wire.DecodeAnchorRequest)
}

func BenchmarkDecodeDiffTenPuts(b *testing.B) {
	benchmarkDecode(b, wire.AppendDiff(nil, tenPuts()), wire.DecodeServerMessage)
}
