package presencetest

import (
	"context"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"onair/presence"
)

// CheckArchive does to an archive and to a map what chance says, with few anchors,
// codes, ids and times, so that they meet. RunArchive does it too; this alone may be
// called in a bubble of testing/synctest.
func CheckArchive(t *testing.T, a presence.Archive) {
	// In a bubble nobody may ask for the test's deadline: rapid does not see it.
	rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
		for {
			n, err := a.Discard(context.Background(), math.MaxInt64, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		m := archiveModel{a, map[string]presence.Recording{}}
		t.Repeat(map[string]func(*rapid.T){"keep": m.keep, "discard": m.discard, "find": m.find, "": m.check})
	})
}

// archiveModel is an archive, and what it should have.
type archiveModel struct {
	a   presence.Archive
	all map[string]presence.Recording
}

// times are few, and drawn alike for what starts and for what is asked for.
var times = rapid.Int64Range(-2, 6)

func names(more ...string) *rapid.Generator[string] {
	return rapid.SampledFrom(append(more, "ann", "bob", "ann\x00"))
}

func (m *archiveModel) keep(t *rapid.T) {
	some := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) presence.Recording {
		return presence.Recording{
			ID:     rapid.StringMatching("[ab]{1,3}").Draw(t, "id"),
			Anchor: names("").Draw(t, "anchor"), Code: names("").Draw(t, "code"),
			StartedAt: times.Draw(t, "started"), EndedAt: times.Draw(t, "ended"), Likes: rapid.Int64().Draw(t, "likes"),
		}
	}), 0, 8).Draw(t, "recordings")
	if err := m.a.Keep(context.Background(), some); err != nil {
		t.Fatal(err)
	}
	for _, rec := range some {
		m.all[rec.ID] = rec
	}
}

// discard knows how many go, and when they ended, but not which of one end.
func (m *archiveModel) discard(t *rapid.T) {
	before, limit := times.Draw(t, "before"), rapid.IntRange(-1, 5).Draw(t, "limit")
	var ends []int64
	for _, rec := range m.all {
		if rec.EndedAt < before {
			ends = append(ends, rec.EndedAt)
		}
	}
	slices.Sort(ends)
	ends = ends[:min(len(ends), max(limit, 0))]
	n, err := m.a.Discard(context.Background(), before, limit)
	if err != nil || n != len(ends) {
		t.Fatalf("discarded %d, want %d, %v", n, len(ends), err)
	}
	var gone []int64
	for id, rec := range m.all {
		if _, ok, err := m.a.Recording(context.Background(), id); err != nil {
			t.Fatal(err)
		} else if !ok {
			gone = append(gone, rec.EndedAt)
			delete(m.all, id)
		}
	}
	if slices.Sort(gone); !slices.Equal(gone, ends) {
		t.Fatalf("those went that ended at %v, want %v", gone, ends)
	}
}

// find reads what a query asks for, whole, and compares.
func (m *archiveModel) find(t *rapid.T) {
	q := presence.RecordingQuery{
		Anchor: names("", "", "eve").Draw(t, "anchor"), Code: names("", "", "eve").Draw(t, "code"),
		From: times.Draw(t, "from"), To: times.Draw(t, "to"), Limit: rapid.IntRange(0, 4).Draw(t, "limit"),
	}
	if rapid.Bool().Draw(t, "after") {
		q.After = presence.Cursor{StartedAt: times.Draw(t, "at"), ID: rapid.StringMatching("[ab]{0,3}").Draw(t, "behind")}.String()
	}
	m.compare(t, q)
}

func (m *archiveModel) check(t *rapid.T) { m.compare(t, presence.RecordingQuery{Limit: 100}) }

func (m *archiveModel) compare(t *rapid.T, q presence.RecordingQuery) {
	var want []presence.Recording
	for _, rec := range slices.Collect(maps.Values(m.all)) {
		in := (q.Anchor == "" || rec.Anchor == q.Anchor) && (q.Code == "" || rec.Code == q.Code) &&
			(q.From == 0 || rec.StartedAt >= q.From) && (q.To == 0 || rec.StartedAt < q.To)
		if q.After != "" && in {
			c, err := presence.ParseCursor(q.After)
			if err != nil {
				t.Fatal(err)
			}
			in = rec.StartedAt < c.StartedAt || rec.StartedAt == c.StartedAt && rec.ID < c.ID
		}
		if in {
			want = append(want, rec)
		}
	}
	slices.SortFunc(want, func(a, b presence.Recording) int {
		switch {
		case a.StartedAt > b.StartedAt, a.StartedAt == b.StartedAt && a.ID > b.ID:
			return -1
		}
		return 1
	})
	if got := pages(t, m.a, q); !slices.Equal(got, want) {
		t.Fatalf("%+v finds %+v, want %+v", q, got, want)
	}
}
