package hub

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"onair/presence"
)

// TestUndoGivesOldWindow checks windowBefore for changes at all depths of the list.
func TestUndoGivesOldWindow(t *testing.T) {
	o := Options{}.withDefaults()
	rapid.Check(t, func(t *rapid.T) {
		q := &query{list: o.Lists[0], sort: "viewers", limit: rapid.IntRange(1, 3).Draw(t, "limit")}
		order := newOrder(q)
		streams := map[string]*presence.Stream{}
		for i := range rapid.IntRange(0, 40).Draw(t, "streams") {
			st := &presence.Stream{Code: fmt.Sprint(i), List: "live", Viewers: int64(i), Shown: i%7 > 0}
			streams[st.Code] = st
			if order.matches(st) {
				order.replaceRanked(rankedStream{}, order.ranked(st))
			}
		}
		want := order.window(nil, q.limit)
		var touches []streamChange
		for range rapid.IntRange(0, 30).Draw(t, "changes") {
			code := fmt.Sprint(rapid.IntRange(0, 45).Draw(t, "code"))
			old := streams[code]
			var next *presence.Stream
			if old == nil || rapid.IntRange(0, 3).Draw(t, "end") > 0 {
				next = &presence.Stream{
					Code: code, List: "live", Viewers: rapid.Int64Range(0, 50).Draw(t, "viewers"),
					Shown: rapid.IntRange(0, 4).Draw(t, "shown") > 0,
				}
			}
			order.replaceRanked(order.rankedIfMatching(old), order.rankedIfMatching(next))
			touches = append(touches, streamChange{old, next})
			if streams[code] = next; next == nil {
				delete(streams, code)
				if old == nil {
					touches = touches[:len(touches)-1]
				}
			}
		}
		if got := order.windowBefore(touches, q.limit); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
