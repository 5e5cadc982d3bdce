package presence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// tape writes entries as a log would, and feeds them to a registry.
type tape struct {
	t interface {
		Helper()
		Fatalf(string, ...any)
	}
	r       *Registry
	num     uint64
	time    int64
	repl    string
	speaks  map[string]*Batch // the last batch of each node
	entries []Entry
	clashes [conflicts]int // so far
}

var fast = Settings{Revision: 1, Interval: 4_000, Missed: 3, Grace: 400}

const dawn = 1_763_830_000_000

func newTape(t testing.TB) *tape {
	return &tape{t: t, r: NewRegistry(), time: dawn, repl: "r1", speaks: map[string]*Batch{}}
}

// entry seals a batch as the next one of its node.
func (x *tape) entry(node string, b Batch) Entry {
	was := x.speaks[node]
	if was == nil {
		was = &Batch{Boot: 1}
		x.speaks[node] = was
	}
	b.Node, b.Knows = node, Rules
	if b.Boot == 0 {
		b.Boot = was.Boot
	}
	if b.No == 0 {
		b.No = was.No + 1
		if b.Boot != was.Boot {
			b.No = 1
		}
	}
	if b.Origin == 0 {
		b.Origin = b.Boot
	}
	was.Boot, was.No = b.Boot, b.No
	return x.stamp(b.Seal().Bytes)
}

func (x *tape) stamp(batch []byte) Entry {
	x.num++
	e := Entry{ID: ID{uint64(dawn) + x.num, 0}, Num: x.num, Time: x.time, Repl: x.repl, Batch: batch}
	x.entries = append(x.entries, e)
	return e
}

func (x *tape) apply(e Entry) Applied {
	x.t.Helper()
	a, err := x.r.Apply(e)
	if err != nil {
		x.t.Fatalf("apply: %v", err)
	}
	return a
}

func (x *tape) say(node string, b Batch) Applied {
	x.t.Helper()
	a := x.apply(x.entry(node, b))
	for c, n := range a.Conflicts {
		x.clashes[c] += n
	}
	return a
}

// do applies one command through node a and returns its result.
func (x *tape) do(c Command) Result {
	x.t.Helper()
	return x.doOn("a", c)
}

func (x *tape) doOn(node string, c Command) Result {
	x.t.Helper()
	a := x.say(node, Batch{Commands: []Command{c}})
	if a.Refused {
		x.t.Fatalf("batch refused")
	}
	return a.Results[0]
}

// pass lets time go by in steps of a tick, at each of which the nodes speak,
// and returns all changes.
func (x *tape) pass(ms int64, nodes ...string) (changes []Change) {
	x.t.Helper()
	if len(nodes) == 0 {
		nodes = []string{"a"}
	}
	tick := x.r.Settings().Tick()
	for end := x.time + ms; x.time < end; {
		x.time = min(x.time+tick, end)
		for _, n := range nodes {
			changes = append(changes, x.say(n, Batch{}).Changes...)
		}
	}
	return changes
}

func (x *tape) beat(node string, ls ...Lease) Applied {
	x.t.Helper()
	var b Batch
	for _, l := range ls {
		b.Beats = append(b.Beats, Beat{Lease: l})
	}
	return x.say(node, b)
}

func (x *tape) set(s Settings) {
	x.t.Helper()
	s.Revision = x.r.Settings().Revision + 1
	x.do(&SetSettings{s})
	if x.r.Settings() != s {
		x.t.Fatalf("settings not taken: %+v", s)
	}
}

func (x *tape) state(s Session) string {
	if st := x.r.Session(s); st != nil {
		return st.State.String()
	}
	if e := x.r.Ended(s); e != nil {
		return e.Reason.String()
	}
	return ""
}

func id(n int) (s Session) {
	binary.BigEndian.PutUint64(s[8:], uint64(n))
	binary.LittleEndian.PutUint16(s[:2], uint16(n*7919))
	return s
}

// started is a start of session n by an anchor of that name.
func started(n int, anchor string) *Start {
	return &Start{Session: id(n), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: fmt.Sprint("title ", n), Listed: true, Holder: fmt.Sprint("conn", n)}
}

func equal(t interface{ Fatalf(string, ...any) }, what string, got, want *Registry) {
	g, w := got.Encode(), want.Encode()
	if bytes.Equal(g, w) {
		return
	}
	gr, wr := slices.Collect(got.Records()), slices.Collect(want.Records())
	for i := range min(len(gr), len(wr)) {
		if gr[i].Kind != wr[i].Kind || gr[i].Key != wr[i].Key || !bytes.Equal(gr[i].Value, wr[i].Value) {
			t.Fatalf("%s: record %q %q differs:\n got %x\nwant %q %q %x", what, gr[i].Kind, gr[i].Key, gr[i].Value, wr[i].Kind, wr[i].Key, wr[i].Value)
		}
	}
	t.Fatalf("%s: %d records, want %d", what, len(gr), len(wr))
}

func check[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
