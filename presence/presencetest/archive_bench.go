package presencetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"onair/presence"
)

// The benchmarks' archive has a thousand recordings of each anchor. One starts each
// second, with the anchors in turn.
const (
	benchRecordings = 1_000_000
	benchAnchors    = 1_000
	benchPageSize   = 100
	benchFirstStart = 1_763_830_000_000 // Unix milliseconds
)

// newBenchRecording returns the i-th recording. Its texts are as long as real ones.
func newBenchRecording(i int) presence.Recording {
	anchor := fmt.Sprintf("anchor%06d", i%benchAnchors)
	rec := newRecording(benchRecordingID(i), anchor, benchFirstStart+int64(i)*1000)
	rec.Title = "An evening with " + anchor + ", part " + fmt.Sprint(i/benchAnchors)
	rec.Cover = "https://cdn.example.com/covers/" + rec.ID + ".jpg"
	rec.Location = "https://1500000000.vod2.example.com/0123456789abcdef/" + rec.ID + "/f0.mp4"
	rec.Session, rec.PeakViewers, rec.Likes = presence.NewSession(), 1234, 56789
	return rec
}

func benchRecordingID(i int) string { return presence.RecordingID("test", fmt.Sprint(i)) }

// BenchArchive fills an empty archive with a million recordings, calls onFilled, and
// measures the archive.
func BenchArchive(b *testing.B, a presence.Archive, onFilled func(recordings int)) {
	next := 0
	storeNext := func(b *testing.B, n int) {
		batch := make([]presence.Recording, n)
		for i := range batch {
			batch[i] = newBenchRecording(next)
			next++
		}
		mustStore(b, a, batch...)
	}
	for next < benchRecordings {
		storeNext(b, 1000)
	}
	onFilled(benchRecordings)
	run := func(name string, call func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				call(b)
			}
		})
	}
	run("store/new", func(b *testing.B) { storeNext(b, 1) })
	run("store/again", func(b *testing.B) { mustStore(b, a, newBenchRecording(rand.IntN(benchRecordings))) })
	run("store/new=100", func(b *testing.B) { storeNext(b, 100) })
	run("recording", func(b *testing.B) {
		if _, ok, err := a.Recording(context.Background(), benchRecordingID(rand.IntN(benchRecordings))); !ok || err != nil {
			b.Fatal(ok, err)
		}
	})
	benchRecordingQueries(a, run)
	run("delete=100", func(b *testing.B) {
		if n, err := a.DeleteRecordings(context.Background(), benchFirstStart+benchRecordings*1000, 100); n != 100 || err != nil {
			b.Fatal(n, err)
		}
	})
}

// benchRecordingQueries measures first pages, and pages after a random cursor.
func benchRecordingQueries(a presence.Archive, run func(name string, call func(*testing.B))) {
	for _, c := range []struct {
		name string
		presence.RecordingQuery
		want int // recordings on each page
	}{
		{"all", presence.RecordingQuery{}, benchPageSize},
		{"anchor", presence.RecordingQuery{Anchor: "anchor000123"}, benchPageSize},
		{"anchor+code", presence.RecordingQuery{Anchor: "anchor000123", Code: "8888_anchor000123"}, benchPageSize},
		{"none", presence.RecordingQuery{Anchor: "anchor000123", Code: "8888_anchor000124"}, 0},
		{"all,most", presence.RecordingQuery{Limit: presence.MaxRecordingPageSize}, presence.MaxRecordingPageSize},
	} {
		c.Limit = max(c.Limit, benchPageSize)
		for _, from := range []string{"first", "deep"} {
			run("page/"+c.name+"/"+from, func(b *testing.B) {
				if from == "deep" {
					second := int64(benchPageSize*benchAnchors + rand.IntN(benchRecordings/2))
					c.After = presence.RecordingCursor{StartedAt: benchFirstStart + second*1000, ID: "x"}.String()
				}
				page, _, err := a.Recordings(context.Background(), c.RecordingQuery)
				if err != nil || len(page) != c.want {
					b.Fatal(len(page), err)
				}
			})
		}
	}
}
