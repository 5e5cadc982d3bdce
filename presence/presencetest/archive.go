package presencetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"onair/presence"
)

// RunArchive is the suite that every presence.Archive passes. open gives an empty
// one; reopen gives one again after it was closed, nil: it keeps nothing.
func RunArchive(t *testing.T, open, reopen func(t *testing.T) Archive) {
	t.Run("recordings are kept and replaced", func(t *testing.T) { testKeep(t, shelf(t, open)) })
	t.Run("pages have what was asked for", func(t *testing.T) { testPages(t, shelf(t, open)) })
	t.Run("pages go on while others come and go", func(t *testing.T) { testPagesMove(t, shelf(t, open)) })
	t.Run("old ones are discarded", func(t *testing.T) { testDiscard(t, shelf(t, open)) })
	t.Run("strange cursors are refused", func(t *testing.T) { testCursors(t, shelf(t, open)) })
	t.Run("calls end with their context, and with the archive", func(t *testing.T) { testArchiveEnds(t, open(t)) })
	if reopen != nil {
		t.Run("what was kept is there after reopen", func(t *testing.T) {
			a := open(t)
			keep(t, a, recording("1", 1, "ann"))
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := shelf(t, reopen).Recording(t.Context(), "1"); err != nil || !ok {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
}

// Archive is one that can be closed.
type Archive interface {
	presence.Archive
	Close() error
}

func shelf(t *testing.T, open func(t *testing.T) Archive) Archive {
	t.Helper()
	a := open(t)
	t.Cleanup(func() { a.Close() })
	return a
}

func recording(id string, started int64, anchor string) presence.Recording {
	return presence.Recording{
		ID: id, Provider: "test", Code: "8888_" + anchor, Anchor: anchor, Title: "of " + anchor + ", \"quoted\" \u2028 \xf0\x9f\x8e\xa5",
		StartedAt: started, EndedAt: started + 1000, Duration: 1000, Format: "mp4", Size: 1 << 40, Location: "https://x/" + id,
	}
}

func keep(t interface {
	Helper()
	Fatal(...any)
}, a presence.Archive, recordings ...presence.Recording,
) {
	t.Helper()
	if err := a.Keep(context.Background(), recordings); err != nil {
		t.Fatal(err)
	}
}

func testKeep(t *testing.T, a Archive) {
	rec := recording("1", 5_000_000_000_000, "ann")
	rec.Session, rec.PeakViewers, rec.Likes, rec.Unlisted, rec.Cover = presence.NewSession(), 7, 9, true, "https://x/y.jpg"
	keep(t, a, rec)
	if got, ok, err := a.Recording(t.Context(), "1"); err != nil || !ok || got != rec {
		t.Errorf("%+v, %v, %v, want %+v", got, ok, err, rec)
	}
	if _, ok, err := a.Recording(t.Context(), "2"); err != nil || ok {
		t.Errorf("one that is not there: %v, %v", ok, err)
	}
	moved := rec
	moved.Anchor, moved.Code, moved.StartedAt = "bob", "8888_bob", 4_000_000_000_000
	keep(t, a, moved)
	for _, q := range []presence.RecordingQuery{{Anchor: "ann"}, {Code: "8888_ann"}, {From: 4_500_000_000_000}} {
		q.Limit = 10
		if page, _, err := a.Recordings(t.Context(), q); err != nil || len(page) != 0 {
			t.Errorf("%+v still finds it: %+v, %v", q, page, err)
		}
	}
	for _, q := range []presence.RecordingQuery{{Anchor: "bob"}, {Code: "8888_bob"}, {To: 4_500_000_000_000}, {}} {
		q.Limit = 10
		if page, next, err := a.Recordings(t.Context(), q); err != nil || len(page) != 1 || page[0] != moved || next != "" {
			t.Errorf("%+v finds %+v, %q, %v", q, page, next, err)
		}
	}
	keep(t, a)
}

// naive is what a query is to find.
func naive(all map[string]presence.Recording, q presence.RecordingQuery) (found []string) {
	var recs []presence.Recording
	for _, rec := range all {
		if (q.Anchor == "" || rec.Anchor == q.Anchor) && (q.Code == "" || rec.Code == q.Code) &&
			rec.StartedAt >= q.From && (q.To == 0 || rec.StartedAt < q.To) {
			recs = append(recs, rec)
		}
	}
	slices.SortFunc(recs, func(a, b presence.Recording) int {
		return cmp.Or(cmp.Compare(b.StartedAt, a.StartedAt), strings.Compare(b.ID, a.ID))
	})
	for _, rec := range recs {
		found = append(found, rec.ID)
	}
	return found
}

// pages reads all of a query.
func pages(t interface{ Fatalf(string, ...any) }, a presence.Archive, q presence.RecordingQuery) (found []string) {
	for {
		page, next, err := a.Recordings(context.Background(), q)
		if err != nil || len(page) > q.Limit || next != "" && len(page) == 0 {
			t.Fatalf("%+v: %d, %q, %v", q, len(page), next, err)
		}
		for _, rec := range page {
			found = append(found, rec.ID)
		}
		if q.After = next; next == "" {
			return found
		}
	}
}

func testPages(t *testing.T, a Archive) {
	all := map[string]presence.Recording{}
	anchors := []string{"", "ann", "bob"}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 4).Draw(rt, "kept") {
			anchor := rapid.SampledFrom(anchors[1:]).Draw(rt, "anchor")
			rec := recording(rapid.StringMatching("[a-f]{1,2}").Draw(rt, "id"), rapid.Int64Range(1, 6).Draw(rt, "started"), anchor)
			if rapid.IntRange(0, 5).Draw(rt, "foreign") == 0 {
				rec.Code = "8888_other"
			}
			all[rec.ID] = rec
			keep(rt, a, rec)
		}
		q := presence.RecordingQuery{
			Anchor: rapid.SampledFrom(anchors).Draw(rt, "asked anchor"), Limit: rapid.IntRange(1, 5).Draw(rt, "limit"),
			Code: rapid.SampledFrom([]string{"", "8888_ann", "8888_bob", "8888_other"}).Draw(rt, "asked code"),
			From: rapid.Int64Range(0, 6).Draw(rt, "from"), To: rapid.Int64Range(0, 7).Draw(rt, "to"),
		}
		if got, want := pages(rt, a, q), naive(all, q); !slices.Equal(got, want) {
			rt.Fatalf("%+v: %v, want %v", q, got, want)
		}
	})
}

// testPagesMove: what is there all along is found once, whatever comes and goes
// between two pages.
func testPagesMove(t *testing.T, a Archive) {
	stay := map[string]bool{}
	for i := range 60 {
		rec := recording(fmt.Sprintf("s%02d", i), int64(i/7), "ann")
		stay[rec.ID] = true
		keep(t, a, rec)
		rec = recording(fmt.Sprintf("g%02d", i), int64(i/7), "ann")
		rec.EndedAt = 1
		keep(t, a, rec)
	}
	q, seen := presence.RecordingQuery{Anchor: "ann", Limit: 7}, map[string]int{}
	for n := 0; ; n++ {
		page, next, err := a.Recordings(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page {
			seen[rec.ID]++
		}
		if q.After = next; next == "" {
			break
		}
		keep(t, a, recording(fmt.Sprintf("n%02d", n), int64(n%9), "ann"))
		if _, err := a.Discard(t.Context(), 2, 3); err != nil {
			t.Fatal(err)
		}
	}
	for id := range stay {
		if seen[id] != 1 {
			t.Errorf("%s was seen %d times", id, seen[id])
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s was seen %d times", id, n)
		}
	}
}

func testDiscard(t *testing.T, a Archive) {
	for i := range 10 {
		rec := recording(fmt.Sprint(i), 1, "ann")
		rec.EndedAt = int64(i)
		keep(t, a, rec)
	}
	for _, step := range []struct{ before, most, want int }{{0, 5, 0}, {4, 3, 3}, {4, 3, 1}, {4, 3, 0}, {99, 100, 6}} {
		if n, err := a.Discard(t.Context(), int64(step.before), step.most); err != nil || n != step.want {
			t.Errorf("discarded %d, %v, want %+v", n, err, step)
		}
	}
	for _, q := range []presence.RecordingQuery{{}, {Anchor: "ann"}, {Code: "8888_ann"}} {
		q.Limit = 5
		if page, _, err := a.Recordings(t.Context(), q); err != nil || len(page) != 0 {
			t.Errorf("left: %+v, %v", page, err)
		}
	}
}

func testCursors(t *testing.T, a Archive) {
	for _, after := range []string{".", "1", "1.", "x.y", "01.y", "+1.y", "-0.y", "1.y" + strings.Repeat("z", 200), "9999999999999999999.y"} {
		if _, _, err := a.Recordings(t.Context(), presence.RecordingQuery{After: after, Limit: 1}); !errors.Is(err, presence.ErrBadCursor) {
			t.Errorf("%q: %v", after, err)
		}
	}
}

func testArchiveEnds(t *testing.T, a Archive) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Recordings(ctx, presence.RecordingQuery{Limit: 1}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := a.Recordings(t.Context(), presence.RecordingQuery{Limit: 1})
	_, _, err2 := a.Recording(t.Context(), "1")
	_, err3 := a.Discard(t.Context(), 1, 1)
	for i, err := range []error{a.Keep(t.Context(), []presence.Recording{recording("1", 1, "ann")}), err, err2, err3} {
		if err == nil {
			t.Errorf("call %d after Close succeeds", i)
		}
	}
}
