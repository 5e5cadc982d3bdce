package hub

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"onair/hub/wire"
)

func TestFirstPageIsCurrent(t *testing.T) {
	f := newFakeLog(t, Options{Signer: fakeSigner{}})
	f.editStream("a", setViewers(3))
	f.startStream("b")
	page, e := f.hub.Page(&wire.Subscribe{Limit: 1}, "")
	want := fmt.Sprintf(`{"view":"live/viewers/1","pos":%q,"total":2,"streams":[{"code":"a","anchor":"user-a",`+
		`"title":"Title of a","state":"live","started_at":%d,"viewers":3,"likes":0}],"cursor":`, position(2), testStart)
	if e != nil || !strings.HasPrefix(string(page), want) {
		t.Errorf("got  %s\nwant %s", page, want)
	}
	f.editStream("b", setViewers(4))
	if page, _ = f.hub.Page(&wire.Subscribe{Limit: 1}, ""); !strings.Contains(string(page), `"code":"b"`) {
		t.Errorf("an old page: %s", page)
	}
}

// TestPagesCoverTheList checks that pages have every stream once, in order.
func TestPagesCoverTheList(t *testing.T) {
	f := newFakeLog(t, Options{Signer: fakeSigner{}})
	for i := range 23 {
		code := fmt.Sprintf("s%02d", i)
		f.startStream(code)
		f.editStream(code, setViewers(int64(i*7%5)))
	}
	for _, sort := range []string{wire.SortViewers, wire.SortLikes, wire.SortStarted} {
		q := wire.Subscribe{Sort: sort, Play: []string{"flv"}}
		type pageOf struct {
			Pos, Cursor string
			Total       int
			Streams     []wire.Entry
		}
		read := func(limit int, cursor string) (p pageOf) {
			t.Helper()
			q.Limit = limit
			text, e := f.hub.Page(&q, cursor)
			if e != nil {
				t.Fatal(e)
			}
			if err := json.Unmarshal(text, &p); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			return p
		}
		whole := read(100, "")
		if whole.Cursor != "" || len(whole.Streams) != 23 {
			t.Fatalf("%d streams, cursor %q", len(whole.Streams), whole.Cursor)
		}
		var got []wire.Entry
		for p := read(5, ""); ; p = read(5, p.Cursor) {
			if (p.Pos == "") != (len(got) > 0) || p.Total != 23 {
				t.Errorf("after %d: pos %q, total %d", len(got), p.Pos, p.Total)
			}
			got = append(got, p.Streams...)
			if p.Cursor == "" {
				break
			}
		}
		if !reflect.DeepEqual(got, whole.Streams) {
			t.Errorf("by %s: %d streams, or in another order", sort, len(got))
		}
		for _, bad := range []string{"x", "e30", read(5, "").Cursor + "A"} {
			if _, e := f.hub.Page(&q, bad); errorCode(e) != wire.CodeBadRequest {
				t.Errorf("cursor %q: %v", bad, e)
			}
		}
		other := q
		other.Sort = map[string]string{wire.SortViewers: wire.SortLikes, wire.SortLikes: wire.SortStarted, wire.SortStarted: wire.SortViewers}[sort]
		if _, e := f.hub.Page(&other, read(5, "").Cursor); e == nil {
			t.Error("a cursor of another sort was taken")
		}
	}
}
