package presencetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"onair/presence"
)

// What the benchmarks of an archive have: a thousand recordings of each anchor, as
// they come, one a second.
const (
	benchRecordings = 1_000_000
	benchAnchors    = 1_000
	benchPage       = 100 // of a page
	benchBegan      = 1_763_830_000_000
)

// benchRecording is the i-th, about as long as real ones are.
func benchRecording(i int) presence.Recording {
	anchor := fmt.Sprintf("anchor%06d", i%benchAnchors)
	rec := taken(presence.RecordingID("test", fmt.Sprint(i)), anchor, benchBegan+int64(i)*1000)
	rec.Title = "An evening with " + anchor + ", part " + fmt.Sprint(i/benchAnchors)
	rec.Cover = "https://cdn.example.com/covers/" + rec.ID + ".jpg"
	rec.Location = "https://1500000000.vod2.example.com/0123456789abcdef/" + rec.ID + "/f0.mp4"
	rec.Session, rec.PeakViewers, rec.Likes = presence.NewSession(), 1234, 56789
	return rec
}

// BenchArchive measures an empty archive that it fills with a million recordings.
// filled is called when it has.
func BenchArchive(b *testing.B, a presence.Archive, filled func(recordings int)) {
	var batch []presence.Recording
	for i := range benchRecordings {
		if batch = append(batch, benchRecording(i)); len(batch) == 1000 {
			keepAll(b, a, batch...)
			batch = batch[:0]
		}
	}
	filled(benchRecordings)
	next := benchRecordings
	keep := func(b *testing.B, at func() int) {
		for b.Loop() {
			keepAll(b, a, benchRecording(at()))
		}
	}
	b.Run("keep/new", func(b *testing.B) { keep(b, func() int { next++; return next }) })
	b.Run("keep/again", func(b *testing.B) { keep(b, func() int { return rand.IntN(benchRecordings) }) })
	b.Run("keep/new=100", func(b *testing.B) {
		for b.Loop() {
			for range 100 {
				next++
				batch = append(batch, benchRecording(next))
			}
			keepAll(b, a, batch...)
			batch = batch[:0]
		}
	})
	b.Run("recording", func(b *testing.B) {
		for b.Loop() {
			id := presence.RecordingID("test", fmt.Sprint(rand.IntN(benchRecordings)))
			if _, ok, err := a.Recording(context.Background(), id); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	deep := func() string {
		return presence.Cursor{StartedAt: benchBegan + int64(benchPage*benchAnchors+rand.IntN(benchRecordings/2))*1000, ID: "x"}.String()
	}
	for _, c := range []struct {
		of string
		presence.RecordingQuery
		want int
	}{
		{"all", presence.RecordingQuery{}, benchPage},
		{"anchor", presence.RecordingQuery{Anchor: "anchor000123"}, benchPage},
		{"anchor+code", presence.RecordingQuery{Anchor: "anchor000123", Code: "8888_anchor000123"}, benchPage},
		{"none", presence.RecordingQuery{Anchor: "anchor000123", Code: "8888_anchor000124"}, 0},
		{"all,most", presence.RecordingQuery{Limit: presence.MaxRecordingPage}, presence.MaxRecordingPage},
	} {
		c.Limit = max(c.Limit, benchPage)
		for _, from := range []string{"first", "deep"} {
			b.Run("page/"+c.of+"/"+from, func(b *testing.B) {
				for b.Loop() {
					if from == "deep" {
						c.After = deep()
					}
					page, _, err := a.Recordings(context.Background(), c.RecordingQuery)
					if err != nil || len(page) != c.want {
						b.Fatal(len(page), err)
					}
				}
			})
		}
	}
	b.Run("discard=100", func(b *testing.B) {
		for b.Loop() {
			if n, err := a.Discard(context.Background(), benchBegan+benchRecordings*1000, 100); n != 100 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}
