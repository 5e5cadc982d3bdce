package hub

import (
	"iter"
	"maps"
	"slices"

	"onair/presence"
)

// list is the set of live streams, with the indexes that new orders are made
// from. Hub.mu guards it. Only the goroutine that calls Apply writes to it, and
// so may read it without mu.
type list struct {
	streams    map[string]*presence.Stream // by live code, unlisted ones included
	byAnchor   map[string]*presence.Stream
	codesByTag tagIndex
}

func newList() list {
	return list{map[string]*presence.Stream{}, map[string]*presence.Stream{}, tagIndex{}}
}

// replaceStream replaces a stream; either may be nil.
func (l *list) replaceStream(old, new *presence.Stream) {
	if old != nil {
		delete(l.streams, old.Code)
		if l.byAnchor[old.Anchor] == old {
			delete(l.byAnchor, old.Anchor)
		}
	}
	if new != nil {
		l.streams[new.Code] = new
		l.byAnchor[new.Anchor] = new
	}
	l.codesByTag.replaceStream(old, new)
}

// candidateStreams yields all streams that match a query, and maybe others. It may
// yield nil.
func (l *list) candidateStreams(q *query) iter.Seq[*presence.Stream] {
	switch {
	case q.code != "":
		return valuesOrNil(l.streams, slices.Values([]string{q.code}))
	case q.byAnchors:
		return valuesOrNil(l.byAnchor, slices.Values(q.anchors))
	case len(q.tags) > 0:
		return valuesOrNil(l.streams, maps.Keys(l.codesByTag.codesOfRarestTag(q)))
	}
	return maps.Values(l.streams)
}

// valuesOrNil yields the value of each key, nil for a key without one.
func valuesOrNil(streams map[string]*presence.Stream, keys iter.Seq[string]) iter.Seq[*presence.Stream] {
	return func(yield func(*presence.Stream) bool) {
		keys(func(key string) bool { return yield(streams[key]) })
	}
}

// tagIndex has the codes of shown streams by list and tag, so that a new view
// of a tag does not search the whole list. It has codes instead of streams,
// because streams change often and their tags rarely do.
type tagIndex map[filterKey]map[string]struct{}

// replaceStream replaces a stream; either may be nil.
func (t tagIndex) replaceStream(old, new *presence.Stream) {
	if old != nil && new != nil && haveSameFilterKeys(old, new) {
		return
	}
	if old != nil && old.Shown {
		for _, tag := range old.Tags {
			k := filterKey{byTag, old.List, tag}
			if delete(t[k], old.Code); len(t[k]) == 0 {
				delete(t, k)
			}
		}
	}
	if new != nil && new.Shown {
		for _, tag := range new.Tags {
			k := filterKey{byTag, new.List, tag}
			if t[k] == nil {
				t[k] = map[string]struct{}{}
			}
			t[k][new.Code] = struct{}{}
		}
	}
}

// codesOfRarestTag returns the codes of streams with the rarest of a query's tags.
func (t tagIndex) codesOfRarestTag(q *query) (codes map[string]struct{}) {
	for i, tag := range q.tags {
		if set := t[filterKey{byTag, q.list, tag}]; i == 0 || len(set) < len(codes) {
			codes = set
		}
	}
	return codes
}
