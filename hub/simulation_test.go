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

// TestViewersMatchOracle runs random simulations. After every message a viewer has
// exactly the oracle's answer for its position, and does not go back in time.
// Nodes apply one log at different times, and have different ticks. Viewers move
// between nodes. The log loses its tail, and continues with other entries that may
// have the same ids; nodes freeze and rebase. A failure prints the -rapid.seed that
// repeats it.
func TestViewersMatchOracle(t *testing.T) {
	vary := time.Duration(time.Now().UnixNano() % 1e9)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(vary) // rapid seeds from the time, which is constant in a bubble
		// rapid calls Deadline, which panics in a bubble: hide it.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			sim := newSimulation(rt)
			defer sim.stop()
			steps := rapid.IntRange(10, 300).Draw(rt, "steps")
			for range steps {
				sim.doRandomStep()
				sim.settleAndCheck()
			}
			sim.finish()
		})
	})
}

// simulation is one random run.
type simulation struct {
	*rapid.T
	options  Options
	queries  []wire.Subscribe // that clients of this run use
	oracle   *oracle
	streams  map[string]*presence.Stream // at the log's end
	lost     map[string]*presence.Stream // with the log's tail
	sessions int                         // number of sessions
	lastID   int                         // of the last entry
	events   int                         // number of events
	nodes    [3]*node
	clients  []*client
	departed []*client // clients with closed sockets and their last lists
}

// client is a viewer of one view on one socket.
type client struct {
	node        *node
	conn        *fakeConn
	socket      *Socket
	query       wire.Subscribe
	code        string // of a watch; else empty
	list        wire.ClientView
	unanswered  int // number of requests
	retries     int // left, after a diff that crossed a request
	resumeFrom  string
	resumedAt   time.Time // last request
	resumeEvent int       // number of the last request
}

// queries are all queries of simulations.
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
	sim := &simulation{
		T: rt, oracle: newOracle(), streams: map[string]*presence.Stream{}, lost: map[string]*presence.Stream{},
		options: Options{
			Lists: []string{"live", "vip"}, Signer: fakeSigner{}, Limits: Limits{SnapshotsPerSecond: 1000},
			UndoRingSize: rapid.SampledFrom([]int{1 << 17, 1 << 17, 6}).Draw(rt, "history"),
		},
	}
	// With few queries, many clients share a view.
	sim.queries = queries[rapid.IntRange(0, len(queries)-1).Draw(rt, "first query"):]
	sim.queries = sim.queries[:rapid.IntRange(1, len(sim.queries)).Draw(rt, "queries")]
	for i := range sim.nodes {
		sim.nodes[i] = sim.startNode(0)
		time.Sleep(time.Duration(rapid.IntRange(0, 300).Draw(rt, "phase")) * time.Millisecond)
	}
	return sim
}

func (sim *simulation) stop() {
	for _, c := range sim.clients {
		c.socket.Close()
	}
	for _, d := range sim.nodes {
		d.stop()
	}
}

// doRandomStep does one random action.
func (sim *simulation) doRandomStep() {
	switch k := rapid.IntRange(0, 29).Draw(sim.T, "step"); {
	case k < 9:
		sim.appendRandomEntry()
	case k < 12:
		ms := rapid.SampledFrom([]int{1, 40, 130, 250, 400, 1100, 2100, 5000, 11_000, 26_000, 70_000}).Draw(sim.T, "sleep")
		time.Sleep(time.Duration(ms) * time.Millisecond)
	case k < 14:
		sim.connectNewClient()
	case k < 15:
		sim.resumeDeparted()
	case k < 18:
		sim.moveRandomClient(sim.randomNode())
	case k < 19:
		sim.disconnectRandomClient()
	case k < 20:
		sim.resubscribeRandomClient()
	case k < 22:
		if c := sim.randomClient(); c != nil {
			c.conn.setStuck(rapid.Bool().Draw(sim.T, "stuck"))
		}
	case k < 24:
		sim.applyEntries(sim.randomNode(), rapid.IntRange(1, 10).Draw(sim.T, "entries"))
	case k < 25:
		sim.loseTail()
		if rapid.Bool().Draw(sim.T, "goes on") {
			sim.appendRandomEntry()
		}
	case k < 27:
		sim.freezeNode(sim.randomNode())
	case k < 29:
		d := sim.randomNode()
		sim.rebaseNode(d, rapid.IntRange(0, 3).Draw(sim.T, "short"))
		for range rapid.IntRange(0, 2).Draw(sim.T, "come at once") {
			sim.moveRandomClient(d)
		}
	default:
		sim.restartNode(rapid.IntRange(0, len(sim.nodes)-1).Draw(sim.T, "node"))
	}
}

// nextEvent returns the number of a new event.
func (sim *simulation) nextEvent() int {
	sim.events++
	return sim.events
}

// appendRandomEntry appends an entry to the log. Some nodes apply it at once.
func (sim *simulation) appendRandomEntry() {
	now := sim.oracle.lastState().logTime + rapid.SampledFrom([]int64{0, 1, 100, 1000, 1000, 3000, 8000, -4000, 50_000}).Draw(sim.T, "pass")
	var changes []presence.Change
	for range rapid.IntRange(0, 4).Draw(sim.T, "changes") {
		changes = append(changes, sim.changeRandomStream(now)...)
	}
	sim.lastID += rapid.SampledFrom([]int{1, 1, 1, 2, 4}).Draw(sim.T, "ids")
	sim.oracle.appendEntry(sim.lastID, now, changes, sim.streams)
	for _, d := range sim.nodes {
		if rapid.Bool().Draw(sim.T, "at once") {
			sim.applyEntries(d, len(sim.oracle.logStates))
		}
	}
}

// changeRandomStream starts, ends or changes one stream.
func (sim *simulation) changeRandomStream(now int64) []presence.Change {
	u := fmt.Sprintf("u%d", rapid.IntRange(0, 7).Draw(sim.T, "anchor"))
	code := "8888_" + u
	old := sim.streams[code]
	kind := rapid.IntRange(0, 9).Draw(sim.T, "kind")
	if old != nil && kind <= 1 { // ends, or is replaced by a new session
		delete(sim.streams, code)
		ended := []presence.Change{{Old: old}}
		if kind == 0 {
			return ended
		}
		return append(ended, presence.Change{New: sim.startSession(u, code, now)})
	}
	if old == nil {
		if lost := sim.lost[code]; lost != nil && kind <= 4 {
			return []presence.Change{{New: sim.restoreSession(lost)}}
		}
		return []presence.Change{{New: sim.startSession(u, code, now)}}
	}
	next := *old
	switch small := rapid.Int64Range(0, 4); kind {
	case 2, 3, 4:
		next.Viewers = small.Draw(sim.T, "viewers")
		next.PeakViewers = max(next.PeakViewers, next.Viewers)
	case 5:
		next.Likes += small.Draw(sim.T, "likes")
	case 6:
		next.Tags = rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"a", "b"}, {"c", "a"}}).Draw(sim.T, "tags")
	case 7:
		next.State, next.Away = presence.Away, presence.MissedBeat
		if old.State == presence.Away {
			next.State, next.Away = presence.Live, presence.NotAway
		}
	case 8:
		next.Shown = next.Listed && !next.Shown
	case 9:
		next.Title = rapid.SampledFrom([]string{"", "one", "two \"\u2028"}).Draw(sim.T, "title")
		next.Cover = rapid.SampledFrom([]string{"", "https://cover"}).Draw(sim.T, "cover")
		next.Extra = rapid.SampledFrom([][]byte{nil, []byte(`{"x":1}`)}).Draw(sim.T, "extra")
	}
	sim.streams[code] = &next
	return []presence.Change{{Old: old, New: &next}}
}

func (sim *simulation) startSession(u, code string, now int64) *presence.Stream {
	sim.sessions++
	st := &presence.Stream{
		Session: presence.Session{byte(sim.sessions), byte(sim.sessions >> 8)}, Index: uint32(sim.sessions), Code: code, Anchor: u,
		List:      rapid.SampledFrom([]string{"live", "live", "live", "vip"}).Draw(sim.T, "list"),
		Details:   presence.Details{Tags: rapid.SampledFrom([][]string{nil, {"a"}, {"b", "a"}}).Draw(sim.T, "tags")},
		StartedAt: now / 10_000 * 10_000, Listed: rapid.IntRange(0, 5).Draw(sim.T, "listed") > 0,
	}
	st.Shown = st.Listed
	sim.streams[code] = st
	return st
}

// restoreSession starts a lost session again, under another index.
func (sim *simulation) restoreSession(lost *presence.Stream) *presence.Stream {
	delete(sim.lost, lost.Code)
	st := *lost
	st.Index++
	sim.streams[st.Code] = &st
	return &st
}

func (sim *simulation) randomClient() *client {
	if len(sim.clients) == 0 {
		return nil
	}
	return sim.clients[rapid.IntRange(0, len(sim.clients)-1).Draw(sim.T, "client")]
}

func (sim *simulation) randomNode() *node {
	return sim.nodes[rapid.IntRange(0, len(sim.nodes)-1).Draw(sim.T, "node")]
}

// connectNewClient opens a view on a new socket.
func (sim *simulation) connectNewClient() {
	c := &client{node: sim.randomNode(), query: rapid.SampledFrom(sim.queries).Draw(sim.T, "query")}
	if codes := sortedCodes(sim.streams); len(codes) > 0 && rapid.IntRange(0, 4).Draw(sim.T, "watch") == 0 {
		c.code = rapid.SampledFrom(codes).Draw(sim.T, "code")
		c.query = wire.Subscribe{Play: fakeSigner{}.Protocols()}
		if rapid.Bool().Draw(sim.T, "some play") {
			c.query.Play = []string{"flv"}
		}
	}
	sim.connectClient(c, "")
}

func sortedCodes(m map[string]*presence.Stream) (codes []string) {
	for code := range m {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

func (sim *simulation) connectClient(c *client, pos string) {
	c.conn = newFakeConn()
	c.socket = c.node.hub.Attach(c.conn)
	if sim.sendRequest(c, pos) {
		sim.clients = append(sim.clients, c)
		return
	}
	c.socket.Close()
}

// sendRequest subscribes, from pos if not empty, or watches. It returns false if the
// watched stream is not live.
func (sim *simulation) sendRequest(c *client, pos string) bool {
	if c.code != "" {
		if e := c.node.hub.Watch(c.socket, &wire.Watch{ID: "1", Code: c.code, Play: c.query.Play}); e != nil {
			if errorCode(e) != wire.CodeNotFound || c.node.hub.StreamByCode(c.code) != nil {
				sim.Fatalf("watch: %v", e)
			}
			return false
		}
	} else {
		m := c.query
		m.ID, m.Pos = "1", pos
		if e := c.node.hub.Subscribe(c.socket, &m); e != nil {
			sim.Fatalf("subscribe: %v", e)
		}
	}
	c.unanswered++
	c.resumeFrom, c.resumedAt, c.resumeEvent = pos, time.Now(), sim.nextEvent()
	return true
}

// resumeDeparted resumes a departed client on any node, sometimes from an invalid
// position.
func (sim *simulation) resumeDeparted() {
	if len(sim.departed) == 0 {
		return
	}
	was := sim.departed[rapid.IntRange(0, len(sim.departed)-1).Draw(sim.T, "saved")]
	pos := was.list.Pos()
	if rapid.IntRange(0, 9).Draw(sim.T, "forged") == 0 && pos != "" {
		p, _ := presence.ParsePosition(pos)
		p.Hash++
		pos = p.String()
	}
	sim.resumeAs(was, sim.randomNode(), pos)
}

// moveRandomClient closes a client and resumes it on a node.
func (sim *simulation) moveRandomClient(d *node) {
	if c := sim.disconnectRandomClient(); c != nil && c.code == "" {
		sim.resumeAs(c, d, c.list.Pos())
	}
}

// resumeAs connects a client that has another's list.
func (sim *simulation) resumeAs(was *client, d *node, pos string) {
	c := &client{node: d, query: was.query}
	if was.list.Pos() != "" {
		c.list.Apply(&wire.Snapshot{View: was.list.ID(), Pos: was.list.Pos(), Total: was.list.Total(), Streams: was.list.Sorted("")})
	}
	sim.connectClient(c, pos)
}

// disconnectRandomClient closes the socket of a client, and returns the client or
// nil.
func (sim *simulation) disconnectRandomClient() *client {
	c := sim.randomClient()
	if c != nil {
		sim.disconnectClient(c)
	}
	return c
}

func (sim *simulation) disconnectClient(c *client) {
	c.socket.Close()
	sim.clients = slices.DeleteFunc(sim.clients, func(other *client) bool { return other == c })
	if c.code == "" {
		sim.departed = append(sim.departed, c)
	}
}

// resubscribeRandomClient repeats a client's request on its socket.
func (sim *simulation) resubscribeRandomClient() {
	if c := sim.randomClient(); c != nil && c.unanswered == 0 {
		c.retries = 3
		sim.sendRequest(c, rapid.SampledFrom([]string{"", c.list.Pos()}).Draw(sim.T, "pos"))
	}
}

// settleAndCheck waits until all goroutines block, and checks all new messages.
func (sim *simulation) settleAndCheck() {
	synctest.Wait()
	for _, c := range sim.clients {
		for _, m := range c.conn.takeMessages() {
			sim.checkMessage(c, m)
		}
	}
}

// checkMessage applies a message and compares the client's list with the oracle's.
func (sim *simulation) checkMessage(c *client, m wire.Message) {
	_, id := wire.Head(m)
	if id != "" {
		c.unanswered--
	}
	view, was := c.list.ID(), c.list.Pos()
	if d, ok := m.(*wire.Diff); ok && id == "" && c.unanswered > 0 && d.Prev != was {
		return // crossed the new request
	}
	if c.list.Apply(m) {
		if c.retries > 0 && id != "" {
			c.retries-- // a diff crossed the request: repeat it, as the protocol specifies
			sim.sendRequest(c, c.list.Pos())
			return
		}
		sim.Fatalf("client at %s of %s cannot follow %+v", was, view, m)
	}
	n, ok := sim.oracle.stateByPosition[c.list.Pos()]
	if !ok {
		sim.Fatalf("%+v is at a position that was never in the log", m)
	}
	want, total := sim.oracle.expectedAnswer(n, &c.query, c.code)
	got := c.list.Sorted(c.query.Sort)
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
		sim.Fatalf("%+v\nof query %+v %s at %s leads to\n%s, want\n%s", m, c.query, c.code, c.list.Pos(), a, b)
	}
	if c.list.Total() != total {
		sim.Fatalf("%+v: total %d, want %d", m, c.list.Total(), total)
	}
	if id == "" {
		if sim.oracle.isAncestor(n, sim.oracle.stateByPosition[was]) {
			sim.Fatalf("%+v goes back in time from %s", m, was)
		}
		return
	}
	if from, ok := sim.oracle.stateByPosition[c.resumeFrom]; ok && time.Since(c.resumedAt) < maxResumeWait {
		sim.checkNotBackInTime(c, from, n, fmt.Sprintf("%+v", want))
	}
}

// checkNotBackInTime checks that an answer within maxResumeWait does not lead back
// in time. It may lead to an earlier state with the same content as a state between
// it and the request that the node had meanwhile.
func (sim *simulation) checkNotBackInTime(c *client, from, to int, got string) {
	sim.checkNotInLostEpoch(c, from, to)
	if !sim.oracle.isAncestor(to, from) {
		return
	}
	for _, n := range c.node.statesSince(c.resumeEvent) {
		for ; n >= 0 && !sim.oracle.isAncestor(n, from); n = sim.oracle.states[n].parent {
			if want, _ := sim.oracle.expectedAnswer(n, &c.query, c.code); fmt.Sprintf("%+v", want) == got {
				return
			}
		}
	}
	sim.Fatalf("resume from %s went back in time to %s", c.resumeFrom, c.list.Pos())
}

// checkNotInLostEpoch checks that a frozen node answers no resume from an unknown
// position. It also checks that a rebased node leads no client into the epoch that
// it has left. A client there may stay until the view has moved.
func (sim *simulation) checkNotInLostEpoch(c *client, from, to int) {
	o, d := sim.oracle, c.node
	if d.frozen && d.frozenSince < c.resumeEvent && !d.visitedStates[from] {
		sim.Fatalf("resume from %s did not wait for the rebase, and led to %s", c.resumeFrom, c.list.Pos())
	}
	if len(d.statesSince(c.resumeEvent)) == 1 && !o.isAncestorOrSame(to, d.stateIndex) && to != from {
		sim.Fatalf("resume from %s led to %s, which its node has left", c.resumeFrom, c.list.Pos())
	}
}

// finish has all nodes and clients catch up, and checks that all clients have the
// newest list of the current log.
func (sim *simulation) finish() {
	sim.appendRandomEntry() // the log continues
	for _, d := range sim.nodes {
		if d.frozen || !sim.oracle.isInLog(d.stateIndex) {
			sim.rebaseNode(d, 0)
		}
		sim.applyEntries(d, len(sim.oracle.logStates))
	}
	for _, c := range sim.clients {
		c.conn.setStuck(false)
	}
	for range 5 {
		sim.settleAndCheck()
		time.Sleep(3 * time.Second)
	}
	sim.settleAndCheck()
	end := sim.oracle.logStates[len(sim.oracle.logStates)-1]
	for _, c := range sim.clients {
		want, _ := sim.oracle.expectedAnswer(end, &c.query, c.code)
		if a, b := fmt.Sprintf("%+v", c.list.Sorted(c.query.Sort)), fmt.Sprintf("%+v", want); a != b {
			sim.Fatalf("in the end %+v %s has\n%s, want\n%s", c.query, c.code, a, b)
		}
		if c.unanswered != 0 {
			sim.Fatalf("%d requests of %+v were not answered", c.unanswered, c.query)
		}
		if !sim.oracle.isInLog(sim.oracle.stateByPosition[c.list.Pos()]) {
			sim.Fatalf("in the end %+v %s stands at %s, which is lost", c.query, c.code, c.list.Pos())
		}
	}
	for _, d := range sim.nodes {
		if fault := d.inconsistency(sim.streams); fault != "" {
			sim.Fatalf("%s", fault)
		}
	}
}
