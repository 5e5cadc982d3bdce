//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/loadtest/profile"
)

// newLoneViewer returns a loop with one viewer, which has no socket: its messages are
// lost.
func newLoneViewer(t testing.TB) (*viewerLoop, *viewer) {
	t.Helper()
	o := &options{Profile: profile.Profile{Viewers: 1, Views: 1}, clientOptions: clientOptions{Limit: 100}, Seed: 1, nodes: make([]node, 2)}
	loop, err := newViewerLoop(runState{o, func() time.Duration { return time.Second }, newLedger("run"), &faultLog{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loop.poller.Close)
	loop.now = time.Second
	v := loop.viewers[0]
	v.stage = stageAwaitingWelcome
	return loop, v
}

// messageFrame is the frame of a server's message.
func messageFrame(m wire.Message) []byte { return serverFrame(opText, string(wire.Append(nil, m))) }

func welcomeFrame() []byte {
	return messageFrame(&wire.Welcome{Node: "n", HeartbeatMS: 1000, MissedLimit: 3, IdleMS: 25000})
}

func newDiff(prev, pos string, set ...wire.Patch) *wire.Diff {
	return &wire.Diff{View: "v", Prev: prev, Pos: pos, Set: set}
}

// TestReceiveInPieces: the network may cut frames anywhere.
func TestReceiveInPieces(t *testing.T) {
	message := wire.Append(nil, newDiff("2", "3"))
	fragments := serverFrame(opText, string(message[:9]))
	fragments[0] &^= finalBit
	fragments = append(fragments, serverFrame(opPing, "between")...)
	fragments = append(fragments, serverFrame(opContinue, string(message[9:]))...)
	stream := bytes.Join([][]byte{
		welcomeFrame(), messageFrame(newSnapshot("1", newEntry("a", 1))), serverFrame(opPing, "x"),
		messageFrame(newDiff("1", "2", newPatch("a", "likes", "5"))), fragments,
	}, nil)
	for cut := range len(stream) + 1 {
		loop, v := newLoneViewer(t)
		for _, piece := range [][]byte{stream[:cut], stream[cut:]} {
			if err := loop.handleBytes(v, piece); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		if v.list.pos != "3" || v.list.entries["a"].Likes != 5 || v.unparsed != nil || loop.counters.Diffs != 2 {
			t.Fatalf("cut at %d: at %q after %d diffs", cut, v.list.pos, loop.counters.Diffs)
		}
		loop.poller.Close()
	}
}

// TestReceiveRejectsProtocolViolations: what no server should send is an error.
func TestReceiveRejectsProtocolViolations(t *testing.T) {
	begin := append(welcomeFrame(), messageFrame(newSnapshot("1", newEntry("a", 1)))...)
	for name, bad := range map[string][]byte{
		"a second welcome":        welcomeFrame(),
		"an unasked snapshot":     messageFrame(newSnapshot("2")),
		"a diff of another view":  messageFrame(&wire.Diff{View: "w", Prev: "1", Pos: "2"}),
		"an anchor's message":     messageFrame(&wire.Ack{N: 1}),
		"no JSON":                 serverFrame(opText, "hello"),
		"no UTF-8":                serverFrame(opText, "{\"type\":\"\xff\"}"),
		"binary":                  serverFrame(opBinary, "x"),
		"a continuation":          serverFrame(opContinue, "x"),
		"deflate":                 append([]byte{finalBit | deflatedBit | opText, 1}, 'x'),
		"a watch that is unasked": messageFrame(&wire.Watching{ID: watchID, Code: "a", View: "code/a", Pos: "1", Entry: newEntry("a", 1)}),
	} {
		loop, v := newLoneViewer(t)
		if err := loop.handleBytes(v, begin); err != nil {
			t.Fatal(err)
		}
		if err := loop.handleBytes(v, bad); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

// TestReceiveCountsFaults: a fault is counted, and the viewer continues.
func TestReceiveCountsFaults(t *testing.T) {
	begin := append(welcomeFrame(), messageFrame(newSnapshot("1", newEntry("a", 1)))...)
	for name, test := range map[string]struct {
		frame []byte
		want  faultKind
	}{
		"a hole in the chain": {messageFrame(newDiff("2", "3")), faultBrokenChain},
		"a wrong count":       {messageFrame(&wire.Diff{View: "v", Prev: "1", Pos: "2", HasTotal: true, Total: 7}), faultProtocol},
		"a different list":    {messageFrame(&wire.Diff{View: "v", Prev: "1", Pos: "1", Set: []wire.Patch{newPatch("a", "likes", "9")}}), faultDivergentLists},
		"a live anchor left":  {messageFrame(&wire.Diff{View: "v", Prev: "1", Pos: "2", HasTotal: true, Del: []string{"a"}}), faultEarlyDeparture},
	} {
		loop, v := newLoneViewer(t)
		loop.ledger.recordLeaseParams(time.Second, 3)
		loop.ledger.addSession(newEntry("a", 1), "run-0", 0)
		if err := loop.handleBytes(v, begin); err != nil {
			t.Fatal(err)
		}
		if err := loop.handleBytes(v, test.frame); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		counts, examples := loop.faults.countsAndExamples()
		if counts[test.want] != 1 || len(examples) != 1 {
			t.Errorf("%s: got %v, want one of %q", name, examples, test.want)
		}
	}
}

// TestReceiveSharesWork: a frame that another viewer has received is not decoded again.
func TestReceiveSharesWork(t *testing.T) {
	loop, v := newLoneViewer(t)
	loop.addUnconnectedViewer(1)
	other := loop.viewers[1]
	other.stage = stageAwaitingWelcome
	for _, f := range [][]byte{welcomeFrame(), messageFrame(newSnapshot("1", newEntry("a", 1))), messageFrame(newDiff("1", "2", newPatch("a", "likes", "5")))} {
		for _, viewer := range []*viewer{v, other} {
			if err := loop.handleBytes(viewer, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if v.list != other.list || v.list.pos != "2" {
		t.Errorf("at %p and %p", v.list, other.list)
	}
	next := messageFrame(newDiff("2", "2"))
	loop.handleBytes(v, next)
	if n := testing.AllocsPerRun(100, func() { loop.handleBytes(other, next) }); n != 0 {
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
		t.Error("invalid data is inflated")
	}
}

// FuzzReceive: a server may send anything, and the result does not depend on where the
// network cuts it.
func FuzzReceive(f *testing.F) {
	list := append(welcomeFrame(), messageFrame(newSnapshot("1", newEntry("a", 1)))...)
	f.Add(append(list, messageFrame(newDiff("1", "2", newPatch("a", "likes", "5")))...), 20)
	f.Add(append(list, messageFrame(newDiff("7", "8"))...), 40)
	f.Add(append(list, messageFrame(&wire.Unwatched{ID: unwatchID, Code: "a"})...), 3)
	f.Add(append(list, serverFrame(opClose, "\x03\xe9")...), 3)
	f.Add(append(list, messageFrame(&wire.Error{ID: subscribeID, Code: wire.CodeUnavailable})...), 3)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		whole, v := newLoneViewer(t)
		err := whole.handleBytes(v, data)
		if cut < 0 || cut > len(data) {
			return
		}
		pieces, w := newLoneViewer(t)
		again := pieces.handleBytes(w, data[:cut])
		if again == nil && w.stage != stageClosed {
			again = pieces.handleBytes(w, data[cut:])
		}
		if (err == nil) != (again == nil) || v.list.pos != w.list.pos || whole.counters.Diffs != pieces.counters.Diffs {
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
		{10 * msec, true, false, 11 * msec, 1 * msec},  // woken: no socket waited before
		{11 * msec, false, false, 15 * msec, 5 * msec}, // ready while the others were served
		{15 * msec, false, true, 18 * msec, 7 * msec},
		{18 * msec, false, true, 20 * msec, 9 * msec}, // left behind by the poll before
		{30 * msec, true, false, 31 * msec, 1 * msec}, // exactly as many as one poll returns
	} {
		l.recordPoll(step.now, step.idle, step.full)
		if got := l.lag(step.end); got != step.want {
			t.Errorf("poll %d: lag %v, want %v", i, got, step.want)
		}
	}
}

// BenchmarkReceive is the cost of a frame that another viewer has received, without
// the kernel.
func BenchmarkReceive(b *testing.B) {
	loop, v := newLoneViewer(b)
	e := newEntry("a", 1)
	e.Title = strings.Repeat("x", 200)
	loop.handleBytes(v, append(welcomeFrame(), messageFrame(newSnapshot("1", e, newEntry("b", 1)))...))
	next := messageFrame(newDiff("1", "1", newPatch("a", "title", `"`+e.Title+`"`))) // leads to its own position
	loop.handleBytes(v, next)
	b.SetBytes(int64(len(next)))
	b.ReportAllocs()
	for b.Loop() {
		loop.handleBytes(v, next)
	}
}
