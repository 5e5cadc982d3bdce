package hub

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"onair/hub/wire"
	"onair/presence"
)

// TestViewersHaveTheList: whatever happens, and in whatever order, a viewer has
// after every message exactly what the oracle says of its position, and does
// not go back in time. Nodes share one log, each reads it at its own pace, and
// their ticks fall at different times; viewers go from one to another. The log
// fails over and loses its tail, and goes on with other entries, whose ids may
// be the same; nodes that had read what is lost hold, and rebase. A failure says
// with which -rapid.seed it comes again.
func TestViewersHaveTheList(t *testing.T) {
	vary := time.Duration(time.Now().UnixNano() % 1e9)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(vary) // rapid makes its seed of the time, which in a bubble is always the same
		// A bubble's T has no Deadline, which rapid would ask for: so hide it.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			w := newSchedule(rt)
			defer w.stop()
			steps := rapid.IntRange(10, 300).Draw(rt, "steps")
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
	options Options
	queries []wire.Subscribe // what is asked for in this run
	oracle  *oracle
	streams map[string]*presence.Stream // at the log's end
	lost    map[string]*presence.Stream // by failovers
	began   int                         // sessions
	id      int                         // of the last entry
	events  int                         // counted, to know what came first
	nodes   [3]*node
	clients []*client
	saved   []*client // that have gone, with what they had
}

// client is a viewer of one view on one socket.
type client struct {
	node   *node
	conn   *fakeConn
	socket *Socket
	query  wire.Subscribe
	code   string // watches this
	list   wire.ClientView
	asked  int // requests without an answer
	again  int // times that it may ask again
	from   string
	since  time.Time // when it asked to resume
	event  int       // likewise
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
	w := &schedule{
		T: rt, oracle: newOracle(), streams: map[string]*presence.Stream{}, lost: map[string]*presence.Stream{},
		options: Options{
			Lists: []string{"live", "vip"}, Signer: fakeSigner{}, Limits: Limits{SnapshotsPerSecond: 1000},
			History: rapid.SampledFrom([]int{1 << 17, 1 << 17, 6}).Draw(rt, "history"),
		},
	}
	// With few of them, many stand on the same view.
	w.queries = queries[rapid.IntRange(0, len(queries)-1).Draw(rt, "first query"):]
	w.queries = w.queries[:rapid.IntRange(1, len(w.queries)).Draw(rt, "queries")]
	for i := range w.nodes {
		w.nodes[i] = w.join(0)
		time.Sleep(time.Duration(rapid.IntRange(0, 300).Draw(rt, "phase")) * time.Millisecond)
	}
	return w
}

func (w *schedule) stop() {
	for _, c := range w.clients {
		c.socket.Close()
	}
	for _, d := range w.nodes {
		d.leave()
	}
}

// step does one thing.
func (w *schedule) step() {
	switch k := rapid.IntRange(0, 29).Draw(w.T, "step"); {
	case k < 9:
		w.entry()
	case k < 12:
		ms := rapid.SampledFrom([]int{1, 40, 130, 250, 400, 1100, 2100, 5000, 11_000, 26_000, 70_000}).Draw(w.T, "sleep")
		time.Sleep(time.Duration(ms) * time.Millisecond)
	case k < 14:
		w.arrive()
	case k < 15:
		w.comeBack()
	case k < 18:
		w.move(w.node())
	case k < 19:
		w.depart()
	case k < 20:
		w.resync()
	case k < 22:
		if c := w.pick(); c != nil {
			c.conn.stick(rapid.Bool().Draw(w.T, "stuck"))
		}
	case k < 24:
		w.follow(w.node(), rapid.IntRange(1, 10).Draw(w.T, "entries"))
	case k < 25:
		w.failOver()
		if rapid.Bool().Draw(w.T, "goes on") {
			w.entry()
		}
	case k < 27:
		w.hold(w.node())
	case k < 29:
		d := w.node()
		w.rebase(d, rapid.IntRange(0, 3).Draw(w.T, "short"))
		for range rapid.IntRange(0, 2).Draw(w.T, "come at once") {
			w.move(d)
		}
	default:
		w.restart(rapid.IntRange(0, len(w.nodes)-1).Draw(w.T, "node"))
	}
}

// event numbers what happens.
func (w *schedule) event() int {
	w.events++
	return w.events
}

// entry adds an entry to the log, which some nodes apply at once.
func (w *schedule) entry() {
	now := w.oracle.last().time + rapid.SampledFrom([]int64{0, 1, 100, 1000, 1000, 3000, 8000, -4000, 50_000}).Draw(w.T, "pass")
	var changes []presence.Change
	for range rapid.IntRange(0, 4).Draw(w.T, "changes") {
		changes = append(changes, w.change(now)...)
	}
	w.id += rapid.SampledFrom([]int{1, 1, 1, 2, 4}).Draw(w.T, "ids")
	w.oracle.add(w.id, now, changes, w.streams)
	for _, d := range w.nodes {
		if rapid.Bool().Draw(w.T, "at once") {
			w.follow(d, len(w.oracle.log))
		}
	}
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
		if lost := w.lost[code]; lost != nil && kind <= 4 {
			return []presence.Change{{New: w.putBack(lost)}}
		}
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
		Session: presence.Session{byte(w.began), byte(w.began >> 8)}, Index: uint32(w.began), Code: code, Anchor: u,
		List:      rapid.SampledFrom([]string{"live", "live", "live", "vip"}).Draw(w.T, "list"),
		Details:   presence.Details{Tags: rapid.SampledFrom([][]string{nil, {"a"}, {"b", "a"}}).Draw(w.T, "tags")},
		StartedAt: now / 10_000 * 10_000, Listed: rapid.IntRange(0, 5).Draw(w.T, "listed") > 0,
	}
	st.Shown = st.Listed
	w.streams[code] = st
	return st
}

// putBack starts a session again that a failover has lost, under another index.
func (w *schedule) putBack(lost *presence.Stream) *presence.Stream {
	delete(w.lost, lost.Code)
	st := *lost
	st.Index++
	w.streams[st.Code] = &st
	return &st
}

func (w *schedule) pick() *client {
	if len(w.clients) == 0 {
		return nil
	}
	return w.clients[rapid.IntRange(0, len(w.clients)-1).Draw(w.T, "client")]
}

func (w *schedule) node() *node {
	return w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(w.T, "node")]
}

// arrive opens a view on a new socket.
func (w *schedule) arrive() {
	c := &client{node: w.node(), query: rapid.SampledFrom(w.queries).Draw(w.T, "query")}
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
	c.socket = c.node.hub.Attach(c.conn)
	if w.ask(c, pos) {
		w.clients = append(w.clients, c)
		return
	}
	c.socket.Close()
}

// ask subscribes or watches.
func (w *schedule) ask(c *client, pos string) bool {
	if c.code != "" {
		if e := c.node.hub.Watch(c.socket, &wire.Watch{ID: "1", Code: c.code, Play: c.query.Play}); e != nil {
			if e.Code != wire.CodeNotFound || c.node.hub.Lookup(c.code) != nil {
				w.Fatalf("watch: %v", e)
			}
			return false
		}
	} else {
		m := c.query
		m.ID, m.Pos = "1", pos
		if e := c.node.hub.Subscribe(c.socket, &m); e != nil {
			w.Fatalf("subscribe: %v", e)
		}
	}
	c.asked++
	c.from, c.since, c.event = pos, time.Now(), w.event()
	return true
}

// comeBack resumes what a client had that went, on any node, sometimes from a
// history that never was.
func (w *schedule) comeBack() {
	if len(w.saved) == 0 {
		return
	}
	was := w.saved[rapid.IntRange(0, len(w.saved)-1).Draw(w.T, "saved")]
	pos := was.list.Pos()
	if rapid.IntRange(0, 9).Draw(w.T, "forged") == 0 && pos != "" {
		p, _ := presence.ParsePosition(pos)
		p.Hash++
		pos = p.String()
	}
	w.resume(was, w.node(), pos)
}

// move takes a client from its node to another, or the same.
func (w *schedule) move(d *node) {
	if c := w.depart(); c != nil && c.code == "" {
		w.resume(c, d, c.list.Pos())
	}
}

// resume gives what a client had to another.
func (w *schedule) resume(was *client, d *node, pos string) {
	c := &client{node: d, query: was.query}
	if was.list.Pos() != "" {
		c.list.Apply(&wire.Snapshot{View: was.list.ID(), Pos: was.list.Pos(), Total: was.list.Total(), Streams: was.list.Sorted("")})
	}
	w.connect(c, pos)
}

// depart closes a client's socket.
func (w *schedule) depart() *client {
	c := w.pick()
	if c != nil {
		w.close(c)
	}
	return c
}

func (w *schedule) close(c *client) {
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
	view, was := c.list.ID(), c.list.Pos()
	if d, ok := m.(*wire.Diff); ok && id == "" && c.asked > 0 && d.Prev != was {
		return // overtaken by a resync
	}
	if c.list.Apply(m) {
		if c.again > 0 && id != "" {
			c.again-- // a diff crossed the request: ask again, as the protocol has it
			w.ask(c, c.list.Pos())
			return
		}
		w.Fatalf("client at %s of %s cannot follow %+v", was, view, m)
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
	if id == "" {
		if w.oracle.older(n, w.oracle.at[was]) {
			w.Fatalf("%+v goes back in time from %s", m, was)
		}
		return
	}
	if from, ok := w.oracle.at[c.from]; ok && time.Since(c.since) < patience {
		w.checkPast(c, from, n, fmt.Sprintf("%+v", want))
	}
}

// checkPast looks at the answer to a resume that came before patience ended. It
// does not lead back in time. But it may if that is what the client had, or what
// there came to be since, where the node stood meanwhile.
func (w *schedule) checkPast(c *client, from, to int, got string) {
	w.checkDead(c, from, to)
	if !w.oracle.older(to, from) {
		return
	}
	for _, n := range c.node.ends(c.event) {
		for ; n >= 0 && !w.oracle.older(n, from); n = w.oracle.states[n].parent {
			if want, _ := w.oracle.answer(n, &c.query, c.code); fmt.Sprintf("%+v", want) == got {
				return
			}
		}
	}
	w.Fatalf("resume from %s went back in time to %s", c.from, c.list.Pos())
}

// checkDead: a node that holds answers no resume from where it never was, and
// one that has rebased leads nobody into the history that it has left; but who
// stands there may stay until its views have moved.
func (w *schedule) checkDead(c *client, from, to int) {
	o, d := w.oracle, c.node
	if d.held && d.heldSince < c.event && !d.stood[from] {
		w.Fatalf("resume from %s did not wait for the rebase, and led to %s", c.from, c.list.Pos())
	}
	if len(d.ends(c.event)) == 1 && !o.leads(to, d.at) && to != from {
		w.Fatalf("resume from %s led to %s, which its node has left", c.from, c.list.Pos())
	}
}

// finish lets all catch up: then everybody has the newest list, of the log as it
// is.
func (w *schedule) finish() {
	w.entry() // the log goes on
	for _, d := range w.nodes {
		if d.held || !w.oracle.logged(d.at) {
			w.rebase(d, 0)
		}
		w.follow(d, len(w.oracle.log))
	}
	for _, c := range w.clients {
		c.conn.stick(false)
	}
	for range 5 {
		w.settle()
		time.Sleep(3 * time.Second)
	}
	w.settle()
	end := w.oracle.log[len(w.oracle.log)-1]
	for _, c := range w.clients {
		want, _ := w.oracle.answer(end, &c.query, c.code)
		if a, b := fmt.Sprintf("%+v", c.list.Sorted(c.query.Sort)), fmt.Sprintf("%+v", want); a != b {
			w.Fatalf("in the end %+v %s has\n%s, want\n%s", c.query, c.code, a, b)
		}
		if c.asked != 0 {
			w.Fatalf("%d requests of %+v were not answered", c.asked, c.query)
		}
		if !w.oracle.logged(w.oracle.at[c.list.Pos()]) {
			w.Fatalf("in the end %+v %s stands at %s, which is lost", c.query, c.code, c.list.Pos())
		}
	}
	for _, d := range w.nodes {
		if fault := d.fault(w.streams); fault != "" {
			w.Fatalf("%s", fault)
		}
	}
}
