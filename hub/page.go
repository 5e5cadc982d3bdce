package hub

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// Page answers a query once, as JSON. The error is for the client: the query or
// the cursor is invalid, or there are too many views.
//
// The first page, with an empty cursor, is a snapshot of the view:
// {"view","pos","total","streams","cursor"?}. A later page has no pos. It has the
// streams after the cursor by the current order: streams that have moved
// meanwhile may be there twice or not at all. A page has a cursor unless it is
// the last.
func (h *Hub) Page(m *wire.Subscribe, cursor string) (pageJSON []byte, err error) {
	q, err := h.normalizeQuery(m)
	if err != nil {
		return nil, err
	}
	var after *presence.Stream
	if cursor != "" {
		if after = q.parsePageCursor(cursor); after == nil {
			return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "cursor is not one that a page of this query came with"}
		}
	}
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	v, err := h.findOrCreateView(q, now)
	if err != nil {
		return nil, err
	}
	v.times.unusedSince = now
	h.updateViewDueTime(v)
	if after != nil {
		return h.encodePageAfter(v, after), nil
	}
	body := h.snapshotFrame(v).tail
	page := append(append(make([]byte, 0, 128+len(body)), '{'), body...)
	if window := v.published.window; len(window) < v.published.total {
		page = addPageCursor(page, v.order, window[len(window)-1])
	}
	return page, nil
}

// encodePageAfter is the page that begins after a stream in the view's order.
func (h *Hub) encodePageAfter(v *view, after *presence.Stream) []byte {
	h.encoder.urls = v.urls
	logTime := h.ring.lastEntry().logTime
	b := wire.BeginPage(make([]byte, 0, 256*v.query.limit), v.query.viewID, v.order.tree.Len())
	var last *presence.Stream
	n, hasMore := 0, false
	start := v.order.ranked(after)
	v.order.tree.Ascend(start, func(r rankedStream) bool {
		switch {
		case !precedes(start, r):
			return true // the last stream of the page before
		case n == v.query.limit:
			hasMore = true
			return false
		}
		b.AddStream(h.encoder.fillEntry(0, r.stream, true, logTime))
		n++
		last = r.stream
		return true
	})
	page := b.End()
	if hasMore {
		page = addPageCursor(page, v.order, last)
	}
	return page
}

// pageCursor is the sort key of a page's last stream.
type pageCursor struct {
	Sort      string `json:"s"`
	Key       int64  `json:"b"`
	StartedAt int64  `json:"t"`
	Code      string `json:"c"`
}

// addPageCursor adds the cursor to a page: a JSON object whose last stream is last.
func addPageCursor(page []byte, o *order, last *presence.Stream) []byte {
	text, _ := json.Marshal(pageCursor{o.query.sort, o.sortKey(last), last.StartedAt, last.Code}) // never fails for strings and numbers
	page = append(page[:len(page)-1], `,"cursor":"`...)
	page = base64.RawURLEncoding.AppendEncode(page, text)
	return append(page, `"}`...)
}

// parsePageCursor returns a stream that has only the sort keys of a page's last
// stream, or nil if the cursor is not one of this query.
func (q *query) parsePageCursor(cursor string) (sortKeys *presence.Stream) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var c pageCursor
	if err != nil || json.Unmarshal(text, &c) != nil || c.Sort != q.sort || c.Code == "" {
		return nil
	}
	return &presence.Stream{Code: c.Code, StartedAt: c.StartedAt, Viewers: c.Key, Likes: c.Key}
}
