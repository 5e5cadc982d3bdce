package hub

import (
	"slices"

	"onair/presence"
)

// orders finds the orders whose filter a stream may meet. Predicates are
// indexed, not viewers: by code, by anchor, by list and first tag, by list. It
// is guarded by Hub.mu.
type orders struct {
	byName map[string]*order
	byKey  map[orderKey][]*order
}

// orderKey is one thing that a stream must be, or have, for a filter to meet it.
type orderKey struct {
	kind        keyKind
	list, value string
}

// keyKind says what a key's value is.
type keyKind uint8

// The kinds of keys.
const (
	byCode keyKind = iota
	byAnchor
	byTag
	byList
)

func newOrders() orders {
	return orders{byName: map[string]*order{}, byKey: map[orderKey][]*order{}}
}

// keys are those under which an order is found.
func (o *order) keys() []orderKey {
	q := o.query
	switch {
	case q.code != "":
		return []orderKey{{byCode, "", q.code}}
	case q.follow:
		keys := make([]orderKey, len(q.anchors))
		for i, a := range q.anchors {
			keys[i] = orderKey{byAnchor, q.list, a}
		}
		return keys
	case len(q.tags) > 0:
		return []orderKey{{byTag, q.list, q.tags[0]}}
	}
	return []orderKey{{byList, q.list, ""}}
}

func (x *orders) add(o *order) {
	x.byName[o.query.order] = o
	for _, k := range o.keys() {
		x.byKey[k] = append(x.byKey[k], o)
	}
}

func (x *orders) remove(o *order) {
	delete(x.byName, o.query.order)
	for _, k := range o.keys() {
		rest := slices.DeleteFunc(x.byKey[k], func(other *order) bool { return other == o })
		if x.byKey[k] = rest; len(rest) == 0 {
			delete(x.byKey, k)
		}
	}
}

// meeting calls f for the orders that st, which may be nil, might match; for
// some maybe more than once.
func (x *orders) meeting(st *presence.Stream, f func(*order)) {
	if st == nil {
		return
	}
	x.each(orderKey{byCode, "", st.Code}, f)
	if !st.Shown {
		return
	}
	x.each(orderKey{byList, st.List, ""}, f)
	x.each(orderKey{byAnchor, st.List, st.Anchor}, f)
	for _, tag := range st.Tags {
		x.each(orderKey{byTag, st.List, tag}, f)
	}
}

// sameKeys tells that meeting finds the same orders for two states of a stream,
// as after nearly every change.
func sameKeys(old, new *presence.Stream) bool {
	return old == nil || new != nil && old.Shown == new.Shown && old.List == new.List &&
		old.Anchor == new.Anchor && slices.Equal(old.Tags, new.Tags)
}

func (x *orders) each(k orderKey, f func(*order)) {
	for _, o := range x.byKey[k] {
		f(o)
	}
}
