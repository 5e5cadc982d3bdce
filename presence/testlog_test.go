package presence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// testLog makes entries as a log does, and applies them to a registry.
type testLog struct {
	t interface {
		Helper()
		Fatalf(string, ...any)
	}
	reg         *Registry
	num         uint64
	time        int64
	epoch       string
	lastBatches map[string]*Batch // by node
	entries     []Entry
	conflicts   [numConflicts]int // all so far
}

var fast = Settings{Revision: 1, Interval: 4_000, Missed: 3, Grace: 400}

const dawn = 1_763_830_000_000

func newTestLog(t testing.TB) *testLog {
	return &testLog{t: t, reg: NewRegistry(), time: dawn, epoch: "r1", lastBatches: map[string]*Batch{}}
}

// sealEntry makes an entry of the node's next batch.
func (x *testLog) sealEntry(node string, b Batch) Entry {
	was := x.lastBatches[node]
	if was == nil {
		was = &Batch{Incarnation: 1}
		x.lastBatches[node] = was
	}
	b.Node, b.MaxRules = node, LatestRules
	if b.Incarnation == 0 {
		b.Incarnation = was.Incarnation
	}
	if b.Seq == 0 {
		b.Seq = was.Seq + 1
		if b.Incarnation != was.Incarnation {
			b.Seq = 1
		}
	}
	if b.Process == 0 {
		b.Process = b.Incarnation
	}
	was.Incarnation, was.Seq = b.Incarnation, b.Seq
	return x.newEntry(b.Seal().Bytes)
}

func (x *testLog) newEntry(batch []byte) Entry {
	x.num++
	e := Entry{ID: ID{uint64(dawn) + x.num, 0}, Num: x.num, Time: x.time, Epoch: x.epoch, Batch: batch}
	x.entries = append(x.entries, e)
	return e
}

func (x *testLog) applyEntry(e Entry) Applied {
	x.t.Helper()
	a, err := x.reg.Apply(e)
	if err != nil {
		x.t.Fatalf("apply: %v", err)
	}
	return a
}

func (x *testLog) applyBatch(node string, b Batch) Applied {
	x.t.Helper()
	a := x.applyEntry(x.sealEntry(node, b))
	for c, n := range a.Conflicts {
		x.conflicts[c] += n
	}
	return a
}

// applyCommand applies one command through node a and returns its result.
func (x *testLog) applyCommand(c Command) Result {
	x.t.Helper()
	return x.applyCommandOn("a", c)
}

func (x *testLog) applyCommandOn(node string, c Command) Result {
	x.t.Helper()
	a := x.applyBatch(node, Batch{Commands: []Command{c}})
	if a.Refused {
		x.t.Fatalf("batch refused")
	}
	return a.Results[0]
}

// advance advances time in steps of a tick, with an entry of each node at each,
// and returns all changes.
func (x *testLog) advance(ms int64, nodes ...string) (changes []Change) {
	x.t.Helper()
	if len(nodes) == 0 {
		nodes = []string{"a"}
	}
	tick := x.reg.Settings().Tick()
	for end := x.time + ms; x.time < end; {
		x.time = min(x.time+tick, end)
		for _, n := range nodes {
			changes = append(changes, x.applyBatch(n, Batch{}).Changes...)
		}
	}
	return changes
}

func (x *testLog) applyBeats(node string, ls ...Lease) Applied {
	x.t.Helper()
	var b Batch
	for _, l := range ls {
		b.Beats = append(b.Beats, Beat{Lease: l})
	}
	return x.applyBatch(node, b)
}

func (x *testLog) applySettings(s Settings) {
	x.t.Helper()
	s.Revision = x.reg.Settings().Revision + 1
	x.applyCommand(&SetSettings{s})
	if x.reg.Settings() != s {
		x.t.Fatalf("settings not taken: %+v", s)
	}
}

func (x *testLog) sessionState(s Session) string {
	if st := x.reg.StreamBySession(s); st != nil {
		return st.State.String()
	}
	if e := x.reg.EndedSession(s); e != nil {
		return e.Reason.String()
	}
	return ""
}

func sessionID(n int) (s Session) {
	binary.BigEndian.PutUint64(s[8:], uint64(n))
	binary.LittleEndian.PutUint16(s[:2], uint16(n*7919))
	return s
}

// startOf is a start of session n by an anchor of that name.
func startOf(n int, anchor string) *Start {
	return &Start{Session: sessionID(n), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: fmt.Sprint("title ", n), Listed: true, Socket: fmt.Sprint("conn", n)}
}

func requireEqual(t interface{ Fatalf(string, ...any) }, what string, got, want *Registry) {
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
