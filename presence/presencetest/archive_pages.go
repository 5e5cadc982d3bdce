package presencetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"onair/presence"
)

func testPageOrder(t *testing.T, a Archive) {
	mustStore(t, a, newRecording("b", "ann", 2000), newRecording("a", "ann", 2000), newRecording("d", "bob", 1000), newRecording("c", "bob", 3000), newRecording("aa", "ann", 2000))
	for limit := 1; limit <= 6; limit++ {
		expectFound(t, a, presence.RecordingQuery{Limit: limit}, "c", "b", "aa", "a", "d")
	}
	expectFound(t, a, presence.RecordingQuery{Anchor: "ann", Limit: 1}, "b", "aa", "a")
}

func testPagesMatchQuery(t *testing.T, a Archive) {
	foreign := newRecording("5", "bob", 5000)
	foreign.Code = "8888_ann" // bob pushed to ann's code
	mustStore(t, a, newRecording("1", "ann", 1000), newRecording("2", "ann", 2000), newRecording("3", "ann", 3000), newRecording("4", "bob", 4000), foreign)
	for _, c := range []struct {
		q    presence.RecordingQuery
		want []string
	}{
		{presence.RecordingQuery{Anchor: "ann"}, []string{"3", "2", "1"}},
		{presence.RecordingQuery{Anchor: "Ann"}, nil},
		{presence.RecordingQuery{Anchor: "an"}, nil},
		{presence.RecordingQuery{Code: "8888_ann"}, []string{"5", "3", "2", "1"}},
		{presence.RecordingQuery{Code: "8888_ann", Anchor: "bob"}, []string{"5"}},
		{presence.RecordingQuery{Code: "8888_bob", Anchor: "ann"}, nil},
		{presence.RecordingQuery{From: 2000}, []string{"5", "4", "3", "2"}},
		{presence.RecordingQuery{From: 2001}, []string{"5", "4", "3"}},
		{presence.RecordingQuery{To: 3000}, []string{"2", "1"}},
		{presence.RecordingQuery{To: 3001}, []string{"3", "2", "1"}},
		{presence.RecordingQuery{From: 2000, To: 4000}, []string{"3", "2"}},
		{presence.RecordingQuery{From: 3000, To: 3000}, nil},
		{presence.RecordingQuery{From: 4000, To: 2000}, nil},
		{presence.RecordingQuery{Anchor: "ann", From: 2000}, []string{"3", "2"}},
		{presence.RecordingQuery{Code: "8888_ann", From: 2000, To: 5000}, []string{"3", "2"}},
		{presence.RecordingQuery{Code: "8888_ann", Anchor: "ann", From: 1001, To: 3000}, []string{"2"}},
		{presence.RecordingQuery{To: 3001, After: presence.RecordingCursor{StartedAt: 4000, ID: "4"}.String()}, []string{"3", "2", "1"}},
		{presence.RecordingQuery{To: 5001, After: presence.RecordingCursor{StartedAt: 4000, ID: "4"}.String()}, []string{"3", "2", "1"}},
		{presence.RecordingQuery{From: 4000, After: presence.RecordingCursor{StartedAt: 4000, ID: "4"}.String()}, nil},
	} {
		for limit := 1; limit <= 3; limit++ {
			c.q.Limit = limit
			expectFound(t, a, c.q, c.want...)
		}
	}
}

func testPageLimitClamped(t *testing.T, a Archive) {
	const all = presence.MaxRecordingPageSize + 1
	var many []presence.Recording
	for i := range all {
		rec := newRecording(fmt.Sprintf("%04d", i), "ann", 1000) // all start at the same time
		if i%2 == 0 {
			rec.Code = "8888_even"
		}
		many = append(many, rec)
	}
	mustStore(t, a, many...)
	for limit, want := range map[int]int{
		-1: 1, 0: 1, 1: 1, 7: 7, presence.MaxRecordingPageSize: presence.MaxRecordingPageSize, all: presence.MaxRecordingPageSize, math.MaxInt: presence.MaxRecordingPageSize,
	} {
		page, next, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: limit})
		if err != nil || len(page) != want || next == "" {
			t.Errorf("limit %d: %d recordings, next %q, %v", limit, len(page), next, err)
		}
	}
	last := presence.RecordingCursor{StartedAt: 1000, ID: "0003"}.String()
	if page, next, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: 3, After: last}); err != nil || len(page) != 3 || next != "" {
		t.Errorf("the last three: %v, next %q, %v", recordingIDs(page), next, err)
	}
	slices.Reverse(many)
	if got := readPages(t, a, presence.RecordingQuery{Limit: 100}); !slices.Equal(got, many) {
		t.Errorf("%d recordings of one time", len(got))
	}
	if got := readPages(t, a, presence.RecordingQuery{Anchor: "ann", Code: "8888_even", Limit: 100}); len(got) != all/2+1 {
		t.Errorf("%d recordings of one time and code", len(got))
	}
}

// testPagesDuringWrites: pages have each unchanged recording once, while other calls
// write and delete recordings.
func testPagesDuringWrites(t *testing.T, a Archive) {
	const all = 60
	var unchanged []presence.Recording
	for i := range all {
		unchanged = append(unchanged, newRecording(fmt.Sprintf("still%02d", i), "ann", 1_000_000+int64(i/3))) // three of each time
	}
	mustStore(t, a, unchanged...)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				rec := newRecording(fmt.Sprint([]string{"a", "z"}[n], i%17), "ann", 1_000_000+int64(i%(all/3)))
				rec.EndedAt = 1
				if err := a.Store(ctx, []presence.Recording{rec}); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				if _, err := a.DeleteRecordings(ctx, 2, 3); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	slices.Reverse(unchanged)
	for i := range 20 {
		q := presence.RecordingQuery{Limit: 1 + i, Anchor: "ann"}
		if i%2 == 0 {
			q.Code = "8888_ann"
		}
		var seen []presence.Recording
		for _, rec := range readPages(t, a, q) {
			if rec.EndedAt != 1 {
				seen = append(seen, rec)
			}
		}
		if !slices.Equal(seen, unchanged) {
			t.Errorf("pages of %d have %v", q.Limit, recordingIDs(seen))
		}
	}
	cancel()
	wg.Wait()
}

func testCursorOutlivesRecording(t *testing.T, a Archive) {
	mustStore(t, a, newRecording("1", "ann", 1000), newRecording("2", "ann", 2000), newRecording("3", "ann", 2000), newRecording("4", "ann", 2000), newRecording("5", "ann", 3000))
	page, next, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: 3})
	if err != nil || !slices.Equal(recordingIDs(page), []string{"5", "4", "3"}) {
		t.Fatalf("%v, %v", recordingIDs(page), err)
	}
	deleted := page[2]
	deleted.EndedAt = 1
	mustStore(t, a, deleted, newRecording("35", "ann", 2000), newRecording("25", "ann", 2000))
	expectDeleted(t, a, 2, 10, 1)
	expectFound(t, a, presence.RecordingQuery{After: next}, "25", "2", "1")
}

func testInvalidCursorsRefused(t *testing.T, a Archive) {
	mustStore(t, a, newRecording("1", "ann", 1000))
	valid := presence.RecordingCursor{StartedAt: 2000, ID: "1"}.String()
	expectFound(t, a, presence.RecordingQuery{After: valid}, "1")
	for _, after := range []string{".", "0", "1000.1", valid[1:], valid[:len(valid)-1], valid + "A", valid + "=", "\n" + valid, "'; --"} {
		for _, q := range []presence.RecordingQuery{{}, {To: 1}, {Anchor: "ann", Code: "8888_ann"}} {
			q.After, q.Limit = after, 1
			if _, _, err := a.Recordings(t.Context(), q); !errors.Is(err, presence.ErrBadCursor) {
				t.Errorf("%q: %v", after, err)
			}
		}
	}
}
