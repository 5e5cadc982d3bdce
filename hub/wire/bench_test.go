package wire_test

import (
	"fmt"
	"slices"
	"testing"

	"onair/hub/wire"
)

// tenEntries returns ten typical entries of a large view.
func tenEntries() []wire.Entry {
	entries := make([]wire.Entry, 10)
	for i := range entries {
		entries[i] = alice()
		entries[i].Code = fmt.Sprintf("8888_anchor%d", i)
	}
	return entries
}

func appendPuts(dst []byte, entries []wire.Entry) []byte {
	b := wire.BeginDiff(wire.AppendHead(dst, wire.TypeDiff, ""), "live/hot100", "1-0.9f", "2-2.07")
	b.AddTotal(5210)
	for i := range entries {
		b.AddPut(&entries[i])
	}
	return b.End()
}

func appendSnapshot(dst []byte, entries []wire.Entry) []byte {
	b := wire.BeginSnapshot(wire.AppendHead(dst, wire.TypeSnapshot, "1"), "v", "p", len(entries))
	for i := range entries {
		b.AddStream(&entries[i])
	}
	return b.End()
}

// appendSets appends the most frequent diff: ten entries with changed counters.
func appendSets(dst []byte, old, now []wire.Entry) []byte {
	b := wire.BeginDiff(wire.AppendHead(dst, wire.TypeDiff, ""), "live/hot100", "1-0.9f", "2-2.07")
	for i := range old {
		b.AddSet(&old[i], &now[i])
	}
	return b.End()
}

func withChangedCounters(entries []wire.Entry) []wire.Entry {
	now := slices.Clone(entries)
	for i := range now {
		now[i].Viewers++
		now[i].Likes += 3
	}
	return now
}

func TestHotAppendersDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 64<<10)
	old := tenEntries()
	now := withChangedCounters(old)
	for name, write := range map[string]func(){
		"AddPut":    func() { appendPuts(buf, old) },
		"AddStream": func() { appendSnapshot(buf, old) },
		"AddSet":    func() { appendSets(buf, old, now) },
		"AppendAck": func() { wire.AppendAck(buf, &wire.Ack{ID: "1", N: 4, ServerTime: 5, DeadlineInMS: 6}) },
	} {
		if n := testing.AllocsPerRun(100, write); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkAppendDiffTenPuts(b *testing.B) {
	entries := tenEntries()
	buf := appendPuts(nil, entries)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = appendPuts(buf[:0], entries)
	}
}

func BenchmarkAppendDiffTenSets(b *testing.B) {
	old := tenEntries()
	now := withChangedCounters(old)
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

func BenchmarkAppendJSONString(b *testing.B) {
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

func benchmarkDecode(b *testing.B, frame []byte, decode decodeFunc) {
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
	benchmarkDecode(b, appendPuts(nil, tenEntries()), wire.DecodeServerMessage)
}
