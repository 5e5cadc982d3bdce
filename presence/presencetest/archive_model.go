package presencetest

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"onair/presence"
)

// CheckArchiveAgainstModel compares an archive with a map over random operations.
// Few anchors, codes, ids and times make collisions likely. RunArchiveSuite calls
// it; a test may also call it in a bubble of testing/synctest.
func CheckArchiveAgainstModel(t *testing.T, a presence.Archive) {
	// The interface hides Deadline from rapid: in a bubble nothing may call it.
	rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
		for {
			n, err := a.DeleteRecordings(context.Background(), math.MaxInt64, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		m := archiveModel{a, map[string]presence.Recording{}}
		t.Repeat(map[string]func(*rapid.T){"store": m.storeRandom, "delete": m.deleteRandom, "query": m.queryRandom, "": m.compareAll})
	})
}

// archiveModel is an archive, and the recordings that it must have.
type archiveModel struct {
	archive  presence.Archive
	expected map[string]presence.Recording // by id
}

// times are the same few for recordings and for queries.
var times = rapid.Int64Range(-2, 6)

// anchorOrCode generates anchors and codes.
func anchorOrCode(more ...string) *rapid.Generator[string] {
	return rapid.SampledFrom(append(more, "ann", "bob", "ann\x00"))
}

func (m *archiveModel) storeRandom(t *rapid.T) {
	recordings := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) presence.Recording {
		return presence.Recording{
			ID:     rapid.StringMatching("[ab]{1,3}").Draw(t, "id"),
			Anchor: anchorOrCode("").Draw(t, "anchor"), Code: anchorOrCode("").Draw(t, "code"),
			StartedAt: times.Draw(t, "started"), EndedAt: times.Draw(t, "ended"),
			SessionTotals: presence.SessionTotals{Likes: rapid.Int64().Draw(t, "likes")},
		}
	}), 0, 8).Draw(t, "recordings")
	if err := m.archive.Store(context.Background(), recordings); err != nil {
		t.Fatal(err)
	}
	for _, rec := range recordings {
		m.expected[rec.ID] = rec
	}
}

// deleteRandom checks the number of deleted recordings and their ends. Which one of
// several with the same end is deleted is undefined.
func (m *archiveModel) deleteRandom(t *rapid.T) {
	before, limit := times.Draw(t, "before"), rapid.IntRange(-1, 5).Draw(t, "limit")
	var expectedEnds []int64
	for _, rec := range m.expected {
		if rec.EndedAt < before {
			expectedEnds = append(expectedEnds, rec.EndedAt)
		}
	}
	slices.Sort(expectedEnds)
	expectedEnds = expectedEnds[:min(len(expectedEnds), max(limit, 0))]
	n, err := m.archive.DeleteRecordings(context.Background(), before, limit)
	if err != nil || n != len(expectedEnds) {
		t.Fatalf("deleted %d, want %d, %v", n, len(expectedEnds), err)
	}
	var deletedEnds []int64
	for id, rec := range m.expected {
		if _, ok, err := m.archive.Recording(context.Background(), id); err != nil {
			t.Fatal(err)
		} else if !ok {
			deletedEnds = append(deletedEnds, rec.EndedAt)
			delete(m.expected, id)
		}
	}
	if slices.Sort(deletedEnds); !slices.Equal(deletedEnds, expectedEnds) {
		t.Fatalf("deleted recordings ended at %v, want %v", deletedEnds, expectedEnds)
	}
}

// queryRandom compares all pages of a random query.
func (m *archiveModel) queryRandom(t *rapid.T) {
	q := presence.RecordingQuery{
		Anchor: anchorOrCode("", "", "eve").Draw(t, "anchor"), Code: anchorOrCode("", "", "eve").Draw(t, "code"),
		From: times.Draw(t, "from"), To: times.Draw(t, "to"), Limit: rapid.IntRange(0, 4).Draw(t, "limit"),
	}
	if rapid.Bool().Draw(t, "after") {
		q.After = presence.RecordingCursor{StartedAt: times.Draw(t, "at"), ID: rapid.StringMatching("[ab]{0,3}").Draw(t, "id")}.String()
	}
	m.compareQuery(t, q)
}

func (m *archiveModel) compareAll(t *rapid.T) { m.compareQuery(t, presence.RecordingQuery{Limit: 100}) }

func (m *archiveModel) compareQuery(t *rapid.T, q presence.RecordingQuery) {
	var want []presence.Recording
	for _, rec := range m.expected {
		matches := (q.Anchor == "" || rec.Anchor == q.Anchor) && (q.Code == "" || rec.Code == q.Code) &&
			(q.From == 0 || rec.StartedAt >= q.From) && (q.To == 0 || rec.StartedAt < q.To)
		if q.After != "" && matches {
			c, err := presence.ParseRecordingCursor(q.After)
			if err != nil {
				t.Fatal(err)
			}
			matches = rec.StartedAt < c.StartedAt || rec.StartedAt == c.StartedAt && rec.ID < c.ID
		}
		if matches {
			want = append(want, rec)
		}
	}
	slices.SortFunc(want, func(a, b presence.Recording) int {
		return cmp.Or(cmp.Compare(b.StartedAt, a.StartedAt), cmp.Compare(b.ID, a.ID))
	})
	if got := readPages(t, m.archive, q); !slices.Equal(got, want) {
		t.Fatalf("%+v finds %+v, want %+v", q, got, want)
	}
}
