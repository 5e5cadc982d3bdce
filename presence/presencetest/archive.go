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

// Archive is one that can be closed.
type Archive interface {
	presence.Archive
	Close() error
}

// RunArchive is the suite that every presence.Archive passes. open gives an empty
// one, reopen gives one again after it was closed; nil: it keeps nothing.
func RunArchive(t *testing.T, open, reopen func(t *testing.T) Archive) {
	for name, test := range map[string]func(*testing.T, Archive){
		"an empty archive has nothing":               testNothingKept,
		"recordings are kept whole, and replaced":    testKeep,
		"what is replaced is not found as it was":    testReplaced,
		"of several of one id the last counts":       testOneID,
		"pages are in order":                         testPageOrder,
		"pages have what was asked for":              testFilters,
		"a page has its limit, within bounds":        testLimits,
		"pages go on while others come and go":       testPagesMove,
		"a cursor outlives its recording":            testCursorStays,
		"strange cursors are refused":                testCursors,
		"what ended before a time is discarded":      testDiscard,
		"one is kept by many at once":                testKeepOne,
		"many are kept and discarded at once":        testKeepMany,
		"calls end with their context":               testArchiveCancel,
		"nothing is answered after Close":            testArchiveClose,
		"it does what a model of it does":            func(t *testing.T, a Archive) { CheckArchive(t, a) },
		"strange texts and times are kept and found": testStrange,
	} {
		t.Run(name, func(t *testing.T) { test(t, opened(t, open)) })
	}
	if reopen == nil {
		return
	}
	t.Run("what was kept is there after reopen", func(t *testing.T) {
		testArchiveReopen(t, opened(t, open), func(t *testing.T) Archive { return opened(t, reopen) })
	})
}

// opened is closed when the test ends.
func opened(t *testing.T, open func(t *testing.T) Archive) Archive {
	t.Helper()
	a := open(t)
	t.Cleanup(func() { a.Close() })
	return a
}

// taken is a recording of an anchor.
func taken(id, anchor string, started int64) presence.Recording {
	return presence.Recording{
		ID: id, Provider: "test", Code: "8888_" + anchor, Anchor: anchor, Title: "of " + anchor,
		StartedAt: started, EndedAt: started + 1000, Duration: 1000, Format: "mp4", Size: 1 << 40, Location: "https://x/" + id,
	}
}

// fataler is a test, or one that rapid makes.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// keepAll is Keep that must succeed.
func keepAll(t fataler, a presence.Archive, recordings ...presence.Recording) {
	t.Helper()
	if err := a.Keep(context.Background(), recordings); err != nil {
		t.Fatal(err)
	}
}

// pages reads all that a query asks for, page by page.
func pages(t fataler, a presence.Archive, q presence.RecordingQuery) (all []presence.Recording) {
	t.Helper()
	for {
		page, next, err := a.Recordings(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page...); next == "" {
			return all
		}
		if len(page) != q.Most() {
			t.Fatalf("a page of %d says that there are more, of %d", len(page), q.Most())
		}
		if q.After = next; len(all) > 10*presence.MaxRecordingPage {
			t.Fatal("pages come without an end")
		}
	}
}

// idsOf names recordings.
func idsOf(recordings []presence.Recording) []string {
	ids := make([]string, len(recordings))
	for i := range recordings {
		ids[i] = recordings[i].ID
	}
	return ids
}

func finds(t *testing.T, a presence.Archive, q presence.RecordingQuery, want ...string) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 2
	}
	if got := idsOf(pages(t, a, q)); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("%+v finds %v, want %v", q, got, want)
	}
}

func testNothingKept(t *testing.T, a Archive) {
	finds(t, a, presence.RecordingQuery{})
	finds(t, a, presence.RecordingQuery{Anchor: "ann", Code: "8888_ann", From: 1, To: 2, After: presence.Cursor{}.String()})
	if _, ok, err := a.Recording(t.Context(), "1"); ok || err != nil {
		t.Errorf("one that is not there: %v, %v", ok, err)
	}
	if n, err := a.Discard(t.Context(), math.MaxInt64, 10); n != 0 || err != nil {
		t.Errorf("discarded %d, %v", n, err)
	}
	keepAll(t, a)
}

func testKeep(t *testing.T, a Archive) {
	rec := taken("1", "ann", 5_000_000_000_000)
	rec.Session, rec.PeakViewers, rec.Likes, rec.Unlisted, rec.Cover = presence.NewSession(), 7, 9, true, "https://x/y.jpg"
	for _, title := range []string{"first", "second", "second"} {
		rec.Title = title
		keepAll(t, a, rec, taken("2", "bob", 1))
		if got, ok, err := a.Recording(t.Context(), "1"); err != nil || !ok || got != rec {
			t.Errorf("by id %+v, %v, %v, want %+v", got, ok, err, rec)
		}
		if got := pages(t, a, presence.RecordingQuery{Limit: 1}); len(got) != 2 || got[0] != rec {
			t.Errorf("in pages %+v, want %+v", got, rec)
		}
	}
}

func testReplaced(t *testing.T, a Archive) {
	rec := taken("1", "ann", 5000)
	keepAll(t, a, rec)
	rec.Anchor = "bob"
	keepAll(t, a, rec)
	finds(t, a, presence.RecordingQuery{Anchor: "ann"})
	finds(t, a, presence.RecordingQuery{Anchor: "bob"}, "1")
	rec.Code = "8888_bob"
	keepAll(t, a, rec)
	finds(t, a, presence.RecordingQuery{Code: "8888_ann"})
	finds(t, a, presence.RecordingQuery{Code: "8888_bob", Anchor: "bob"}, "1")
	rec.StartedAt = 4000
	keepAll(t, a, rec)
	finds(t, a, presence.RecordingQuery{From: 4001})
	finds(t, a, presence.RecordingQuery{Anchor: "bob", From: 4001})
	finds(t, a, presence.RecordingQuery{Code: "8888_bob", To: 4001}, "1")
	rec.EndedAt = 9000
	keepAll(t, a, rec)
	if n, err := a.Discard(t.Context(), 9000, 10); n != 0 || err != nil {
		t.Errorf("by its old end %d were discarded, %v", n, err)
	}
	rec.Anchor, rec.Code = "", ""
	keepAll(t, a, rec)
	finds(t, a, presence.RecordingQuery{Anchor: "bob"})
	finds(t, a, presence.RecordingQuery{Code: "8888_bob"})
	finds(t, a, presence.RecordingQuery{}, "1")
	if n, err := a.Discard(t.Context(), 9001, 10); n != 1 || err != nil {
		t.Errorf("discarded %d, %v", n, err)
	}
	finds(t, a, presence.RecordingQuery{})
}

func testOneID(t *testing.T, a Archive) {
	keepAll(t, a, taken("1", "ann", 1000), taken("2", "ann", 2000), taken("1", "bob", 3000), taken("1", "cid", 4000))
	finds(t, a, presence.RecordingQuery{Anchor: "ann"}, "2")
	finds(t, a, presence.RecordingQuery{Anchor: "bob"})
	finds(t, a, presence.RecordingQuery{}, "1", "2")
}

func testPageOrder(t *testing.T, a Archive) {
	keepAll(t, a, taken("b", "ann", 2000), taken("a", "ann", 2000), taken("d", "bob", 1000), taken("c", "bob", 3000), taken("aa", "ann", 2000))
	for limit := 1; limit <= 6; limit++ {
		finds(t, a, presence.RecordingQuery{Limit: limit}, "c", "b", "aa", "a", "d")
	}
	finds(t, a, presence.RecordingQuery{Anchor: "ann", Limit: 1}, "b", "aa", "a")
}

func testFilters(t *testing.T, a Archive) {
	other := taken("5", "bob", 5000)
	other.Code = "8888_ann" // bob pushed to the code of another
	keepAll(t, a, taken("1", "ann", 1000), taken("2", "ann", 2000), taken("3", "ann", 3000), taken("4", "bob", 4000), other)
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
		{presence.RecordingQuery{To: 3001, After: presence.Cursor{StartedAt: 4000, ID: "4"}.String()}, []string{"3", "2", "1"}},
		{presence.RecordingQuery{To: 5001, After: presence.Cursor{StartedAt: 4000, ID: "4"}.String()}, []string{"3", "2", "1"}},
		{presence.RecordingQuery{From: 4000, After: presence.Cursor{StartedAt: 4000, ID: "4"}.String()}, nil},
	} {
		for limit := 1; limit <= 3; limit++ {
			c.q.Limit = limit
			finds(t, a, c.q, c.want...)
		}
	}
}

func testLimits(t *testing.T, a Archive) {
	const all = presence.MaxRecordingPage + 1
	var many []presence.Recording
	for i := range all {
		rec := taken(fmt.Sprintf("%04d", i), "ann", 1000) // all at one time
		if i%2 == 0 {
			rec.Code = "8888_even"
		}
		many = append(many, rec)
	}
	keepAll(t, a, many...)
	for limit, want := range map[int]int{
		-1: 1, 0: 1, 1: 1, 7: 7, presence.MaxRecordingPage: presence.MaxRecordingPage, all: presence.MaxRecordingPage, math.MaxInt: presence.MaxRecordingPage,
	} {
		page, next, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: limit})
		if err != nil || len(page) != want || next == "" {
			t.Errorf("limit %d: %d recordings, next %q, %v", limit, len(page), next, err)
		}
	}
	last := presence.Cursor{StartedAt: 1000, ID: "0003"}.String()
	if page, next, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: 3, After: last}); err != nil || len(page) != 3 || next != "" {
		t.Errorf("the last three: %v, next %q, %v", idsOf(page), next, err)
	}
	slices.Reverse(many)
	if got := pages(t, a, presence.RecordingQuery{Limit: 100}); !slices.Equal(got, many) {
		t.Errorf("all of one time are %d", len(got))
	}
	if got := pages(t, a, presence.RecordingQuery{Anchor: "ann", Code: "8888_even", Limit: 100}); len(got) != all/2+1 {
		t.Errorf("every second one of one time are %d", len(got))
	}
}

// testPagesMove: what is there all along comes once, whatever comes and goes.
func testPagesMove(t *testing.T, a Archive) {
	const all = 60
	var still []presence.Recording
	for i := range all {
		still = append(still, taken(fmt.Sprintf("still%02d", i), "ann", 1_000_000+int64(i/3))) // three of each time
	}
	keepAll(t, a, still...)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				rec := taken(fmt.Sprint([]string{"a", "z"}[n], i%17), "ann", 1_000_000+int64(i%(all/3)))
				rec.EndedAt = 1
				if err := a.Keep(ctx, []presence.Recording{rec}); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				if _, err := a.Discard(ctx, 2, 3); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	slices.Reverse(still)
	for i := range 20 {
		q := presence.RecordingQuery{Limit: 1 + i, Anchor: "ann"}
		if i%2 == 0 {
			q.Code = "8888_ann"
		}
		var seen []presence.Recording
		for _, rec := range pages(t, a, q) {
			if rec.EndedAt != 1 {
				seen = append(seen, rec)
			}
		}
		if !slices.Equal(seen, still) {
			t.Errorf("in pages of %d came %v", q.Limit, idsOf(seen))
		}
	}
	cancel()
	wg.Wait()
}

func testCursorStays(t *testing.T, a Archive) {
	keepAll(t, a, taken("1", "ann", 1000), taken("2", "ann", 2000), taken("3", "ann", 2000), taken("4", "ann", 2000), taken("5", "ann", 3000))
	page, next, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: 3})
	if err != nil || !slices.Equal(idsOf(page), []string{"5", "4", "3"}) {
		t.Fatalf("%v, %v", idsOf(page), err)
	}
	gone := page[2]
	gone.EndedAt = 1
	keepAll(t, a, gone, taken("35", "ann", 2000), taken("25", "ann", 2000))
	if n, err := a.Discard(t.Context(), 2, 10); n != 1 || err != nil {
		t.Fatalf("discarded %d, %v", n, err)
	}
	finds(t, a, presence.RecordingQuery{After: next}, "25", "2", "1")
}

func testCursors(t *testing.T, a Archive) {
	keepAll(t, a, taken("1", "ann", 1000))
	good := presence.Cursor{StartedAt: 2000, ID: "1"}.String()
	finds(t, a, presence.RecordingQuery{After: good}, "1")
	for _, after := range []string{".", "0", "1000.1", good[1:], good[:len(good)-1], good + "A", good + "=", "\n" + good, "'; --"} {
		for _, q := range []presence.RecordingQuery{{}, {To: 1}, {Anchor: "ann", Code: "8888_ann"}} {
			q.After, q.Limit = after, 1
			if _, _, err := a.Recordings(t.Context(), q); !errors.Is(err, presence.ErrBadCursor) {
				t.Errorf("%q: %v", after, err)
			}
		}
	}
}

func testDiscard(t *testing.T, a Archive) {
	var all []presence.Recording
	for i := range 250 {
		rec := taken(fmt.Sprintf("%03d", i), "ann", int64(10_000-i))
		rec.EndedAt = int64(1000 + i)
		all = append(all, rec)
	}
	keepAll(t, a, all...)
	at := 0
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
		{1205, 1000, 201}, // more than homes do at once
		{math.MaxInt64, 1000, 45},
		{math.MaxInt64, 1000, 0},
	} {
		n, err := a.Discard(t.Context(), c.before, c.limit)
		if n != c.want || err != nil {
			t.Errorf("%+v: discarded %d, %v", c, n, err)
		}
		at += n
		if got := pages(t, a, presence.RecordingQuery{Limit: 100}); !slices.Equal(got, all[at:]) {
			t.Errorf("%+v: left are %v", c, idsOf(got))
		}
	}
	if _, ok, err := a.Recording(t.Context(), "100"); ok || err != nil {
		t.Errorf("one that was discarded: %v, %v", ok, err)
	}
	finds(t, a, presence.RecordingQuery{Anchor: "ann"})
	finds(t, a, presence.RecordingQuery{Code: "8888_ann"})
}

// testKeepOne: whoever is last, there is one, whole, and found by what it is.
func testKeepOne(t *testing.T, a Archive) {
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 25 {
				if err := a.Keep(t.Context(), []presence.Recording{taken("1", fmt.Sprint("anchor", n), int64(i%5*1000))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	rec, ok, err := a.Recording(t.Context(), "1")
	if !ok || err != nil || rec != taken("1", rec.Anchor, rec.StartedAt) {
		t.Fatalf("%+v, %v, %v", rec, ok, err)
	}
	finds(t, a, presence.RecordingQuery{}, "1")
	for n := range 8 {
		who, want := fmt.Sprint("anchor", n), []string(nil)
		if who == rec.Anchor {
			want = []string{"1"}
		}
		finds(t, a, presence.RecordingQuery{Anchor: who}, want...)
		finds(t, a, presence.RecordingQuery{Code: "8888_" + who}, want...)
	}
}

// testKeepMany: what is discarded is counted once, and what is not is there.
func testKeepMany(t *testing.T, a Archive) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	gone := 0
	discard := func() {
		n, err := a.Discard(t.Context(), 500, 7)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		gone += n
		mu.Unlock()
	}
	const each = 40
	for n := range 4 {
		wg.Go(func() {
			for i := range each {
				old := taken(fmt.Sprint("old", n, "x", i), "ann", int64(i))
				old.EndedAt = int64(i)
				if err := a.Keep(t.Context(), []presence.Recording{old, taken(fmt.Sprint("new", n, "x", i), "ann", int64(i))}); err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					discard()
				}
			}
		})
	}
	wg.Wait()
	for before := -1; before != gone; {
		before = gone
		discard()
	}
	if left := len(pages(t, a, presence.RecordingQuery{Limit: 100})); gone != 4*each || left != 4*each {
		t.Errorf("%d were discarded, %d are left, want %d each", gone, left, 4*each)
	}
}

func testArchiveCancel(t *testing.T, a Archive) {
	keepAll(t, a, taken("1", "ann", 1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := a.Recordings(ctx, presence.RecordingQuery{Limit: 1})
	_, _, err2 := a.Recording(ctx, "1")
	n, err3 := a.Discard(ctx, math.MaxInt64, 1)
	for i, err := range []error{a.Keep(ctx, []presence.Recording{taken("2", "ann", 1)}), err, err2, err3} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d, cancelled: %v", i, err)
		}
	}
	if n != 0 {
		t.Errorf("%d were discarded", n)
	}
	finds(t, a, presence.RecordingQuery{}, "1")
}

func testArchiveClose(t *testing.T, a Archive) {
	keepAll(t, a, taken("1", "ann", 1000))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: 1})
	_, _, err2 := a.Recording(t.Context(), "1")
	_, err3 := a.Discard(t.Context(), math.MaxInt64, 1)
	for i, err := range []error{a.Keep(t.Context(), []presence.Recording{taken("2", "ann", 1)}), err, err2, err3} {
		if err == nil {
			t.Errorf("call %d succeeds after Close", i)
		}
	}
}

func testStrange(t *testing.T, a Archive) {
	var all []presence.Recording
	for _, at := range []int64{math.MinInt64, -1, 0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64} {
		for _, text := range []string{"", "a", "a\x00b", "\xff", "{x}:y", "'; DROP", "\U0001f3a5 \u2028"} {
			all = append(all, presence.Recording{ID: fmt.Sprint(text, at), Anchor: text, Code: text, Title: text, StartedAt: at, EndedAt: at})
		}
	}
	keepAll(t, a, all...)
	slices.SortFunc(all, func(a, b presence.Recording) int { return a.Cursor().Compare(b.Cursor()) })
	if got := pages(t, a, presence.RecordingQuery{Limit: 3}); !slices.Equal(got, all) {
		t.Errorf("there are %+v", got)
	}
	for _, rec := range all {
		if got, ok, err := a.Recording(t.Context(), rec.ID); !ok || err != nil || got != rec {
			t.Errorf("%+v, %v, %v, want %+v", got, ok, err, rec)
		}
		if got := pages(t, a, presence.RecordingQuery{Anchor: rec.Anchor, Code: rec.Code, Limit: 4}); rec.Anchor != "" && len(got) != 7 {
			t.Errorf("of %q there are %d", rec.Anchor, len(got))
		}
	}
	finds(t, a, presence.RecordingQuery{Anchor: "a", From: 1<<53 + 1}, fmt.Sprint("a", math.MaxInt64), fmt.Sprint("a", 1<<53+1))
	if n, err := a.Discard(t.Context(), 1<<53+1, 100); n != 5*7 || err != nil {
		t.Errorf("discarded %d, %v", n, err)
	}
}

func testArchiveReopen(t *testing.T, a Archive, reopen func(t *testing.T) Archive) {
	keepAll(t, a, taken("1", "ann", 1000), taken("2", "ann", 2000), taken("3", "bob", 3000))
	keepAll(t, a, taken("1", "cid", 4000))
	if n, err := a.Discard(t.Context(), 3001, 10); n != 1 || err != nil {
		t.Fatalf("discarded %d, %v", n, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = reopen(t)
	finds(t, a, presence.RecordingQuery{}, "1", "3")
	finds(t, a, presence.RecordingQuery{Anchor: "ann"})
	if rec, ok, err := a.Recording(t.Context(), "1"); !ok || err != nil || rec != taken("1", "cid", 4000) {
		t.Errorf("%+v, %v, %v", rec, ok, err)
	}
}
