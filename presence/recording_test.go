package presence

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func fullRecording() Recording {
	return Recording{
		ID: "r", Provider: "srs", Code: "8888_ann", Anchor: "ann", Session: sessionID(4), Title: "\xff", Cover: "c",
		StartedAt: -5, EndedAt: 1_763_830_000_000, Duration: 7, Format: "flv", Size: 1 << 40, Location: "/x.flv", Unlisted: true,
		SessionTotals: SessionTotals{PeakViewers: 3, Likes: 9},
	}
}

// TestRecordingIsEncodedWhole: Encode covers every field.
func TestRecordingIsEncodedWhole(t *testing.T) {
	rec := fullRecording()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Recording]()) {
		if reflect.ValueOf(rec).FieldByIndex(field.Index).IsZero() {
			t.Errorf("%s is not tested", field.Name)
		}
	}
	if got, err := DecodeRecording(rec.Encode()); err != nil || got != rec {
		t.Errorf("%+v became %+v, %v", rec, got, err)
	}
}

func TestNewerRecordingIsRefused(t *testing.T) {
	rec := fullRecording()
	b := rec.Encode()
	b[0] = recordingVersion + 1
	if _, err := DecodeRecording(b); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("a newer version: %v", err)
	}
	for n := range len(b) {
		b[0] = recordingVersion
		if _, err := DecodeRecording(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

func FuzzDecodeRecording(f *testing.F) {
	rec := fullRecording()
	f.Add(rec.Encode())
	f.Add((&Recording{}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := DecodeRecording(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNewerVersion) {
				t.Fatal(err)
			}
			return
		}
		if again, err := DecodeRecording(rec.Encode()); err != nil || again != rec {
			t.Fatalf("%+v became %+v, %v", rec, again, err)
		}
	})
}

func TestCursor(t *testing.T) {
	c := RecordingCursor{1_763_830_000_123, "0f3a"}
	text := c.String()
	if got, err := ParseRecordingCursor(text); err != nil || got != c {
		t.Errorf("%+v became %+v, %v", c, got, err)
	}
	bad := []string{"", ".", "AAAA", text + "A", text + "=", "\n" + text, text + "\n", strings.ToUpper(text), strings.Repeat("A", 40)}
	for n := range len(text) {
		bad = append(bad, text[:n], text[n+1:])
		for _, c := range []byte("Az0-") {
			if c != text[n] {
				bad = append(bad, text[:n]+string(c)+text[n+1:])
			}
		}
	}
	for _, text := range bad {
		if c, err := ParseRecordingCursor(text); !errors.Is(err, ErrBadCursor) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(RecordingCursor{1_763_830_000_123, "0f3a"}.String())
	f.Add(RecordingCursor{-1, ""}.String())
	f.Add("AAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseRecordingCursor(text)
		if err == nil && c.String() != text {
			t.Fatalf("%q became %q", text, c)
		}
		if err != nil && !errors.Is(err, ErrBadCursor) {
			t.Fatal(err)
		}
	})
}

// TestQueryStart: of a cursor and an end time, the one that is later in the
// order counts.
func TestQueryStart(t *testing.T) {
	at := func(started int64, id string) *RecordingCursor { return &RecordingCursor{started, id} }
	for _, c := range []struct {
		to    int64
		after *RecordingCursor
		want  *RecordingCursor
	}{
		{0, nil, nil},
		{7, nil, at(7, "")},
		{0, at(5, "x"), at(5, "x")},
		{7, at(5, "x"), at(5, "x")},
		{5, at(5, "x"), at(5, "")},
		{4, at(5, "x"), at(4, "")},
	} {
		q := RecordingQuery{To: c.to}
		if c.after != nil {
			q.After = c.after.String()
		}
		if got, err := q.UpperBound(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("to %d, after %+v: %+v, %v, want %+v", c.to, c.after, got, err, c.want)
		}
	}
	if _, err := (&RecordingQuery{After: "x", To: 5}).UpperBound(); !errors.Is(err, ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
}

func TestQueryPage(t *testing.T) {
	all := make([]Recording, 3)
	for i := range all {
		all[i] = Recording{ID: string(rune('a' + i)), StartedAt: 9}
	}
	for limit, want := range map[int]int{-1: 1, 0: 1, 1: 1, 2: 2, 3: 3, 4: 3, 1 << 40: 3} {
		q := RecordingQuery{Limit: limit}
		page, next := q.CutPage(slices.Clone(all))
		if len(page) != want || (next != "") != (want < len(all)) {
			t.Errorf("limit %d: %d recordings, next %q", limit, len(page), next)
		}
		if next != "" && next != page[want-1].Cursor().String() {
			t.Errorf("limit %d: next is not after the last", limit)
		}
	}
}

func TestRecordingID(t *testing.T) {
	if a, b := RecordingID("srs", "x/1.flv"), RecordingID("srsx", "/1.flv"); a == b || len(a) != 20 || a != RecordingID("srs", "x/1.flv") {
		t.Errorf("ids %s, %s", a, b)
	}
}
