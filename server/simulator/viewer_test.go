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

// simViewer is a viewer client of one view. It may watch a stream, and changes nodes.
type simViewer struct {
	w         *world
	name      string
	rng       *rand.Rand
	query     wire.Subscribe
	isWatcher bool // it watches streams and sends likes

	socket    *clientSocket
	hostIndex int // of the host that it uses
	attempts  int

	list           wire.ClientView
	state          *listState // the state of the list; nil: it has none yet
	openSubscribes int        // without an answer
	subscribedAt   time.Time  // when it last subscribed
	lastID         int64
	watchedCode    string // of the watched stream; "": none
	isWatchPending bool   // a watch has no answer yet
	pendingLikes   int    // likes without an answer
}

// simQueries are the queries of viewers.
var simQueries = []wire.Subscribe{{}, {Limit: 3}, {Tags: []string{"a"}}}

func newViewer(w *world, i int) *simViewer {
	name := fmt.Sprintf("v%d", i+1)
	v := &simViewer{w: w, name: name, rng: w.newRand(name), query: simQueries[i%len(simQueries)], isWatcher: i%2 == 0}
	v.hostIndex = v.rng.IntN(len(w.hosts))
	return v
}

func (v *simViewer) nextID() wire.ID {
	v.lastID++
	return wire.IntID(v.lastID)
}

// run connects and follows the list until the run is over.
func (v *simViewer) run() {
	next := time.Now().Add(randomDuration(v.rng, 0, 3*time.Second))
	for v.sleep(time.Until(next)) {
		if v.connect() {
			v.followList()
		}
		next = time.Now().Add(v.nextBackoff())
	}
	if v.socket != nil {
		v.socket.close()
	}
}

// sleep waits, and reports false when the run is over.
func (v *simViewer) sleep(d time.Duration) bool {
	t := time.NewTimer(max(1, d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-v.w.done:
		return false
	}
}

// nextBackoff returns the wait before the next connection, with full jitter.
func (v *simViewer) nextBackoff() time.Duration {
	v.attempts++
	return randomDuration(v.rng, 0, min(4*time.Second, 500*time.Millisecond<<v.attempts))
}

// connect opens a socket at another host and subscribes.
func (v *simViewer) connect() bool {
	v.hostIndex = (v.hostIndex + 1 + v.rng.IntN(len(v.w.hosts)-1)) % len(v.w.hosts)
	v.socket, _ = v.w.hosts[v.hostIndex].dialSocket("/v1/viewer", "")
	v.openSubscribes = 0
	return v.socket != nil && v.subscribe(v.list.Pos())
}

func (v *simViewer) subscribe(pos string) bool {
	m := v.query
	m.ID, m.Pos = v.nextID(), pos
	v.openSubscribes++
	v.subscribedAt = time.Now()
	return v.socket.send(&m)
}

// followList handles messages until the socket ends or the viewer changes nodes.
func (v *simViewer) followList() {
	l := v.socket
	move := time.Now().Add(randomDuration(v.rng, 5*time.Second, 30*time.Second))
	act := time.Now().Add(randomDuration(v.rng, time.Second, 4*time.Second))
	lastReceived := time.Now()
	v.watchedCode, v.isWatchPending = "", false
	defer func() { v.watchedCode = "" }()
	for {
		quiet := lastReceived.Add(v.w.cfg.Idle * 5 / 2)
		until := quiet
		if act.Before(until) {
			until = act
		}
		if v.w.elapsed() < simFaultsEnd && move.Before(until) {
			until = move
		}
		timer := time.NewTimer(max(1, time.Until(until)))
		select {
		case m, ok := <-l.inbox:
			timer.Stop()
			if !ok {
				if l.code == wire.CloseDrained {
					v.attempts = 0
				}
				l.close()
				return
			}
			lastReceived = time.Now()
			if !v.handleMessage(m) {
				l.close()
				return
			}
		case <-v.w.done:
			timer.Stop()
			return
		case <-timer.C:
			now := time.Now()
			if !now.Before(act) {
				v.watchOrLike()
				act = now.Add(randomDuration(v.rng, time.Second, 4*time.Second))
			}
			if !now.Before(quiet) || v.w.elapsed() < simFaultsEnd && !now.Before(move) {
				l.close()
				return
			}
		}
	}
}

// handleMessage handles a message. It reports false if the viewer must close the socket.
func (v *simViewer) handleMessage(m wire.Message) bool {
	_, id := wire.Head(m)
	switch m := m.(type) {
	case *wire.Snapshot:
		if strings.HasPrefix(m.View, "code/") {
			return true // of the watched stream
		}
		if id != "" {
			v.openSubscribes--
			v.attempts = 0
		}
		v.list.Apply(m)
		return v.checkList(m, true)
	case *wire.Diff:
		if m.View != v.list.ID() {
			return true // of the watched stream
		}
		if id != "" {
			v.openSubscribes--
			v.attempts = 0
		} else if v.openSubscribes > 0 && m.Prev != v.list.Pos() {
			return true // superseded by a new snapshot
		}
		if v.list.Apply(m) {
			v.w.traceEvent("%s cannot apply a diff, and subscribes again", v.name)
			return v.subscribe(v.list.Pos())
		}
		return v.checkList(m, id != "")
	case *wire.Watching:
		v.w.traceEvent("%s watches %s on %v", v.name, m.Code, v.socket.node)
		v.watchedCode, v.isWatchPending = m.Code, false
	case *wire.Liked:
		v.recordLikes(m)
	case *wire.Error:
		v.isWatchPending = false
		return m.Code == wire.CodeNotFound || m.Code == wire.CodeRateLimited && v.openSubscribes == 0
	}
	return true
}

// checkList compares the list with the state at its position.
func (v *simViewer) checkList(m wire.Message, answer bool) bool {
	o := v.w.oracle
	pos, err := presence.ParsePosition(v.list.Pos())
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.states[pos]
	if err != nil || st == nil {
		o.addFault("wrong-list", "%s is at an unknown position: %v", v.name, m)
		return false
	}
	want, total := naiveWindow(st.streams, &v.query)
	got := v.list.Sorted("")
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b || v.list.Total() != total {
		o.addFault("wrong-list", "%s has at %d %s\nwant %s", v.name, st.entry.num, a, b)
	}
	previous := v.state
	v.state = st
	if previous == nil {
		return true
	}
	cannotCompare := v.w.class.clockSteps && v.socket.node.isIsolated() // an isolated node cannot tell an older epoch from a newer one
	if st.isBefore(previous) && !cannotCompare && !o.occurredSince(&v.query, previous, got) && (!answer || time.Since(v.subscribedAt) < 9*time.Second) {
		o.addFault("wrong-list", "%s on %v goes back from %d of %s to %d of %s, %v after it asked", v.name, v.socket.node, previous.entry.num, previous.entry.epoch, st.entry.num, st.entry.epoch, time.Since(v.subscribedAt))
	}
	if v.query.Limit == 0 && v.query.Tags == nil && !st.isBefore(previous) {
		v.checkChanges(previous, st)
	}
	return true
}

// isBefore reports whether a state was written before another.
func (st *listState) isBefore(other *listState) bool { return st.written.Before(other.written) }

// occurredSince reports whether a query had this result at some state since another. A view has
// the position of its last frame, and changes outside the window make no frame.
func (o *oracle) occurredSince(q *wire.Subscribe, since *listState, got []wire.Entry) bool {
	for _, st := range o.states {
		if want, _ := naiveWindow(st.streams, q); !st.isBefore(since) && fmt.Sprintf("%+v", want) == fmt.Sprintf("%+v", got) {
			return true
		}
	}
	return false
}

// checkChanges checks that no session has left the list that must be live, and that no stopped
// one has come back. The caller holds the oracle's lock.
func (v *simViewer) checkChanges(previous, current *listState) {
	o := v.w.oracle
	isListed := func(st *listState, s *presence.Stream) bool {
		return slices.ContainsFunc(st.streams, func(x *presence.Stream) bool {
			return x.Session == s.Session
		})
	}
	for _, st := range previous.streams {
		if s := o.sessionOf(st.Session); s != nil && !isListed(current, st) {
			if o.mustBeLive(s) && !o.isForgotten(s) {
				o.addFault("false-leave", "%s on %v sees %v leave at %d, after %d", v.name, v.socket.node, s, current.entry.num, previous.entry.num)
			}
		}
	}
	for _, st := range current.streams {
		if s := o.sessionOf(st.Session); s != nil && !isListed(previous, st) && current.isAfter(s.stopAckedAt) && !o.noneCanRestore(s.seenEndedBy) {
			o.addFault("stopped-returned", "%s sees %v at %d, which was stopped", v.name, s, current.entry.num)
		}
	}
}

// naiveWindow returns the result of a query: all streams filtered, sorted and cut.
func naiveWindow(streams []*presence.Stream, q *wire.Subscribe) (window []wire.Entry, total int) {
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

// watchOrLike watches a stream, likes it, or stops watching it.
func (v *simViewer) watchOrLike() {
	if !v.isWatcher || v.openSubscribes > 0 || v.isWatchPending {
		return
	}
	switch codes := v.list.Sorted(""); {
	case v.watchedCode == "" && len(codes) > 0:
		v.isWatchPending = true
		v.socket.send(&wire.Watch{ID: v.nextID(), Code: codes[v.rng.IntN(len(codes))].Code, Play: []string{}})
	case v.watchedCode != "" && v.rng.IntN(2) == 0 && v.w.elapsed() < simEnd-10*time.Second:
		v.sendLikes(1 + v.rng.IntN(5))
	case v.watchedCode != "" && v.rng.IntN(3) == 0 && v.w.elapsed() < simChangesEnd:
		code := v.watchedCode
		v.w.traceEvent("%s unwatches on %v", v.name, v.socket.node)
		v.watchedCode = ""
		v.socket.send(&wire.Unwatch{ID: v.nextID(), Code: code})
	}
}

// sendLikes sends likes for the watched stream.
func (v *simViewer) sendLikes(n int) {
	o := v.w.oracle
	o.mu.Lock()
	o.likes[v.watchedCode] += int64(n)
	o.mu.Unlock()
	v.pendingLikes = n
	v.socket.send(&wire.Like{ID: v.nextID(), Code: v.watchedCode, N: n})
}

// recordLikes records acknowledged likes for the session that the node has for the code.
func (v *simViewer) recordLikes(m *wire.Liked) {
	o, n := v.w.oracle, v.socket.node
	st := n.servingNode().Hub.StreamByCode(m.Code)
	o.mu.Lock()
	defer o.mu.Unlock()
	if st == nil {
		return
	}
	if s := o.sessionOf(st.Session); s != nil {
		s.likes[n] += int64(v.pendingLikes)
		v.w.traceEvent("%s has liked %v on %v: %d", v.name, s, n, v.pendingLikes)
	}
}
