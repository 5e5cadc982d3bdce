package hub

import (
	"testing"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// FuzzPageCursor checks that any cursor gives a page or a client error.
func FuzzPageCursor(f *testing.F) {
	h := New(Options{Signer: fakeSigner{}})
	var changes []presence.Change
	for i := range 10 {
		st := &presence.Stream{Code: string(rune('a' + i)), List: "live", Listed: true, Shown: true, StartedAt: testStart + int64(i), Viewers: int64(i % 3)}
		changes = append(changes, presence.Change{New: st})
	}
	h.Apply(position(1), testStart, changes, time.Time{})
	q := &wire.Subscribe{Limit: 3}
	page, _ := h.Page(q, "")
	f.Add(string(page[len(page)-60 : len(page)-2]))
	f.Add("eyJzIjoidmlld2VycyIsImIiOjEsInQiOjEsImMiOiJhIn0")
	f.Fuzz(func(t *testing.T, cursor string) {
		page, e := h.Page(q, cursor)
		if e != nil && errorCode(e) != wire.CodeBadRequest {
			t.Fatal(e)
		}
		if e == nil && len(page) == 0 {
			t.Fatal("neither a page nor an error")
		}
	})
}
