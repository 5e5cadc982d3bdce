package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"onair/hub/wire"
	"onair/presence"
)

// TestViewersHaveTheList: whatever happens, and in whatever order, a viewer has
// after every message exactly what the oracle says of its position. Two hubs
// are fed the same log; one lags, and their ticks fall at different times.
// A failure says with which -rapid.seed it comes again.
func TestViewersHaveTheList(t *testing.T) {
	vary := time.Duration(time.Now().UnixNano() % 1e9)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(vary) // rapid makes its seed of the time, which in a bubble is always the same
		// A bubble's T has no Deadline, which rapid would ask for: so hide it.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			w := newSchedule(rt)
			defer w.stop()
			steps := rapid.IntRange(10, 80).Draw(rt, "steps")
			for range steps {
				w.step()
				w.settle()
			}
			w.finish()
		})
	})
}

// schedule is one random run.
type schedule struct {
	*rapid.T
	oracle  *oracle
	streams map[string]*presence.Stream
	began   int // sessions
	hubs    [2]*Hub
	lag     []func(*Hub) // entries that the second hub has not applied yet
	lagging time.Time    // since when it has some
	clients []*client
	saved   []*client // that have gone, with what they had
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// client is a viewer of one view on one socket.
type client struct {
	hub    *Hub
	conn   *fakeConn
	socket *Socket
	query  wire.Subscribe
	code   string // watches this
	list   wire.List
	asked  int // requests without an answer
	again  int // times that it may ask again
	from   string
	since  time.Time // when it asked to resume
}

// queries are what clients ask for, one at a time.
var queries = []wire.Subscribe{
	{},
	{Limit: 1},
	{Limit: 2},
	{Limit: 3, Sort: "likes"},
	{Limit: 2, Sort: "started"},
	{List: "vip"},
	{Tags: []string{"a"}},
	{Tags: []string{"b", "a"}, Limit: 1},
	{Tags: []string{"b"}, Sort: "likes", Limit: 2},
	{Anchors: []string{"u1", "u3", "u5"}},
	{Anchors: []string{}},
	{Anchors: []string{"u2", "u0"}, Tags: []string{"a"}},
	{Play: []string{"flv", "hls"}, Limit: 3},
	{Play: []string{"hls"}, Tags: []string{"a"}},
	{Limit: 3, Play: []string{"rtmp"}, Sort: "started"},
}

func newSchedule(rt *rapid.T) *schedule {
	w := &schedule{T: rt, oracle: newOracle(), streams: map[string]*presence.Stream{}}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	o := Options{
		Lists: []string{"live", "vip"}, Signer: fakeSigner{}, Limits: Limits{SnapshotsPerSecond: 1000},
		History: rapid.SampledFrom([]int{1 << 17, 1 << 17, 6}).Draw(rt, "history"),
	}
	for i := range w.hubs {
		h := New(o)
		h.Load(func(func(*presence.Stream) bool) {}, position(0), epoch)
		w.hubs[i] = h
		w.done.Go(func() { h.Run(ctx) })
		time.Sleep(time.Duration(rapid.IntRange(0, 300).Draw(rt, "phase")) * time.Millisecond)
	}
	return w
}

func (w *schedule) stop() {
	for _, c := range w.clients {
		c.socket.Close()
	}
	w.cancel()
	w.done.Wait()
}

// step does one thing.
func (w *schedule) step() {
	switch k := rapid.IntRange(0, 19).Draw(w.T, "step"); {
	case k < 8:
		w.entry()
	case k < 11:
		ms := rapid.SampledFrom([]int{1, 40, 130, 250, 400, 1100, 2100, 5000, 11_000, 26_000, 70_000}).Draw(w.T, "sleep")
		time.Sleep(time.Duration(ms) * time.Millisecond)
	case k < 13:
		w.arrive()
	case k < 14:
		w.comeBack()
	case k < 15:
		w.depart()
	case k < 16:
		w.resync()
	case k < 18:
		if c := w.pick(); c != nil {
			c.conn.stick(rapid.Bool().Draw(w.T, "stuck"))
		}
	default:
		w.follow(rapid.IntRange(1, 10).Draw(w.T, "entries"))
	}
}

// entry applies an entry to the first hub, and leaves it for the second.
func (w *schedule) entry() {
	n := len(w.oracle.states)
	now := w.oracle.last().time + rapid.SampledFrom([]int64{0, 1, 100, 1000, 1000, 3000, 8000, -4000, 50_000}).Draw(w.T, "pass")
	var changes []presence.Change
	for range rapid.IntRange(0, 4).Draw(w.T, "changes") {
		changes = append(changes, w.change(now)...)
	}
	w.oracle.add(position(n), now, w.streams)
	apply := func(h *Hub) { h.Apply(position(n), now, changes, time.Time{}) }
	apply(w.hubs[0])
	if len(w.lag) == 0 {
		w.lagging = time.Now()
	}
	w.lag = append(w.lag, apply)
	if rapid.Bool().Draw(w.T, "at once") {
		w.follow(len(w.lag))
	}
}

// follow has the second hub apply entries.
func (w *schedule) follow(n int) {
	n = min(n, len(w.lag))
	for _, apply := range w.lag[:n] {
		apply(w.hubs[1])
	}
	w.lag = w.lag[n:]
}

// change changes one stream, and returns how.
func (w *schedule) change(now int64) []presence.Change {
	u := fmt.Sprintf("u%d", rapid.IntRange(0, 7).Draw(w.T, "anchor"))
	code := "8888_" + u
	old := w.streams[code]
	kind := rapid.IntRange(0, 9).Draw(w.T, "kind")
	if old != nil && kind <= 1 { // ends, or starts anew
		delete(w.streams, code)
		ended := []presence.Change{{Old: old}}
		if kind == 0 {
			return ended
		}
		return append(ended, presence.Change{New: w.start(u, code, now)})
	}
	if old == nil {
		return []presence.Change{{New: w.start(u, code, now)}}
	}
	next := *old
	switch small := rapid.Int64Range(0, 4); kind {
	case 2, 3, 4:
		next.Viewers = small.Draw(w.T, "viewers")
		next.Peak = max(next.Peak, next.Viewers)
	case 5:
		next.Likes += small.Draw(w.T, "likes")
	case 6:
		next.Tags = rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"a", "b"}, {"c", "a"}}).Draw(w.T, "tags")
	case 7:
		next.State, next.Away = presence.Away, presence.MissedBeat
		if old.State == presence.Away {
			next.State, next.Away = presence.Live, presence.NotAway
		}
	case 8:
		next.Shown = next.Listed && !next.Shown
	case 9:
		next.Title = rapid.SampledFrom([]string{"", "one", "two \"\u2028"}).Draw(w.T, "title")
		next.Cover = rapid.SampledFrom([]string{"", "https://cover"}).Draw(w.T, "cover")
		next.Extra = rapid.SampledFrom([][]byte{nil, []byte(`{"x":1}`)}).Draw(w.T, "extra")
	}
	w.streams[code] = &next
	return []presence.Change{{Old: old, New: &next}}
}

func (w *schedule) start(u, code string, now int64) *presence.Stream {
	w.began++
	st := &presence.Stream{
		Session: presence.Session{byte(w.began), byte(w.began >> 8)}, Code: code, Anchor: u,
		List:      rapid.SampledFrom([]string{"live", "live", "live", "vip"}).Draw(w.T, "list"),
		Tags:      rapid.SampledFrom([][]string{nil, {"a"}, {"b", "a"}}).Draw(w.T, "tags"),
		StartedAt: now / 10_000 * 10_000, Listed: rapid.IntRange(0, 5).Draw(w.T, "listed") > 0,
	}
	st.Shown = st.Listed
	w.streams[code] = st
	return st
}

func (w *schedule) pick() *client {
	if len(w.clients) == 0 {
		return nil
	}
	return w.clients[rapid.IntRange(0, len(w.clients)-1).Draw(w.T, "client")]
}

func (w *schedule) hub() *Hub { return w.hubs[rapid.IntRange(0, 1).Draw(w.T, "hub")] }

// arrive opens a view on a new socket.
func (w *schedule) arrive() {
	c := &client{hub: w.hub(), query: queries[rapid.IntRange(0, len(queries)-1).Draw(w.T, "query")]}
	if codes := sortedCodes(w.streams); len(codes) > 0 && rapid.IntRange(0, 4).Draw(w.T, "watch") == 0 {
		c.code = rapid.SampledFrom(codes).Draw(w.T, "code")
		c.query = wire.Subscribe{Play: fakeSigner{}.Protocols()}
		if rapid.Bool().Draw(w.T, "some play") {
			c.query.Play = []string{"flv"}
		}
	}
	w.connect(c, "")
}

func sortedCodes(m map[string]*presence.Stream) (codes []string) {
	for code := range m {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

func (w *schedule) connect(c *client, pos string) {
	c.conn = newFakeConn()
	c.socket = c.hub.Attach(c.conn)
	if w.ask(c, pos) {
		w.clients = append(w.clients, c)
		return
	}
	c.socket.Close()
}

// ask subscribes or watches.
func (w *schedule) ask(c *client, pos string) bool {
	if c.code != "" {
		if e := c.hub.Watch(c.socket, &wire.Watch{ID: "1", Code: c.code, Play: c.query.Play}); e != nil {
			if e.Code != wire.CodeNotFound || c.hub.Lookup(c.code) != nil {
				w.Fatalf("watch: %v", e)
			}
			return false
		}
	} else {
		m := c.query
		m.ID, m.Pos = "1", pos
		if e := c.hub.Subscribe(c.socket, &m); e != nil {
			w.Fatalf("subscribe: %v", e)
		}
	}
	c.asked++
	c.from, c.since = pos, time.Now()
	return true
}

// comeBack resumes what a client had that went, on either hub, sometimes from a
// history that never was.
func (w *schedule) comeBack() {
	if len(w.saved) == 0 {
		return
	}
	was := w.saved[rapid.IntRange(0, len(w.saved)-1).Draw(w.T, "saved")]
	c := &client{hub: w.hub(), query: was.query}
	copyList(&c.list, &was.list)
	pos := c.list.Pos()
	if rapid.IntRange(0, 9).Draw(w.T, "forged") == 0 && pos != "" {
		p, _ := presence.ParsePosition(pos)
		p.Hash++
		pos = p.String()
	}
	w.connect(c, pos)
}

func copyList(to, from *wire.List) {
	if from.Pos() != "" {
		to.Apply(&wire.Snapshot{View: from.View(), Pos: from.Pos(), Total: from.Total(), Streams: from.Sorted("")})
	}
}

// depart closes a client's socket.
func (w *schedule) depart() {
	c := w.pick()
	if c == nil {
		return
	}
	c.socket.Close()
	w.clients = slices.DeleteFunc(w.clients, func(other *client) bool { return other == c })
	if c.code == "" {
		w.saved = append(w.saved, c)
	}
}

// resync asks again for what a client has, on its socket.
func (w *schedule) resync() {
	if c := w.pick(); c != nil && c.asked == 0 {
		c.again = 3
		w.ask(c, rapid.SampledFrom([]string{"", c.list.Pos()}).Draw(w.T, "pos"))
	}
}

// settle lets everything come to rest, and checks what every client has.
func (w *schedule) settle() {
	synctest.Wait()
	for _, c := range w.clients {
		for _, m := range c.conn.take() {
			w.check(c, m)
		}
	}
}

// check applies a message and compares the client's list with the oracle's.
func (w *schedule) check(c *client, m wire.Message) {
	_, id := m.Head()
	if id != "" {
		c.asked--
	}
	view := c.list.View()
	if d, ok := m.(*wire.Diff); ok && id == "" && c.asked > 0 && d.Prev != c.list.Pos() {
		return // overtaken by a resync
	}
	if c.list.Apply(m) {
		if c.again > 0 && id != "" {
			c.again-- // a diff crossed the request: ask again, as the protocol has it
			w.ask(c, c.list.Pos())
			return
		}
		w.Fatalf("client at %s of %s cannot follow %+v", c.list.Pos(), view, m)
	}
	n, ok := w.oracle.at[c.list.Pos()]
	if !ok {
		w.Fatalf("%+v is at a position that never was", m)
	}
	want, total := w.oracle.answer(n, &c.query, c.code)
	got := c.list.Sorted(c.query.Sort)
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
		w.Fatalf("%+v\nof query %+v %s at %s leads to\n%s, want\n%s", m, c.query, c.code, c.list.Pos(), a, b)
	}
	if c.list.Total() != total {
		w.Fatalf("%+v: total %d, want %d", m, c.list.Total(), total)
	}
	if from, ok := w.oracle.at[c.from]; ok && id != "" && n < from && time.Since(c.since) < patience {
		w.checkPast(c, from, fmt.Sprintf("%+v", want))
	}
}

// checkPast is called when the answer to a resume is at an earlier position. It
// may be if that is what the client had, or what there came to be since.
func (w *schedule) checkPast(c *client, from int, got string) {
	c.hub.mu.Lock()
	now := w.oracle.at[c.hub.ring.last().pos.String()]
	c.hub.mu.Unlock()
	for n := from; n <= now; n++ {
		if want, _ := w.oracle.answer(n, &c.query, c.code); fmt.Sprintf("%+v", want) == got {
			return
		}
	}
	w.Fatalf("resume from %s went back in time to %s", c.from, c.list.Pos())
}

// finish lets all catch up: then everybody has the newest list.
func (w *schedule) finish() {
	w.follow(len(w.lag))
	for _, c := range w.clients {
		c.conn.stick(false)
	}
	for range 5 {
		w.settle()
		time.Sleep(3 * time.Second)
	}
	w.settle()
	for _, c := range w.clients {
		want, _ := w.oracle.answer(len(w.oracle.states)-1, &c.query, c.code)
		if a, b := fmt.Sprintf("%+v", c.list.Sorted(c.query.Sort)), fmt.Sprintf("%+v", want); a != b {
			w.Fatalf("in the end %+v %s has\n%s, want\n%s", c.query, c.code, a, b)
		}
		if c.asked != 0 {
			w.Fatalf("%d requests of %+v were not answered", c.asked, c.query)
		}
	}
	for _, h := range w.hubs {
		if fault := h.fault(); fault != "" {
			w.Fatalf("%s", fault)
		}
	}
}

// fault compares what the hub knows in two places.
func (h *Hub) fault() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.agenda) != len(h.views) || len(h.waiting) > 0 {
		return fmt.Sprintf("%d views, %d due, %d requests wait", len(h.views), len(h.agenda), len(h.waiting))
	}
	for _, st := range h.streams {
		for _, tag := range st.Tags {
			if _, ok := h.tagged[orderKey{byTag, st.List, tag}][st.Code]; ok != st.Shown {
				return fmt.Sprintf("%s with tag %s: %v, want %v", st.Code, tag, ok, st.Shown)
			}
		}
	}
	for k, codes := range h.tagged {
		for code := range codes {
			if st := h.streams[code]; st == nil || st.List != k.list || !slices.Contains(st.Tags, k.value) {
				return fmt.Sprintf("tag %s still has %s", k.value, code)
			}
		}
	}
	for _, v := range h.views {
		n := 0
		for _, st := range h.streams {
			if v.order.match(st) {
				n++
				if got, ok := v.order.tree.Get(v.order.place(st)); !ok || got.st != st {
					return fmt.Sprintf("%s: tree has not %s", v.query.order, st.Code)
				}
			}
		}
		if n != v.order.tree.Len() {
			return fmt.Sprintf("%s: tree has %d, want %d", v.query.order, v.order.tree.Len(), n)
		}
		if h.agenda[v.slot] != v {
			return v.query.id + " is not where it is in the agenda"
		}
		count := 0
		for _, part := range v.parts {
			for i, c := range part {
				if count++; c.slot != i {
					return v.query.id + " has lost a cursor"
				}
			}
		}
		if count != v.count || v.flying > 0 {
			return fmt.Sprintf("%s has %d cursors, and counts %d; %d frames fly", v.query.id, count, v.count, v.flying)
		}
	}
	return ""
}
