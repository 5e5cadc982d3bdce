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
func TestViewersMatchOracle(t *testing.T) {
	vary := time.Duration(time.Now().UnixNano() % 1e9)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(vary) // rapid makes its seed of the time, which in a bubble is always the same
		// A bubble's T has no Deadline, which rapid would ask for: so hide it.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			w := newSimulation(rt)
			defer w.stop()
			steps := rapid.IntRange(10, 300).Draw(rt, "steps")
			for range steps {
				w.doRandomStep()
				w.settleAndCheck()
			}
			w.finish()
		})
	})
}

// simulation is one random run.
type simulation struct {
	*rapid.T
	options  Options
	queries  []wire.Subscribe // what is asked for in this run
	oracle   *oracle
	streams  map[string]*presence.Stream // at the log's end
	lost     map[string]*presence.Stream // by failovers
	sessions int                         // sessions
	lastID   int                         // of the last entry
	events   int                         // counted, to know what came first
	nodes    [3]*node
	clients  []*client
	departed []*client // that have gone, with what they had
}

// client is a viewer of one view on one socket.
type client struct {
	node        *node
	conn        *fakeConn
	socket      *Socket
	query       wire.Subscribe
	code        string // watches this
	list        wire.ClientView
	unanswered  int // requests without an answer
	retries     int // times that it may ask again
	resumeFrom  string
	resumedAt   time.Time // when it asked to resume
	resumeEvent int       // likewise
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

func newSimulation(rt *rapid.T) *simulation {
	w := &simulation{
		T: rt, oracle: newOracle(), streams: map[string]*presence.Stream{}, lost: map[string]*presence.Stream{},
		options: Options{
			Lists: []string{"live", "vip"}, Signer: fakeSigner{}, Limits: Limits{SnapshotsPerSecond: 1000},
			UndoRingSize: rapid.SampledFrom([]int{1 << 17, 1 << 17, 6}).Draw(rt, "history"),
		},
	}
	// With few of them, many stand on the same view.
	w.queries = queries[rapid.IntRange(0, len(queries)-1).Draw(rt, "first query"):]
	w.queries = w.queries[:rapid.IntRange(1, len(w.queries)).Draw(rt, "queries")]
	for i := range w.nodes {
		w.nodes[i] = w.startNode(0)
		time.Sleep(time.Duration(rapid.IntRange(0, 300).Draw(rt, "phase")) * time.Millisecond)
	}
	return w
}

func (w *simulation) stop() {
	for _, c := range w.clients {
		c.socket.Close()
	}
	for _, d := range w.nodes {
		d.stop()
	}
}

// doRandomStep does one thing.
func (w *simulation) doRandomStep() {
	switch k := rapid.IntRange(0, 29).Draw(w.T, "step"); {
	case k < 9:
		w.appendRandomEntry()
	case k < 12:
		ms := rapid.SampledFrom([]int{1, 40, 130, 250, 400, 1100, 2100, 5000, 11_000, 26_000, 70_000}).Draw(w.T, "sleep")
		time.Sleep(time.Duration(ms) * time.Millisecond)
	case k < 14:
		w.connectNewClient()
	case k < 15:
		w.resumeDeparted()
	case k < 18:
		w.moveRandomClient(w.randomNode())
	case k < 19:
		w.disconnectRandomClient()
	case k < 20:
		w.resubscribeRandomClient()
	case k < 22:
		if c := w.randomClient(); c != nil {
			c.conn.setStuck(rapid.Bool().Draw(w.T, "stuck"))
		}
	case k < 24:
		w.applyEntries(w.randomNode(), rapid.IntRange(1, 10).Draw(w.T, "entries"))
	case k < 25:
		w.loseTail()
		if rapid.Bool().Draw(w.T, "goes on") {
			w.appendRandomEntry()
		}
	case k < 27:
		w.freezeNode(w.randomNode())
	case k < 29:
		d := w.randomNode()
		w.rebaseNode(d, rapid.IntRange(0, 3).Draw(w.T, "short"))
		for range rapid.IntRange(0, 2).Draw(w.T, "come at once") {
			w.moveRandomClient(d)
		}
	default:
		w.restartNode(rapid.IntRange(0, len(w.nodes)-1).Draw(w.T, "node"))
	}
}

// nextEvent numbers what happens.
func (w *simulation) nextEvent() int {
	w.events++
	return w.events
}

// appendRandomEntry adds an entry to the log, which some nodes apply at once.
func (w *simulation) appendRandomEntry() {
	now := w.oracle.lastState().time + rapid.SampledFrom([]int64{0, 1, 100, 1000, 1000, 3000, 8000, -4000, 50_000}).Draw(w.T, "pass")
	var changes []presence.Change
	for range rapid.IntRange(0, 4).Draw(w.T, "changes") {
		changes = append(changes, w.changeRandomStream(now)...)
	}
	w.lastID += rapid.SampledFrom([]int{1, 1, 1, 2, 4}).Draw(w.T, "ids")
	w.oracle.appendEntry(w.lastID, now, changes, w.streams)
	for _, d := range w.nodes {
		if rapid.Bool().Draw(w.T, "at once") {
			w.applyEntries(d, len(w.oracle.log))
		}
	}
}

// changeRandomStream changes one stream, and returns how.
func (w *simulation) changeRandomStream(now int64) []presence.Change {
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
		return append(ended, presence.Change{New: w.startSession(u, code, now)})
	}
	if old == nil {
		if lost := w.lost[code]; lost != nil && kind <= 4 {
			return []presence.Change{{New: w.restoreSession(lost)}}
		}
		return []presence.Change{{New: w.startSession(u, code, now)}}
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

func (w *simulation) startSession(u, code string, now int64) *presence.Stream {
	w.sessions++
	st := &presence.Stream{
		Session: presence.Session{byte(w.sessions), byte(w.sessions >> 8)}, Index: uint32(w.sessions), Code: code, Anchor: u,
		List:      rapid.SampledFrom([]string{"live", "live", "live", "vip"}).Draw(w.T, "list"),
		Details:   presence.Details{Tags: rapid.SampledFrom([][]string{nil, {"a"}, {"b", "a"}}).Draw(w.T, "tags")},
		StartedAt: now / 10_000 * 10_000, Listed: rapid.IntRange(0, 5).Draw(w.T, "listed") > 0,
	}
	st.Shown = st.Listed
	w.streams[code] = st
	return st
}

// restoreSession starts a session again that a failover has lost, under another index.
func (w *simulation) restoreSession(lost *presence.Stream) *presence.Stream {
	delete(w.lost, lost.Code)
	st := *lost
	st.Index++
	w.streams[st.Code] = &st
	return &st
}

func (w *simulation) randomClient() *client {
	if len(w.clients) == 0 {
		return nil
	}
	return w.clients[rapid.IntRange(0, len(w.clients)-1).Draw(w.T, "client")]
}

func (w *simulation) randomNode() *node {
	return w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(w.T, "node")]
}

// connectNewClient opens a view on a new socket.
func (w *simulation) connectNewClient() {
	c := &client{node: w.randomNode(), query: rapid.SampledFrom(w.queries).Draw(w.T, "query")}
	if codes := sortedCodes(w.streams); len(codes) > 0 && rapid.IntRange(0, 4).Draw(w.T, "watch") == 0 {
		c.code = rapid.SampledFrom(codes).Draw(w.T, "code")
		c.query = wire.Subscribe{Play: fakeSigner{}.Protocols()}
		if rapid.Bool().Draw(w.T, "some play") {
			c.query.Play = []string{"flv"}
		}
	}
	w.connectClient(c, "")
}

func sortedCodes(m map[string]*presence.Stream) (codes []string) {
	for code := range m {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

func (w *simulation) connectClient(c *client, pos string) {
	c.conn = newFakeConn()
	c.socket = c.node.hub.Attach(c.conn)
	if w.sendRequest(c, pos) {
		w.clients = append(w.clients, c)
		return
	}
	c.socket.Close()
}

// sendRequest subscribes or watches.
func (w *simulation) sendRequest(c *client, pos string) bool {
	if c.code != "" {
		if e := c.node.hub.Watch(c.socket, &wire.Watch{ID: "1", Code: c.code, Play: c.query.Play}); e != nil {
			if e.Code != wire.CodeNotFound || c.node.hub.StreamByCode(c.code) != nil {
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
	c.unanswered++
	c.resumeFrom, c.resumedAt, c.resumeEvent = pos, time.Now(), w.nextEvent()
	return true
}

// resumeDeparted resumes what a client had that went, on any node, sometimes from a
// history that never was.
func (w *simulation) resumeDeparted() {
	if len(w.departed) == 0 {
		return
	}
	was := w.departed[rapid.IntRange(0, len(w.departed)-1).Draw(w.T, "saved")]
	pos := was.list.Pos()
	if rapid.IntRange(0, 9).Draw(w.T, "forged") == 0 && pos != "" {
		p, _ := presence.ParsePosition(pos)
		p.Hash++
		pos = p.String()
	}
	w.resumeAs(was, w.randomNode(), pos)
}

// moveRandomClient takes a client from its node to another, or the same.
func (w *simulation) moveRandomClient(d *node) {
	if c := w.disconnectRandomClient(); c != nil && c.code == "" {
		w.resumeAs(c, d, c.list.Pos())
	}
}

// resumeAs gives what a client had to another.
func (w *simulation) resumeAs(was *client, d *node, pos string) {
	c := &client{node: d, query: was.query}
	if was.list.Pos() != "" {
		c.list.Apply(&wire.Snapshot{View: was.list.ID(), Pos: was.list.Pos(), Total: was.list.Total(), Streams: was.list.Sorted("")})
	}
	w.connectClient(c, pos)
}

// disconnectRandomClient closes a client's socket.
func (w *simulation) disconnectRandomClient() *client {
	c := w.randomClient()
	if c != nil {
		w.disconnectClient(c)
	}
	return c
}

func (w *simulation) disconnectClient(c *client) {
	c.socket.Close()
	w.clients = slices.DeleteFunc(w.clients, func(other *client) bool { return other == c })
	if c.code == "" {
		w.departed = append(w.departed, c)
	}
}

// resubscribeRandomClient asks again for what a client has, on its socket.
func (w *simulation) resubscribeRandomClient() {
	if c := w.randomClient(); c != nil && c.unanswered == 0 {
		c.retries = 3
		w.sendRequest(c, rapid.SampledFrom([]string{"", c.list.Pos()}).Draw(w.T, "pos"))
	}
}

// settleAndCheck lets everything come to rest, and checks what every client has.
func (w *simulation) settleAndCheck() {
	synctest.Wait()
	for _, c := range w.clients {
		for _, m := range c.conn.takeMessages() {
			w.checkMessage(c, m)
		}
	}
}

// checkMessage applies a message and compares the client's list with the oracle's.
func (w *simulation) checkMessage(c *client, m wire.Message) {
	_, id := m.Head()
	if id != "" {
		c.unanswered--
	}
	view, was := c.list.ID(), c.list.Pos()
	if d, ok := m.(*wire.Diff); ok && id == "" && c.unanswered > 0 && d.Prev != was {
		return // overtaken by a resync
	}
	if c.list.Apply(m) {
		if c.retries > 0 && id != "" {
			c.retries-- // a diff crossed the request: ask again, as the protocol has it
			w.sendRequest(c, c.list.Pos())
			return
		}
		w.Fatalf("client at %s of %s cannot follow %+v", was, view, m)
	}
	n, ok := w.oracle.stateByPosition[c.list.Pos()]
	if !ok {
		w.Fatalf("%+v is at a position that never was", m)
	}
	want, total := w.oracle.expectedAnswer(n, &c.query, c.code)
	got := c.list.Sorted(c.query.Sort)
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
		w.Fatalf("%+v\nof query %+v %s at %s leads to\n%s, want\n%s", m, c.query, c.code, c.list.Pos(), a, b)
	}
	if c.list.Total() != total {
		w.Fatalf("%+v: total %d, want %d", m, c.list.Total(), total)
	}
	if id == "" {
		if w.oracle.isAncestor(n, w.oracle.stateByPosition[was]) {
			w.Fatalf("%+v goes back in time from %s", m, was)
		}
		return
	}
	if from, ok := w.oracle.stateByPosition[c.resumeFrom]; ok && time.Since(c.resumedAt) < maxResumeWait {
		w.checkNotBackInTime(c, from, n, fmt.Sprintf("%+v", want))
	}
}

// checkNotBackInTime looks at the answer to a resume that came before patience ended. It
// does not lead back in time. But it may if that is what the client had, or what
// there came to be since, where the node stood meanwhile.
func (w *simulation) checkNotBackInTime(c *client, from, to int, got string) {
	w.checkNotInLostEpoch(c, from, to)
	if !w.oracle.isAncestor(to, from) {
		return
	}
	for _, n := range c.node.statesSince(c.resumeEvent) {
		for ; n >= 0 && !w.oracle.isAncestor(n, from); n = w.oracle.states[n].parent {
			if want, _ := w.oracle.expectedAnswer(n, &c.query, c.code); fmt.Sprintf("%+v", want) == got {
				return
			}
		}
	}
	w.Fatalf("resume from %s went back in time to %s", c.resumeFrom, c.list.Pos())
}

// checkDead: a node that holds answers no resume from where it never was, and
// one that has rebased leads nobody into the history that it has left; but who
// stands there may stay until its views have moved.
func (w *simulation) checkNotInLostEpoch(c *client, from, to int) {
	o, d := w.oracle, c.node
	if d.frozen && d.frozenSince < c.resumeEvent && !d.visited[from] {
		w.Fatalf("resume from %s did not wait for the rebase, and led to %s", c.resumeFrom, c.list.Pos())
	}
	if len(d.statesSince(c.resumeEvent)) == 1 && !o.isAncestorOrSame(to, d.state) && to != from {
		w.Fatalf("resume from %s led to %s, which its node has left", c.resumeFrom, c.list.Pos())
	}
}

// finish lets all catch up: then everybody has the newest list, of the log as it
// is.
func (w *simulation) finish() {
	w.appendRandomEntry() // the log goes on
	for _, d := range w.nodes {
		if d.frozen || !w.oracle.isInLog(d.state) {
			w.rebaseNode(d, 0)
		}
		w.applyEntries(d, len(w.oracle.log))
	}
	for _, c := range w.clients {
		c.conn.setStuck(false)
	}
	for range 5 {
		w.settleAndCheck()
		time.Sleep(3 * time.Second)
	}
	w.settleAndCheck()
	end := w.oracle.log[len(w.oracle.log)-1]
	for _, c := range w.clients {
		want, _ := w.oracle.expectedAnswer(end, &c.query, c.code)
		if a, b := fmt.Sprintf("%+v", c.list.Sorted(c.query.Sort)), fmt.Sprintf("%+v", want); a != b {
			w.Fatalf("in the end %+v %s has\n%s, want\n%s", c.query, c.code, a, b)
		}
		if c.unanswered != 0 {
			w.Fatalf("%d requests of %+v were not answered", c.unanswered, c.query)
		}
		if !w.oracle.isInLog(w.oracle.stateByPosition[c.list.Pos()]) {
			w.Fatalf("in the end %+v %s stands at %s, which is lost", c.query, c.code, c.list.Pos())
		}
	}
	for _, d := range w.nodes {
		if fault := d.inconsistency(w.streams); fault != "" {
			w.Fatalf("%s", fault)
		}
	}
}
