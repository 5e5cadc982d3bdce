//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
)

// lone is a crowd of one, without a socket: what it says is lost.
func lone(t testing.TB) (*viewerLoop, *viewer) {
	t.Helper()
	o := &options{Profile: Profile{Viewers: 1, Views: 1}, Limit: 100, Seed: 1, nodes: make([]node, 2)}
	c, err := newViewerLoop(o, func() time.Duration { return time.Second }, newLedger("run"), &faultLog{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.poller.Close)
	c.now = time.Second
	v := c.viewers[0]
	v.stage = stageAwaitingWelcome
	return c, v
}

func text(m wire.Message) []byte { return serverFrame(opText, string(wire.Append(nil, m))) }

func welcome() []byte {
	return text(&wire.Welcome{Node: "n", HeartbeatMS: 1000, MissedLimit: 3, IdleMS: 25000})
}

func diff(prev, pos string, set ...wire.Patch) *wire.Diff {
	return &wire.Diff{View: "v", Prev: prev, Pos: pos, Set: set}
}

// TestHearInPieces: frames are taken wherever the network cuts them.
func TestHearInPieces(t *testing.T) {
	parts := wire.Append(nil, diff("2", "3"))
	inParts := serverFrame(opText, string(parts[:9]))
	inParts[0] &^= finalBit
	inParts = append(inParts, serverFrame(opPing, "between")...)
	inParts = append(inParts, serverFrame(opContinue, string(parts[9:]))...)
	stream := bytes.Join([][]byte{
		welcome(), text(snapshot("1", entry("a", 1))), serverFrame(opPing, "x"),
		text(diff("1", "2", patch("a", "likes", "5"))), inParts,
	}, nil)
	for cut := range len(stream) + 1 {
		c, v := lone(t)
		for _, piece := range [][]byte{stream[:cut], stream[cut:]} {
			if err := c.handleBytes(v, piece); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		if v.list.pos != "3" || v.list.entries["a"].Likes != 5 || v.unparsed != nil || c.counters.diffs != 2 {
			t.Fatalf("cut at %d: at %q after %d diffs", cut, v.list.pos, c.counters.diffs)
		}
		c.poller.Close()
	}
}

// TestHearBrokenServers: whatever no server should send is told.
func TestHearBrokenServers(t *testing.T) {
	begin := append(welcome(), text(snapshot("1", entry("a", 1)))...)
	for name, bad := range map[string][]byte{
		"a second welcome":        welcome(),
		"an unasked snapshot":     text(snapshot("2")),
		"a diff of another view":  text(&wire.Diff{View: "w", Prev: "1", Pos: "2"}),
		"an anchor's message":     text(&wire.Ack{N: 1}),
		"no JSON":                 serverFrame(opText, "hello"),
		"no UTF-8":                serverFrame(opText, "{\"type\":\"\xff\"}"),
		"binary":                  serverFrame(opBinary, "x"),
		"a continuation":          serverFrame(opContinue, "x"),
		"deflate":                 append([]byte{finalBit | deflatedBit | opText, 1}, 'x'),
		"a watch that is unasked": text(&wire.Watching{ID: watchID, Code: "a", View: "code/a", Pos: "1", Entry: entry("a", 1)}),
	} {
		c, v := lone(t)
		if err := c.handleBytes(v, begin); err != nil {
			t.Fatal(err)
		}
		if err := c.handleBytes(v, bad); err == nil {
			t.Errorf("%s is not told", name)
		}
	}
}

// TestHearLies: what is broken is counted, and the viewer goes on.
func TestHearLies(t *testing.T) {
	begin := append(welcome(), text(snapshot("1", entry("a", 1)))...)
	for name, test := range map[string]struct {
		frame []byte
		want  faultKind
	}{
		"a hole in the chain": {text(diff("2", "3")), faultBrokenChain},
		"a wrong count":       {text(&wire.Diff{View: "v", Prev: "1", Pos: "2", HasTotal: true, Total: 7}), faultProtocol},
		"another list":        {text(&wire.Diff{View: "v", Prev: "1", Pos: "1", Set: []wire.Patch{patch("a", "likes", "9")}}), faultDivergentLists},
		"a live anchor left":  {text(&wire.Diff{View: "v", Prev: "1", Pos: "2", HasTotal: true, Del: []string{"a"}}), faultEarlyDeparture},
	} {
		c, v := lone(t)
		c.ledger.setLeaseParams(time.Second, 3)
		c.ledger.addSession(entry("a", 1), "run-0", 0)
		if err := c.handleBytes(v, begin); err != nil {
			t.Fatal(err)
		}
		if err := c.handleBytes(v, test.frame); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		counts, examples := c.faults.snapshot()
		if counts[test.want] != 1 || len(examples) != 1 {
			t.Errorf("%s: got %v, want one of %q", name, examples, test.want)
		}
	}
}

// TestHearSharesWork: who gets what another has got decodes nothing.
func TestHearSharesWork(t *testing.T) {
	c, v := lone(t)
	c.addViewer(1)
	other := c.viewers[1]
	other.stage = stageAwaitingWelcome
	for _, f := range [][]byte{welcome(), text(snapshot("1", entry("a", 1))), text(diff("1", "2", patch("a", "likes", "5")))} {
		for _, who := range []*viewer{v, other} {
			if err := c.handleBytes(who, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if v.list != other.list || v.list.pos != "2" {
		t.Errorf("at %p and %p", v.list, other.list)
	}
	next := text(diff("2", "2"))
	c.handleBytes(v, next)
	if n := testing.AllocsPerRun(100, func() { c.handleBytes(other, next) }); n != 0 {
		t.Errorf("a known frame costs %v allocations", n)
	}
}

func TestInflate(t *testing.T) {
	want := strings.Repeat(`{"type":"diff"}`, 100)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	w.Write([]byte(want))
	w.Flush()
	got, err := inflate(bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")))
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := inflate([]byte{0xFF}); err == nil {
		t.Error("rubbish is inflated")
	}
}

// FuzzHear: a server may send whatever it likes, and however it is cut.
func FuzzHear(f *testing.F) {
	list := append(welcome(), text(snapshot("1", entry("a", 1)))...)
	f.Add(append(list, text(diff("1", "2", patch("a", "likes", "5")))...), 20)
	f.Add(append(list, text(diff("7", "8"))...), 40)
	f.Add(append(list, text(&wire.Unwatched{ID: unwatchID, Code: "a"})...), 3)
	f.Add(append(list, serverFrame(opClose, "\x03\xe9")...), 3)
	f.Add(append(list, text(&wire.Error{ID: subscribeID, Code: wire.CodeUnavailable})...), 3)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		whole, v := lone(t)
		err := whole.handleBytes(v, data)
		if cut < 0 || cut > len(data) {
			return
		}
		pieces, w := lone(t)
		again := pieces.handleBytes(w, data[:cut])
		if again == nil && w.stage != stageClosed {
			again = pieces.handleBytes(w, data[cut:])
		}
		if (err == nil) != (again == nil) || v.list.pos != w.list.pos || whole.counters.diffs != pieces.counters.diffs {
			t.Fatalf("cut at %d: at %q, %v; whole: at %q, %v", cut, w.list.pos, again, v.list.pos, err)
		}
		whole.poller.Close()
		pieces.poller.Close()
	})
}

func TestLagMeter(t *testing.T) {
	var l lagMeter
	const msec = time.Millisecond
	for i, step := range []struct {
		now        time.Duration
		idle, full bool
		end, want  time.Duration
	}{
		{10 * msec, true, false, 11 * msec, 1 * msec},  // woken: nobody waited before
		{11 * msec, false, false, 15 * msec, 5 * msec}, // came while the others were served
		{15 * msec, false, true, 18 * msec, 7 * msec},
		{18 * msec, false, true, 20 * msec, 9 * msec}, // left behind by the round before
		{30 * msec, true, false, 31 * msec, 1 * msec}, // just as many as one round serves
	} {
		l.recordPoll(step.now, step.idle, step.full)
		if got := l.lagAt(step.end); got != step.want {
			t.Errorf("round %d: lag %v, want %v", i, got, step.want)
		}
	}
}

// BenchmarkHear is the cost of a frame that another viewer has had, without the
// kernel's part.
func BenchmarkHear(b *testing.B) {
	c, v := lone(b)
	e := entry("a", 1)
	e.Title = strings.Repeat("x", 200)
	c.handleBytes(v, append(welcome(), text(snapshot("1", e, entry("b", 1)))...))
	next := text(diff("1", "1", patch("a", "title", `"`+e.Title+`"`))) // leads to where it came from
	c.handleBytes(v, next)
	b.SetBytes(int64(len(next)))
	b.ReportAllocs()
	for b.Loop() {
		c.handleBytes(v, next)
	}
}
