package presencetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"onair/presence"
)

// Archive is a presence.Archive that its owner can close.
type Archive interface {
	presence.Archive
	Close() error
}

// RunArchiveSuite runs the tests that every presence.Archive passes. open opens an
// empty archive, reopen one that was closed; a nil reopen means it is in memory.
func RunArchiveSuite(t *testing.T, open, reopen func(t *testing.T) Archive) {
	for name, test := range map[string]func(*testing.T, Archive){
		"an empty archive has no recordings":                   testEmptyArchive,
		"recordings are stored whole, and replaced":            testStoreAndReplace,
		"a replaced recording is not found by its old values":  testNotFoundByOldValues,
		"of several recordings with one id the last is stored": testLastOfSameIDWins,
		"pages are in order":                                   testPageOrder,
		"pages match their query":                              testPagesMatchQuery,
		"a page's limit is clamped":                            testPageLimitClamped,
		"pages are complete during writes":                     testPagesDuringWrites,
		"a cursor outlives its recording":                      testCursorOutlivesRecording,
		"invalid cursors are refused":                          testInvalidCursorsRefused,
		"recordings that ended before a time are deleted":      testDeleteEndedBefore,
		"concurrent writes of one recording leave one":         testConcurrentStoresOfOne,
		"concurrent writes and deletions lose nothing":         testConcurrentStoresAndDeletes,
		"calls end with their context":                         testCallsEndWithContext,
		"calls fail after Close":                               testCallsFailAfterClose,
		"an archive equals its model":                          func(t *testing.T, a Archive) { CheckArchiveAgainstModel(t, a) },
		"unusual texts and times are stored and found":         testUnusualTextsAndTimes,
	} {
		t.Run(name, func(t *testing.T) { test(t, openArchive(t, open)) })
	}
	if reopen == nil {
		return
	}
	t.Run("recordings survive reopen", func(t *testing.T) {
		testRecordingsSurviveReopen(t, openArchive(t, open), func(t *testing.T) Archive { return openArchive(t, reopen) })
	})
}

// openArchive opens an archive, and closes it when the test ends.
func openArchive(t *testing.T, open func(t *testing.T) Archive) Archive {
	t.Helper()
	a := open(t)
	t.Cleanup(func() { a.Close() })
	return a
}

// newRecording returns a recording of one second.
func newRecording(id, anchor string, started int64) presence.Recording {
	return presence.Recording{
		ID: id, Provider: "test", Code: "8888_" + anchor, Anchor: anchor, Title: "of " + anchor,
		StartedAt: started, EndedAt: started + 1000, Duration: 1000, Format: "mp4", Size: 1 << 40, Location: "https://x/" + id,
	}
}

// failer is the part of testing.TB that rapid.T has, too.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func mustStore(t failer, a presence.Archive, recordings ...presence.Recording) {
	t.Helper()
	if err := a.Store(context.Background(), recordings); err != nil {
		t.Fatal(err)
	}
}

// readPages reads all pages of a query.
func readPages(t failer, a presence.Archive, q presence.RecordingQuery) (all []presence.Recording) {
	t.Helper()
	for {
		page, next, err := a.Recordings(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page...); next == "" {
			return all
		}
		if len(page) != q.PageSize() {
			t.Fatalf("a page of %d recordings is not the last, want %d", len(page), q.PageSize())
		}
		if q.After = next; len(all) > 10*presence.MaxRecordingPageSize {
			t.Fatal("too many pages")
		}
	}
}

func recordingIDs(recordings []presence.Recording) []string {
	ids := make([]string, len(recordings))
	for i := range recordings {
		ids[i] = recordings[i].ID
	}
	return ids
}

func expectFound(t *testing.T, a presence.Archive, q presence.RecordingQuery, wantIDs ...string) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 2
	}
	if got := recordingIDs(readPages(t, a, q)); !slices.Equal(got, wantIDs) && len(got)+len(wantIDs) > 0 {
		t.Errorf("%+v finds %v, want %v", q, got, wantIDs)
	}
}

// expectDeleted deletes recordings that ended before a time, and compares their number.
func expectDeleted(t *testing.T, a presence.Archive, before int64, limit, want int) {
	t.Helper()
	if n, err := a.DeleteRecordings(t.Context(), before, limit); n != want || err != nil {
		t.Errorf("before %d deleted %d of at most %d, want %d, %v", before, n, limit, want, err)
	}
}

func testEmptyArchive(t *testing.T, a Archive) {
	expectFound(t, a, presence.RecordingQuery{})
	expectFound(t, a, presence.RecordingQuery{Anchor: "ann", Code: "8888_ann", From: 1, To: 2, After: presence.RecordingCursor{}.String()})
	if _, ok, err := a.Recording(t.Context(), "1"); ok || err != nil {
		t.Errorf("a missing recording: %v, %v", ok, err)
	}
	expectDeleted(t, a, math.MaxInt64, 10, 0)
	mustStore(t, a)
}

func testCallsEndWithContext(t *testing.T, a Archive) {
	mustStore(t, a, newRecording("1", "ann", 1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := a.Recordings(ctx, presence.RecordingQuery{Limit: 1})
	_, _, err2 := a.Recording(ctx, "1")
	n, err3 := a.DeleteRecordings(ctx, math.MaxInt64, 1)
	for i, err := range []error{a.Store(ctx, []presence.Recording{newRecording("2", "ann", 1)}), err, err2, err3} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d, cancelled: %v", i, err)
		}
	}
	if n != 0 {
		t.Errorf("%d deleted", n)
	}
	expectFound(t, a, presence.RecordingQuery{}, "1")
}

func testCallsFailAfterClose(t *testing.T, a Archive) {
	mustStore(t, a, newRecording("1", "ann", 1000))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: 1})
	_, _, err2 := a.Recording(t.Context(), "1")
	_, err3 := a.DeleteRecordings(t.Context(), math.MaxInt64, 1)
	for i, err := range []error{a.Store(t.Context(), []presence.Recording{newRecording("2", "ann", 1)}), err, err2, err3} {
		if err == nil {
			t.Errorf("call %d succeeds after Close", i)
		}
	}
}

func testUnusualTextsAndTimes(t *testing.T, a Archive) {
	var all []presence.Recording
	for _, at := range []int64{math.MinInt64, -1, 0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64} {
		for _, text := range []string{"", "a", "a\x00b", "\xff", "{x}:y", "'; DROP", "\U0001f3a5 \u2028"} {
			all = append(all, presence.Recording{ID: fmt.Sprint(text, at), Anchor: text, Code: text, Title: text, StartedAt: at, EndedAt: at})
		}
	}
	mustStore(t, a, all...)
	slices.SortFunc(all, func(a, b presence.Recording) int { return a.Cursor().CompareNewestFirst(b.Cursor()) })
	if got := readPages(t, a, presence.RecordingQuery{Limit: 3}); !slices.Equal(got, all) {
		t.Errorf("the archive has %+v", got)
	}
	for _, rec := range all {
		if got, ok, err := a.Recording(t.Context(), rec.ID); !ok || err != nil || got != rec {
			t.Errorf("%+v, %v, %v, want %+v", got, ok, err, rec)
		}
		if got := readPages(t, a, presence.RecordingQuery{Anchor: rec.Anchor, Code: rec.Code, Limit: 4}); rec.Anchor != "" && len(got) != 7 {
			t.Errorf("%q has %d recordings", rec.Anchor, len(got))
		}
	}
	expectFound(t, a, presence.RecordingQuery{Anchor: "a", From: 1<<53 + 1}, fmt.Sprint("a", math.MaxInt64), fmt.Sprint("a", 1<<53+1))
	expectDeleted(t, a, 1<<53+1, 100, 5*7)
}

func testRecordingsSurviveReopen(t *testing.T, a Archive, reopen func(t *testing.T) Archive) {
	mustStore(t, a, newRecording("1", "ann", 1000), newRecording("2", "ann", 2000), newRecording("3", "bob", 3000))
	mustStore(t, a, newRecording("1", "cid", 4000))
	expectDeleted(t, a, 3001, 10, 1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = reopen(t)
	expectFound(t, a, presence.RecordingQuery{}, "1", "3")
	expectFound(t, a, presence.RecordingQuery{Anchor: "ann"})
	if rec, ok, err := a.Recording(t.Context(), "1"); !ok || err != nil || rec != newRecording("1", "cid", 4000) {
		t.Errorf("%+v, %v, %v", rec, ok, err)
	}
}
