package presencetest

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"onair/presence"
)

func testStoreAndReplace(t *testing.T, a Archive) {
	rec := newRecording("1", "ann", 5_000_000_000_000)
	rec.Session, rec.PeakViewers, rec.Likes, rec.Unlisted, rec.Cover = presence.NewSession(), 7, 9, true, "https://x/y.jpg"
	for _, title := range []string{"first", "second", "second"} {
		rec.Title = title
		mustStore(t, a, rec, newRecording("2", "bob", 1))
		if got, ok, err := a.Recording(t.Context(), "1"); err != nil || !ok || got != rec {
			t.Errorf("by id %+v, %v, %v, want %+v", got, ok, err, rec)
		}
		if got := readPages(t, a, presence.RecordingQuery{Limit: 1}); len(got) != 2 || got[0] != rec {
			t.Errorf("in pages %+v, want %+v", got, rec)
		}
	}
}

func testNotFoundByOldValues(t *testing.T, a Archive) {
	rec := newRecording("1", "ann", 5000)
	mustStore(t, a, rec)
	rec.Anchor = "bob"
	mustStore(t, a, rec)
	expectFound(t, a, presence.RecordingQuery{Anchor: "ann"})
	expectFound(t, a, presence.RecordingQuery{Anchor: "bob"}, "1")
	rec.Code = "8888_bob"
	mustStore(t, a, rec)
	expectFound(t, a, presence.RecordingQuery{Code: "8888_ann"})
	expectFound(t, a, presence.RecordingQuery{Code: "8888_bob", Anchor: "bob"}, "1")
	rec.StartedAt = 4000
	mustStore(t, a, rec)
	expectFound(t, a, presence.RecordingQuery{From: 4001})
	expectFound(t, a, presence.RecordingQuery{Anchor: "bob", From: 4001})
	expectFound(t, a, presence.RecordingQuery{Code: "8888_bob", To: 4001}, "1")
	rec.EndedAt = 9000
	mustStore(t, a, rec)
	expectDeleted(t, a, 9000, 10, 0)
	rec.Anchor, rec.Code = "", ""
	mustStore(t, a, rec)
	expectFound(t, a, presence.RecordingQuery{Anchor: "bob"})
	expectFound(t, a, presence.RecordingQuery{Code: "8888_bob"})
	expectFound(t, a, presence.RecordingQuery{}, "1")
	expectDeleted(t, a, 9001, 10, 1)
	expectFound(t, a, presence.RecordingQuery{})
}

func testLastOfSameIDWins(t *testing.T, a Archive) {
	mustStore(t, a, newRecording("1", "ann", 1000), newRecording("2", "ann", 2000), newRecording("1", "bob", 3000), newRecording("1", "cid", 4000))
	expectFound(t, a, presence.RecordingQuery{Anchor: "ann"}, "2")
	expectFound(t, a, presence.RecordingQuery{Anchor: "bob"})
	expectFound(t, a, presence.RecordingQuery{}, "1", "2")
}

func testDeleteEndedBefore(t *testing.T, a Archive) {
	var all []presence.Recording
	for i := range 250 {
		rec := newRecording(fmt.Sprintf("%03d", i), "ann", int64(10_000-i))
		rec.EndedAt = int64(1000 + i)
		all = append(all, rec)
	}
	mustStore(t, a, all...)
	deleted := 0
	for _, c := range []struct {
		before      int64
		limit, want int
	}{
		{1000, 10, 0},
		{1001, 10, 1},
		{1250, 0, 0},
		{1250, -1, 0},
		{1250, 3, 3},
		{1004, 10, 0},
		{1205, 1000, 201}, // more than one transaction deletes
		{math.MaxInt64, 1000, 45},
		{math.MaxInt64, 1000, 0},
	} {
		n, err := a.DeleteRecordings(t.Context(), c.before, c.limit)
		if n != c.want || err != nil {
			t.Errorf("%+v: deleted %d, %v", c, n, err)
		}
		deleted += n
		if got := readPages(t, a, presence.RecordingQuery{Limit: 100}); !slices.Equal(got, all[deleted:]) {
			t.Errorf("%+v: left %v", c, recordingIDs(got))
		}
	}
	if _, ok, err := a.Recording(t.Context(), "100"); ok || err != nil {
		t.Errorf("a deleted recording: %v, %v", ok, err)
	}
	expectFound(t, a, presence.RecordingQuery{Anchor: "ann"})
	expectFound(t, a, presence.RecordingQuery{Code: "8888_ann"})
}

// testConcurrentStoresOfOne: the archive has one whole recording, and queries find it
// by its values alone.
func testConcurrentStoresOfOne(t *testing.T, a Archive) {
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 25 {
				if err := a.Store(t.Context(), []presence.Recording{newRecording("1", fmt.Sprint("anchor", n), int64(i%5*1000))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	rec, ok, err := a.Recording(t.Context(), "1")
	if !ok || err != nil || rec != newRecording("1", rec.Anchor, rec.StartedAt) {
		t.Fatalf("%+v, %v, %v", rec, ok, err)
	}
	expectFound(t, a, presence.RecordingQuery{}, "1")
	for n := range 8 {
		anchor, want := fmt.Sprint("anchor", n), []string(nil)
		if anchor == rec.Anchor {
			want = []string{"1"}
		}
		expectFound(t, a, presence.RecordingQuery{Anchor: anchor}, want...)
		expectFound(t, a, presence.RecordingQuery{Code: "8888_" + anchor}, want...)
	}
}

// testConcurrentStoresAndDeletes: each deleted recording is counted once, and the
// others are still there.
func testConcurrentStoresAndDeletes(t *testing.T, a Archive) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	deleted := 0
	deleteSome := func() {
		n, err := a.DeleteRecordings(t.Context(), 500, 7)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		deleted += n
		mu.Unlock()
	}
	const each = 40
	for n := range 4 {
		wg.Go(func() {
			for i := range each {
				expired := newRecording(fmt.Sprint("old", n, "x", i), "ann", int64(i))
				expired.EndedAt = int64(i)
				if err := a.Store(t.Context(), []presence.Recording{expired, newRecording(fmt.Sprint("new", n, "x", i), "ann", int64(i))}); err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					deleteSome()
				}
			}
		})
	}
	wg.Wait()
	for before := -1; before != deleted; {
		before = deleted
		deleteSome()
	}
	if left := len(readPages(t, a, presence.RecordingQuery{Limit: 100})); deleted != 4*each || left != 4*each {
		t.Errorf("%d deleted, %d left, want %d each", deleted, left, 4*each)
	}
}
