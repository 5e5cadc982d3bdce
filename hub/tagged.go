package hub

import "onair/presence"

// tagged has the codes of the streams in views by list and tag, so that the
// first view of a tag need not look at the whole list. It has codes and not
// streams because those change all the time, their tags hardly ever. It is
// guarded by Hub.mu.
type tagged map[orderKey]map[string]struct{}

// enter replaces a stream; either may be nil.
func (t tagged) enter(old, new *presence.Stream) {
	if old != nil && new != nil && sameKeys(old, new) {
		return
	}
	if old != nil && old.Shown {
		for _, tag := range old.Tags {
			k := orderKey{byTag, old.List, tag}
			if delete(t[k], old.Code); len(t[k]) == 0 {
				delete(t, k)
			}
		}
	}
	if new != nil && new.Shown {
		for _, tag := range new.Tags {
			k := orderKey{byTag, new.List, tag}
			if t[k] == nil {
				t[k] = map[string]struct{}{}
			}
			t[k][new.Code] = struct{}{}
		}
	}
}

// rarest returns the codes of the tag of a query that fewest streams have.
func (t tagged) rarest(q *query) (codes map[string]struct{}) {
	for i, tag := range q.tags {
		if set := t[orderKey{byTag, q.list, tag}]; i == 0 || len(set) < len(codes) {
			codes = set
		}
	}
	return codes
}
