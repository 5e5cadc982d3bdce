package hub

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// Page answers a query once. The first page, of an empty cursor, is
// {"view","pos","total","streams","cursor"?}, as a snapshot of the view would
// be; one that a cursor asks for has no pos, and is what follows by the view's
// sort now: streams that have moved meanwhile may be there twice or not at all.
// There is a cursor as long as there are more streams.
func (h *Hub) Page(m *wire.Subscribe, cursor string) ([]byte, *wire.Error) {
	q, e := h.newQuery(m)
	if e != nil {
		return nil, e
	}
	var after *presence.Stream
	if cursor != "" {
		if after = q.parseCursor(cursor); after == nil {
			return nil, &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: "cursor is not one that a page of this query came with"}
		}
	}
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.viewOf(q, now)
	if v == nil {
		return nil, exceeded(m.ID, "there are %d different views here already", h.options.Views)
	}
	v.quiet = now
	h.reschedule(v)
	if after != nil {
		return h.laterPage(v, after), nil
	}
	body := h.snapshotOf(v).body
	page := append(append(make([]byte, 0, 128+len(body)), '{'), body...)
	if len(v.last.window) < v.last.total {
		page = appendCursor(page[:len(page)-1], q, v.last.window[len(v.last.window)-1])
	}
	return page, nil
}

// laterPage is what follows a stream in the view's order.
func (h *Hub) laterPage(v *view, after *presence.Stream) []byte {
	h.encoder.player = v.player
	at := h.ring.last().time
	b := wire.BeginPage(make([]byte, 0, 256*v.query.limit), v.query.id, v.order.tree.Len())
	var last *presence.Stream
	n, more := 0, false
	from := v.order.place(after)
	v.order.tree.Ascend(from, func(p place) bool {
		switch {
		case !before(from, p):
			return true // the one that the last page ended with
		case n == v.query.limit:
			more = true
			return false
		}
		b.AddStream(h.encoder.entry(0, p.st, true, at))
		n++
		last = p.st
		return true
	})
	page := b.End()
	if more {
		page = appendCursor(page[:len(page)-1], v.query, last)
	}
	return page
}

// pageEnd is where a page ended: what its last stream was sorted by.
type pageEnd struct {
	Sort      string `json:"s"`
	By        int64  `json:"b"`
	StartedAt int64  `json:"t"`
	Code      string `json:"c"`
}

// appendCursor ends a page whose closing brace was taken off.
func appendCursor(page []byte, q *query, last *presence.Stream) []byte {
	p := pageEnd{Sort: q.sort, StartedAt: last.StartedAt, Code: last.Code}
	switch q.sort {
	case wire.SortViewers:
		p.By = last.Viewers
	case wire.SortLikes:
		p.By = last.Likes
	}
	text, _ := json.Marshal(p) // numbers and texts always can be
	page = append(page, `,"cursor":"`...)
	page = base64.RawURLEncoding.AppendEncode(page, text)
	return append(page, `"}`...)
}

// parseCursor gives a stream that stands where a page of the query ended, or
// nil.
func (q *query) parseCursor(cursor string) *presence.Stream {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var p pageEnd
	if err != nil || json.Unmarshal(text, &p) != nil || p.Sort != q.sort || p.Code == "" {
		return nil
	}
	return &presence.Stream{Code: p.Code, StartedAt: p.StartedAt, Viewers: p.By, Likes: p.By}
}
