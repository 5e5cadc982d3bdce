//go:build !race

package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// simViewer is a viewer of one view, who may watch a stream as well. It goes
// from node to node.
type simViewer struct {
	w     *world
	name  string
	rng   *rand.Rand
	query wire.Subscribe
	likes bool // it watches, and likes

	line  *line
	on    int // host
	tries int

	list   wire.ClientView
	state  *simState // where the list stands; nil: nowhere
	asked  int       // subscriptions without an answer
	since  time.Time // when it asked last
	ids    int64
	code   string // that it watches; "": none
	seeks  bool   // it has asked to watch
	giving int    // likes that were asked for last
}

// simQueries are what viewers ask for.
var simQueries = []wire.Subscribe{{}, {Limit: 3}, {Tags: []string{"a"}}}

func newViewer(w *world, i int) *simViewer {
	name := fmt.Sprintf("v%d", i+1)
	v := &simViewer{w: w, name: name, rng: w.lot(name), query: simQueries[i%len(simQueries)], likes: i%2 == 0}
	v.on = v.rng.IntN(len(w.hosts))
	return v
}

func (v *simViewer) id() wire.ID {
	v.ids++
	return wire.IntID(v.ids)
}

// run is its life.
func (v *simViewer) run() {
	next := time.Now().Add(between(v.rng, 0, 3*time.Second))
	for v.sleep(time.Until(next)) {
		if v.connect() {
			v.look()
		}
		next = time.Now().Add(v.backOff())
	}
	if v.line != nil {
		v.line.close()
	}
}

// sleep reports false when the run is over.
func (v *simViewer) sleep(d time.Duration) bool {
	t := time.NewTimer(max(1, d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-v.w.over:
		return false
	}
}

// backOff is how long it waits until it connects again: full jitter.
func (v *simViewer) backOff() time.Duration {
	v.tries++
	return between(v.rng, 0, min(4*time.Second, 500*time.Millisecond<<v.tries))
}

// connect opens a socket on another node, and its view there.
func (v *simViewer) connect() bool {
	v.on = (v.on + 1 + v.rng.IntN(len(v.w.hosts)-1)) % len(v.w.hosts)
	v.line, _ = v.w.hosts[v.on].open("/v1/viewer", "")
	v.asked = 0
	return v.line != nil && v.subscribe(v.list.Pos())
}

func (v *simViewer) subscribe(pos string) bool {
	m := v.query
	m.ID, m.Pos = v.id(), pos
	v.asked++
	v.since = time.Now()
	return v.line.tell(&m)
}

// look reads what comes, until the socket ends or is left.
func (v *simViewer) look() {
	l := v.line
	move := time.Now().Add(between(v.rng, 5*time.Second, 30*time.Second))
	act := time.Now().Add(between(v.rng, time.Second, 4*time.Second))
	heard := time.Now()
	v.code, v.seeks = "", false
	defer func() { v.code = "" }()
	for {
		quiet := heard.Add(v.w.cfg.Idle * 5 / 2)
		until := quiet
		if act.Before(until) {
			until = act
		}
		if v.w.since() < simFaults && move.Before(until) {
			until = move
		}
		timer := time.NewTimer(max(1, time.Until(until)))
		select {
		case m, ok := <-l.inbox:
			timer.Stop()
			if !ok {
				if l.code == wire.CloseDrained {
					v.tries = 0
				}
				l.close()
				return
			}
			heard = time.Now()
			if !v.hear(m) {
				l.close()
				return
			}
		case <-v.w.over:
			timer.Stop()
			return
		case <-timer.C:
			now := time.Now()
			if !now.Before(act) {
				v.act()
				act = now.Add(between(v.rng, time.Second, 4*time.Second))
			}
			if !now.Before(quiet) || v.w.since() < simFaults && !now.Before(move) {
				l.close()
				return
			}
		}
	}
}

// hear takes one message; it reports false when the socket is of no use.
func (v *simViewer) hear(m wire.Message) bool {
	_, id := m.Head()
	switch m := m.(type) {
	case *wire.Snapshot:
		if strings.HasPrefix(m.View, "code/") {
			return true // of what it watches, where that is shorter than a diff
		}
		if id != "" {
			v.asked--
			v.tries = 0
		}
		v.list.Apply(m)
		return v.check(m, true)
	case *wire.Diff:
		if m.View != v.list.ID() {
			return true // that of what it watches
		}
		if id != "" {
			v.asked--
			v.tries = 0
		} else if v.asked > 0 && m.Prev != v.list.Pos() {
			return true // overtaken by a resync
		}
		if v.list.Apply(m) {
			v.w.note("%s cannot follow, and asks again", v.name)
			return v.subscribe(v.list.Pos())
		}
		return v.check(m, id != "")
	case *wire.Watching:
		v.w.note("%s watches %s on %v", v.name, m.Code, v.line.node)
		v.code, v.seeks = m.Code, false
	case *wire.Liked:
		v.liked(m)
	case *wire.Error:
		v.seeks = false
		return m.Code == wire.CodeNotFound || m.Code == wire.CodeRateLimited && v.asked == 0
	}
	return true
}

// check compares the list with what it must be at its position.
func (v *simViewer) check(m wire.Message, answer bool) bool {
	o := v.w.oracle
	pos, err := presence.ParsePosition(v.list.Pos())
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.states[pos]
	if err != nil || st == nil {
		o.fault("wrong-list", "%s is at a position that never was: %v", v.name, m)
		return false
	}
	want, total := naive(st.streams, &v.query)
	got := v.list.Sorted("")
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b || v.list.Total() != total {
		o.fault("wrong-list", "%s has at %d %s\nwant %s", v.name, st.name.num, a, b)
	}
	was := v.state
	v.state = st
	if was == nil {
		return true
	}
	blind := v.w.class.steps && v.line.node.cutOff() // it cannot tell an older history from a newer one
	if st.before(was) && !blind && !o.lasted(&v.query, was, got) && (!answer || time.Since(v.since) < 9*time.Second) {
		o.fault("wrong-list", "%s on %v goes back from %d of %s to %d of %s, %v after it asked", v.name, v.line.node, was.name.num, was.name.repl, st.name.num, st.name.repl, time.Since(v.since))
	}
	if v.query.Limit == 0 && v.query.Tags == nil && !st.before(was) {
		v.compare(was, st)
	}
	return true
}

// before tells whether a state was written before another.
func (st *simState) before(other *simState) bool { return st.written.Before(other.written) }

// lasted tells whether a query gave the same at some moment since: a view stands
// at its last frame, and what changed nothing made none.
func (o *oracle) lasted(q *wire.Subscribe, since *simState, got []wire.Entry) bool {
	for _, st := range o.states {
		if want, _ := naive(st.streams, q); !st.before(since) && fmt.Sprintf("%+v", want) == fmt.Sprintf("%+v", got) {
			return true
		}
	}
	return false
}

// compare looks at who has left the whole list, and who has come back. The
// caller holds the oracle's lock.
func (v *simViewer) compare(was, is *simState) {
	o := v.w.oracle
	in := func(st *simState, s *presence.Stream) bool {
		return slices.ContainsFunc(st.streams, func(x *presence.Stream) bool {
			return x.Session == s.Session
		})
	}
	for _, st := range was.streams {
		if s := o.find(st.Session); s != nil && !in(is, st) {
			s.gone = true
			if o.alive(s) && !o.forgotten(s) {
				o.fault("seen-gone", "%s on %v sees %v leave at %d, after %d", v.name, v.line.node, s, is.name.num, was.name.num)
			}
		}
	}
	for _, st := range is.streams {
		if s := o.find(st.Session); s != nil && !in(was, st) && is.after(s.stopped) && !o.noneLeft(s.buried) {
			o.fault("stop-back", "%s sees %v at %d, which was stopped", v.name, s, is.name.num)
		}
	}
}

// naive is what a query gives: all streams filtered, sorted and cut.
func naive(streams []*presence.Stream, q *wire.Subscribe) (window []wire.Entry, total int) {
	for _, s := range streams {
		if s.Shown && !slices.ContainsFunc(q.Tags, func(tag string) bool { return !slices.Contains(s.Tags, tag) }) {
			window = append(window, wire.Entry{
				Code: s.Code, Anchor: s.Anchor, Title: s.Title, State: s.State.String(), Away: s.Away.String(),
				StartedAt: s.StartedAt, Viewers: s.Viewers, Likes: s.Likes, Tags: s.Tags, Cover: s.Cover, Extra: s.Extra,
			})
		}
	}
	total = len(window)
	sort.Slice(window, func(i, j int) bool {
		a, b := window[i], window[j]
		switch {
		case a.Viewers != b.Viewers:
			return a.Viewers > b.Viewers
		case a.StartedAt != b.StartedAt:
			return a.StartedAt > b.StartedAt
		}
		return a.Code < b.Code
	})
	if q.Limit > 0 && total > q.Limit {
		window = window[:q.Limit]
	}
	return window, total
}

// act watches a stream, likes it, or stops watching.
func (v *simViewer) act() {
	if !v.likes || v.asked > 0 || v.seeks {
		return
	}
	switch codes := v.list.Sorted(""); {
	case v.code == "" && len(codes) > 0:
		v.seeks = true
		v.line.tell(&wire.Watch{ID: v.id(), Code: codes[v.rng.IntN(len(codes))].Code, Play: []string{}})
	case v.code != "" && v.rng.IntN(2) == 0 && v.w.since() < simEnd-10*time.Second:
		v.like(1 + v.rng.IntN(5))
	case v.code != "" && v.rng.IntN(3) == 0 && v.w.since() < simActs:
		code := v.code
		v.w.note("%s watches no more on %v", v.name, v.line.node)
		v.code = ""
		v.line.tell(&wire.Unwatch{ID: v.id(), Code: code})
	}
}

// like gives likes to what it watches.
func (v *simViewer) like(n int) {
	o := v.w.oracle
	o.mu.Lock()
	o.likes[v.code] += int64(n)
	o.mu.Unlock()
	v.giving = n
	v.line.tell(&wire.Like{ID: v.id(), Code: v.code, N: n})
}

// liked notes likes that were acknowledged, for the session that the node shows
// under the code.
func (v *simViewer) liked(m *wire.Liked) {
	o, n := v.w.oracle, v.line.node
	st := n.server().Hub.StreamByCode(m.Code)
	o.mu.Lock()
	defer o.mu.Unlock()
	if st == nil {
		return
	}
	if s := o.find(st.Session); s != nil {
		s.likes[n] += int64(v.giving)
		v.w.note("%s has liked %v on %v: %d", v.name, s, n, v.giving)
	}
}
