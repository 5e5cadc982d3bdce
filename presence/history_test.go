package presence

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRandomHistoriesMatchModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := &schedule{rt: rt, testLog: &testLog{t: rt, reg: NewRegistry(), time: dawn, epoch: "r", lastBatches: map[string]*Batch{}}}
		g.reg.TrackChangedRecords()
		m := newModel(rt)
		rows := map[[2]string]Record{}
		shown := map[Session]*Stream{}
		var copies []*Registry
		for range rapid.IntRange(1, 150).Draw(rt, "entries") {
			e, b := g.draw()
			for _, c := range copies {
				if _, err := c.Apply(e); err != nil {
					rt.Fatalf("copy: %v", err)
				}
			}
			stale := isOnlyStale(g.reg, b)
			before := slices.Collect(g.reg.Streams())
			a := g.applyEntry(e)
			g.took(a)
			if stale && !slices.Equal(before, slices.Collect(g.reg.Streams())) && !hasFired(a) {
				rt.Fatalf("a stale session changed something: %+v", a.Changes)
			}
			m.apply(e, b, a)
			m.agree(g.reg)
			applyChanges(rt, shown, a.Changes)
			if !slices.Equal(slices.Collect(g.reg.Streams()), slices.SortedFunc(maps.Values(shown), func(a, b *Stream) int { return cmp.Compare(a.Index, b.Index) })) {
				rt.Fatalf("the changes do not make the list")
			}
			for _, c := range copies {
				if c.Position() != g.reg.Position() || c.Digest() != g.reg.Digest() {
					rt.Fatalf("a copy went astray at %v", e.Num)
				}
			}
			requireDigest(rt, g.reg)
			if rapid.IntRange(0, 20).Draw(rt, "take") == 0 {
				takeRows(rt, g.reg, rows)
			}
			if len(copies) < 3 && rapid.IntRange(0, 20).Draw(rt, "snapshot") == 0 {
				c, err := DecodeRegistry(g.reg.Encode())
				if err != nil {
					rt.Fatalf("decode: %v", err)
				}
				requireEqual(rt, "decoded", c, g.reg)
				copies = append(copies, c)
			}
		}
		for _, c := range copies {
			requireEqual(rt, "a node that started from a snapshot", c, g.reg)
		}
		again := NewRegistry()
		for _, e := range g.entries {
			if _, err := again.Apply(e); err != nil {
				rt.Fatalf("%v", err)
			}
		}
		requireEqual(rt, "replay", again, g.reg)
		takeRows(rt, g.reg, rows)
		requireSameList(rt, loadRecords(rt, maps.Values(rows)), g.reg)
	})
}

// schedule draws what the nodes of a deployment may append.
type schedule struct {
	*testLog
	rt       *rapid.T
	sessions []Session // all that were started
	leases   []Lease
	next     int
}

var (
	nodeNames = []string{"n1", "n2", "n3"}
	steps     = rapid.SampledFrom([]int64{0, 1, 5, 25, 25, 60, 100, 100, 100, 200, 499, 500, 501, -40, 5_000, 86_400_000})
	spans     = rapid.SampledFrom([]int64{0, 50, 1_000, 30_000})
	intervals = rapid.SampledFrom([]int64{100, 400, 1_000, 2_000, 60_000})
)

func (g *schedule) session() Session {
	if len(g.sessions) == 0 {
		return sessionID(0)
	}
	return rapid.SampledFrom(g.sessions).Draw(g.rt, "session")
}

// key draws a client key, often one that was used.
func (g *schedule) key() string {
	return rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(g.rt, "key")
}

func (g *schedule) command() Command {
	socket := rapid.SampledFrom([]string{"", "c1", "c2"}).Draw(g.rt, "socket")
	anchor := rapid.SampledFrom([]string{"ann", "bob", "cid", "dan"}).Draw(g.rt, "anchor")
	what := rapid.SampledFrom([]string{"start", "start", "start", "resume", "stop", "update", "ban", "unban", "set", "observe", "push started", "push started", "push ended", "push ended", "push ongoing", "beat", "poll online", "poll offline", "poll offline", "poll failed", "screenshot", "recording", "complete", "adopt", "leave"}).Draw(g.rt, "command")
	switch what {
	case "start":
		g.next++
		c := startOf(g.next, anchor)
		if rapid.IntRange(0, 2).Draw(g.rt, "mute") == 0 {
			c.Sources = rapid.SampledFrom([]Sources{
				SourcesOf(FromCallback), SourcesOf(FromPoll), SourcesOf(FromCallback, FromPoll), SourcesOf(FromBeats, FromPoll),
			}).Draw(g.rt, "sources")
		}
		c.Socket, c.Key = socket, rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(g.rt, "key")
		if rapid.IntRange(0, 9).Draw(g.rt, "suffix") == 0 {
			c.Code = "8888_ann"
		}
		return c
	case "resume":
		s := g.session()
		if st := g.reg.StreamBySession(s); st != nil {
			anchor = st.Anchor
		}
		return &Resume{Session: s, Anchor: anchor, Socket: socket}
	case "stop":
		return &Stop{Session: g.session(), Socket: socket, Reason: Stopped, By: "op", Key: g.key()}
	case "update":
		return &Update{Session: g.session(), Socket: socket, Key: g.key(), Title: new("new"), Tags: &[]string{"a", "b"}}
	case "ban":
		return &Ban{Anchor: anchor, Until: g.time + rapid.Int64Range(-10, 3_000).Draw(g.rt, "until"), By: "op", Key: g.key()}
	case "unban":
		return &Unban{Anchor: anchor, By: "op", Key: g.key()}
	case "set":
		s := Settings{
			Revision: g.reg.settings.Revision + rapid.Int64Range(0, 1).Draw(g.rt, "revision"), Interval: intervals.Draw(g.rt, "interval"),
			Missed: rapid.Int64Range(1, 4).Draw(g.rt, "missed"), RefuseTakeover: rapid.Bool().Draw(g.rt, "refuse"), ShowPublished: rapid.Bool().Draw(g.rt, "show"),
		}
		s.EndGrace, s.StartWithin, s.CallbackOnly = spans.Draw(g.rt, "end"), spans.Draw(g.rt, "start"), spans.Draw(g.rt, "callback")
		s.OfflineAfter, s.BlindAfter = rapid.Int64Range(0, 3).Draw(g.rt, "offline after"), rapid.Int64Range(0, 3).Draw(g.rt, "blind after")
		s.PollEvery = spans.Draw(g.rt, "poll every")
		s.MediaRequired = rapid.Bool().Draw(g.rt, "required")
		s.EventKinds = EventKinds(rapid.Byte().Draw(g.rt, "effects"))
		s.Grace = rapid.SampledFrom([]int64{0, s.Interval / 10, s.Interval}).Draw(g.rt, "grace")
		return &SetSettings{s}
	case "observe":
		return &Observe{Session: g.session(), Source: FromSocket, Signal: Detached, Socket: socket}
	case "push started", "push ended", "push ongoing":
		signals := map[string]Signal{"push started": PushStarted, "push ended": PushEnded, "push ongoing": PushOngoing}
		c := &Observe{
			Session: g.session(), Source: FromCallback, Signal: signals[what],
			Push: rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6"}).Draw(g.rt, "media"),
		}
		if c.IsUnique = rapid.Bool().Draw(g.rt, "unique"); c.IsUnique && what != "push ended" {
			c.PushStartedAt = rapid.SampledFrom([]int64{0, dawn - 50_000, g.time - 3_000, g.time, g.time + 3_000, g.time + 2*maxClockLead}).Draw(g.rt, "since")
		}
		return c
	case "poll online", "poll offline", "poll failed":
		signals := map[string]Signal{"poll online": PollOnline, "poll offline": PollOffline, "poll failed": PollFailed}
		return &Observe{Session: g.session(), Source: FromPoll, Signal: signals[what]}
	case "screenshot":
		return &Observe{Session: g.session(), Source: FromCallback, Signal: ScreenshotTaken, Detail: "https://x/y.jpg"}
	case "recording":
		start := rapid.SampledFrom([]int64{0, g.time - 100_000, g.time - 500}).Draw(g.rt, "recorded from")
		return &AddRecording{Recording{
			ID: rapid.StringMatching("[ab]{1,3}").Draw(g.rt, "recording"), Code: "8888_" + anchor, StartedAt: start, EndedAt: g.time,
		}}
	case "complete":
		c := &CompleteEvent{Failure: rapid.SampledFrom([]string{"", "refused"}).Draw(g.rt, "why")}
		for _, e := range g.reg.OutboxEvents(0) {
			c.ID = e.ID
			if rapid.Bool().Draw(g.rt, "this one") {
				break
			}
		}
		return c
	case "beat":
		return &Observe{Session: g.session(), Source: FromBeats, Signal: BeatReceived}
	case "adopt":
		return &AdoptLeaseParams{g.session()}
	}
	return &Leave{}
}

func (g *schedule) batch() Batch {
	var b Batch
	for _, l := range g.leases {
		switch rapid.IntRange(0, 15).Draw(g.rt, "beat") {
		case 0, 1, 2:
			b.Beats = append(b.Beats, Beat{l, uint32(rapid.SampledFrom([]int64{0, 10, 100, 1_000, 100_000}).Draw(g.rt, "age"))})
		case 3:
			b.Beats = append(b.Beats, Beat{Lease{l.Index, l.Tag + 1}, 0})
		case 4:
			b.Viewers = append(b.Viewers, Count{l, rapid.Int64Range(0, 5).Draw(g.rt, "viewers")})
		case 5:
			b.Likes = append(b.Likes, Count{l, rapid.Int64Range(0, 20).Draw(g.rt, "likes")})
		}
	}
	for range max(0, rapid.IntRange(-3, 2).Draw(g.rt, "commands")) {
		b.Commands = append(b.Commands, g.command())
	}
	return b
}

// draw draws one entry.
func (g *schedule) draw() (Entry, *Batch) {
	g.time += steps.Draw(g.rt, "step")
	if rapid.IntRange(0, 60).Draw(g.rt, "failover") == 0 {
		g.epoch += "'"
	}
	node := rapid.SampledFrom(nodeNames).Draw(g.rt, "node")
	b := g.batch()
	if was := g.lastBatches[node]; was != nil {
		p, _ := g.reg.nodes.find(node)
		switch k := rapid.IntRange(0, 50).Draw(g.rt, "boot"); {
		case k == 0, k < 40 && p != nil && !p.isAlive:
			b.Incarnation = was.Incarnation + 1
		case k == 50:
			b.Seq = was.Seq // a repeated batch
		}
	}
	e := g.sealEntry(node, b)
	decoded, err := DecodeBatch(e.Batch)
	if err != nil {
		g.t.Fatalf("%v", err)
	}
	return e, decoded
}

// took records the sessions that an entry started.
func (g *schedule) took(a Applied) {
	for _, c := range a.Changes {
		if c.Cause == ByStart {
			g.sessions = append(g.sessions, c.New.Session)
			g.leases = append(g.leases, c.New.Lease())
			if len(g.leases) > 8 {
				g.leases = g.leases[1:]
			}
		}
	}
}

// isOnlyStale reports whether all of a batch is about sessions or leases that
// are not live.
func isOnlyStale(r *Registry, b *Batch) bool {
	for _, x := range b.Beats {
		if r.leases.find(x.Lease) != nil {
			return false
		}
	}
	for _, c := range append(slices.Clone(b.Viewers), b.Likes...) {
		if r.leases.find(c.Lease) != nil {
			return false
		}
	}
	for _, c := range b.Commands {
		var s Session
		switch c := c.(type) {
		case *Stop:
			s = c.Session
		case *Update:
			s = c.Session
		case *Resume:
			s = c.Session
		case *Observe:
			s = c.Session
		case *AdoptLeaseParams:
			s = c.Session
		default:
			return false
		}
		if r.StreamBySession(s) != nil {
			return false
		}
	}
	return true
}

// hasFired reports whether time alone changed something.
func hasFired(a Applied) bool {
	return slices.ContainsFunc(a.Changes, func(c Change) bool {
		return c.Cause == BySilence || c.Cause == ByEnd && (c.Ended.Reason == MissedBeats || c.Ended.Reason == StreamLost) || c.Cause == ByCounts
	})
}

func applyChanges(t *rapid.T, shown map[Session]*Stream, changes []Change) {
	for _, c := range changes {
		if c.Old != nil && shown[c.Old.Session] != c.Old {
			t.Fatalf("%v: change of what nobody has", c.Cause)
		}
		if (c.New == nil) != (c.Ended != nil) {
			t.Fatalf("%v: an end without reason", c.Cause)
		}
		if c.New != nil {
			shown[c.New.Session] = c.New
		} else {
			delete(shown, c.Old.Session)
		}
	}
}

func requireDigest(t *rapid.T, r *Registry) {
	c, err := DecodeRegistry(r.Encode())
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if c.Digest() != r.Digest() {
		t.Fatalf("digest %x, from scratch %x", r.Digest(), c.Digest())
	}
	for st := range r.Streams() {
		if o := c.StreamBySession(st.Session); o.Viewers != st.Viewers || o.Viewers < 0 {
			t.Fatalf("viewers %d, decoded %d", st.Viewers, o.Viewers)
		}
	}
}

func takeRows(t *rapid.T, r *Registry, rows map[[2]string]Record) {
	for _, rec := range r.TakeChangedRecords() {
		if k := [2]string{string(rec.Kind), rec.Key}; rec.Value == nil {
			delete(rows, k)
		} else {
			rows[k] = rec
		}
	}
}

func loadRecords(t *rapid.T, records func(func(Record) bool)) *Registry {
	r, err := LoadRegistry(func(yield func(Record, error) bool) {
		for rec := range records {
			if !yield(rec, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return r
}

// requireSameList compares what rows contain: all except leases, counts and
// times of nodes.
func requireSameList(t *rapid.T, got, want *Registry) {
	if got.Settings() != want.Settings() || got.rules != want.rules || got.Len() != want.Len() || !maps.Equal(got.bans, want.bans) || got.ended.first != want.ended.first || !slices.Equal(got.keys.list, want.keys.list) {
		t.Fatalf("rows lost settings, sessions, bans or keys")
	}
	for st := range want.Streams() {
		o := *st
		o.Viewers = 0
		if g := got.StreamBySession(st.Session); fmt.Sprint(*g) != fmt.Sprint(o) {
			t.Fatalf("rows have %+v, want %+v", *g, o)
		}
		le := got.leases.all[st.Index]
		if le.lastRenewal(got.clock) != got.clock || le.misses != 0 {
			t.Fatalf("a lease that is not full: %+v", le)
		}
	}
	for i, e := range want.ended.list {
		if g := got.ended.list[i]; fmt.Sprint(*g.Stream, g.Reason, g.By, g.EndedAt, g.Evidence) != fmt.Sprint(*e.Stream, e.Reason, e.By, e.EndedAt, e.Evidence) {
			t.Fatalf("rows have the end %+v, want %+v", g, e)
		}
	}
	requireScheduledOnce(t, got)
}
