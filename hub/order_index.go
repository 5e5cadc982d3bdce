package hub

import (
	"slices"

	"onair/presence"
)

// orderIndex finds the orders that a stream may match, by one key of their
// filter: live code, anchor, list and first tag, or list. Hub.mu guards it.
type orderIndex struct {
	byName map[string]*order
	byKey  map[filterKey][]*order
	visits uint64 // number of calls to forEachCandidateOrder
}

// filterKey is one property that a filter requires of a stream.
type filterKey struct {
	kind        filterKind
	list, value string
}

// filterKind is the kind of a filter key's value.
type filterKind uint8

const (
	byCode filterKind = iota
	byAnchor
	byTag
	byList
)

func newOrderIndex() orderIndex {
	return orderIndex{byName: map[string]*order{}, byKey: map[filterKey][]*order{}}
}

// filterKeys are the keys under which the index has an order.
func (o *order) filterKeys() []filterKey {
	q := o.query
	switch {
	case q.code != "":
		return []filterKey{{byCode, "", q.code}}
	case q.byAnchors:
		keys := make([]filterKey, len(q.anchors))
		for i, anchor := range q.anchors {
			keys[i] = filterKey{byAnchor, q.list, anchor}
		}
		return keys
	case len(q.tags) > 0:
		return []filterKey{{byTag, q.list, q.tags[0]}}
	}
	return []filterKey{{byList, q.list, ""}}
}

func (x *orderIndex) addOrder(o *order) {
	x.byName[o.query.orderName] = o
	for _, k := range o.filterKeys() {
		x.byKey[k] = append(x.byKey[k], o)
	}
}

func (x *orderIndex) removeOrder(o *order) {
	delete(x.byName, o.query.orderName)
	for _, k := range o.filterKeys() {
		rest := slices.DeleteFunc(x.byKey[k], func(other *order) bool { return other == o })
		if x.byKey[k] = rest; len(rest) == 0 {
			delete(x.byKey, k)
		}
	}
}

// forEachCandidateOrder calls visit once for each order that the old or the new state of
// a stream may match. Either state may be nil.
func (x *orderIndex) forEachCandidateOrder(old, new *presence.Stream, visit func(*order)) {
	x.visits++
	if old != nil && (new == nil || !haveSameFilterKeys(old, new)) {
		x.visitCandidateOrders(old, visit)
	}
	x.visitCandidateOrders(new, visit)
}

func (x *orderIndex) visitCandidateOrders(st *presence.Stream, visit func(*order)) {
	if st == nil {
		return
	}
	x.visitUnvisitedOrders(filterKey{byCode, "", st.Code}, visit)
	if !st.Shown {
		return
	}
	x.visitUnvisitedOrders(filterKey{byList, st.List, ""}, visit)
	x.visitUnvisitedOrders(filterKey{byAnchor, st.List, st.Anchor}, visit)
	for _, tag := range st.Tags {
		x.visitUnvisitedOrders(filterKey{byTag, st.List, tag}, visit)
	}
}

// visitUnvisitedOrders calls visit for the orders of a key that this visit has
// not reached yet.
func (x *orderIndex) visitUnvisitedOrders(k filterKey, visit func(*order)) {
	for _, o := range x.byKey[k] {
		if o.lastVisit != x.visits {
			o.lastVisit = x.visits
			visit(o)
		}
	}
}

// haveSameFilterKeys reports that two states of a stream have the same candidates,
// which holds for nearly every change.
func haveSameFilterKeys(old, new *presence.Stream) bool {
	return old.Shown == new.Shown && old.List == new.List && old.Anchor == new.Anchor && slices.Equal(old.Tags, new.Tags)
}
