package presencetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"onair/presence"
	"onair/presence/node"
)

// patience bounds every wait of the suite.
const patience = 30 * time.Second

// Home is where a log under test lives.
type Home struct {
	// Open gives an empty log.
	Open func(t *testing.T) presence.Log
	// Reopen opens a log again after it was closed. nil: the home keeps nothing.
	Reopen func(t *testing.T) presence.Log
	// Trim has a log let go of what came before its newest entry, and returns the
	// log to go on with. nil: it never does.
	Trim func(t *testing.T, log presence.Log) presence.Log
}

// Run is the suite that every presence.Log passes.
func Run(t *testing.T, home func(t *testing.T) Home) {
	for name, test := range map[string]func(*testing.T, Home){
		"entries are numbered in order":         testOrder,
		"a batch is appended once":              testOnce,
		"every reader gets every entry once":    testTail,
		"tailing ends with its context":         testCancel,
		"nothing is appended after Close":       testClose,
		"boots rise":                            testBoots,
		"what is durable is there after reopen": testReopen,
		"a node's registry survives reopen":     testNode,
		"an old position is said to be trimmed": testTrimmed,
	} {
		t.Run(name, func(t *testing.T) { test(t, home(t)) })
	}
}

// open opens a log that is closed when the test ends.
func open(t *testing.T, h Home) presence.Log {
	t.Helper()
	log := h.Open(t)
	t.Cleanup(func() { log.Close() })
	return log
}

func start(anchor string) *presence.Start {
	return &presence.Start{
		Session: presence.NewSession(), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: "of " + anchor, Listed: true,
	}
}

func batch(node string, boot, no uint64, commands ...presence.Command) presence.Sealed {
	b := presence.Batch{Node: node, Boot: boot, Origin: boot, No: no, Knows: presence.Rules, Commands: commands}
	return b.Seal()
}

func appendTo(t *testing.T, log presence.Log, b presence.Sealed) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := log.Append(ctx, b); err != nil {
		t.Fatal(err)
	}
}

// take reads n entries after one.
func take(t *testing.T, log presence.Log, after presence.Entry, n int) []presence.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []presence.Entry
	for e, err := range log.Tail(ctx, after) {
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, e); len(out) == n {
			return out
		}
	}
	t.Fatalf("%d entries came, want %d", len(out), n)
	return nil
}

// join loads the list as it is, and joins.
func join(t *testing.T, log presence.Log, node string) (*presence.Registry, uint64) {
	t.Helper()
	r := list(t, log, nil)
	boot, err := log.Join(t.Context(), node, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r, boot
}

// list is what the log holds, all of it applied.
func list(t *testing.T, log presence.Log, have *presence.Registry) *presence.Registry {
	t.Helper()
	r, head, err := log.Load(t.Context(), have)
	if err != nil {
		t.Fatal(err)
	}
	if r.Num() < head {
		for _, e := range take(t, log, r.Last(), int(head-r.Num())) {
			if _, err := r.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	return r
}

func testOrder(t *testing.T, h Home) {
	log := open(t, h)
	r, boot := join(t, log, "a")
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for no := range uint64(25) {
				if err := log.Append(t.Context(), batch(fmt.Sprint("node", n), boot, no+1, start(fmt.Sprint("u", n, "x", no)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	entries := take(t, log, r.Last(), 200)
	numbers := map[string]uint64{}
	for i, e := range entries {
		if i > 0 && (e.Num != entries[i-1].Num+1 || e.ID.Compare(entries[i-1].ID) <= 0) {
			t.Fatalf("entry %d %v comes after %d %v", e.Num, e.ID, entries[i-1].Num, entries[i-1].ID)
		}
		if e.Time == 0 || e.Repl == "" {
			t.Fatalf("entry %d has time %d, replication id %q", e.Num, e.Time, e.Repl)
		}
		b, err := presence.DecodeBatch(e.Batch)
		if err != nil {
			t.Fatal(err)
		}
		if b.No != numbers[b.Node]+1 {
			t.Fatalf("batch %d of %s comes after %d", b.No, b.Node, numbers[b.Node])
		}
		numbers[b.Node] = b.No
	}
}

func testOnce(t *testing.T, h Home) {
	log := open(t, h)
	r, boot := join(t, log, "a")
	for _, no := range []uint64{1, 1, 2, 1, 2, 3, 3} {
		appendTo(t, log, batch("a", boot, no, start(fmt.Sprint("u", no))))
	}
	appendTo(t, log, batch("b", boot, 1))
	var got []string
	for _, e := range take(t, log, r.Last(), 4) {
		b, err := presence.DecodeBatch(e.Batch)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(b.Node, b.No))
	}
	if want := []string{"a1", "a2", "a3", "b1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func testTail(t *testing.T, h Home) {
	log := open(t, h)
	r, boot := join(t, log, "a")
	var wg sync.WaitGroup
	const all = 60
	for range 3 {
		wg.Go(func() {
			for i, e := range take(t, log, r.Last(), all) {
				if e.Num != r.Num()+uint64(i)+1 {
					t.Errorf("entry %d in place %d", e.Num, i)
				}
			}
		})
	}
	for no := range uint64(all) {
		appendTo(t, log, batch("a", boot, no+1))
	}
	wg.Wait()
	// From a position in the middle, just what comes after.
	entries := take(t, log, r.Last(), all)
	rest := take(t, log, entries[40], all-41)
	if rest[0].Num != entries[41].Num {
		t.Errorf("after entry %d came %d", entries[40].Num, rest[0].Num)
	}
}

func testCancel(t *testing.T, h Home) {
	log := open(t, h)
	r, boot := join(t, log, "a")
	appendTo(t, log, batch("a", boot, 1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range log.Tail(ctx, r.Last()) {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		n++
		cancel() // and the loop must end by itself
	}
	if n == 0 {
		t.Error("no entry came")
	}
}

func testClose(t *testing.T, h Home) {
	log := open(t, h)
	_, boot := join(t, log, "a")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), batch("a", boot, 1)); !errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("append after Close: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func testBoots(t *testing.T, h Home) {
	log := open(t, h)
	_, first := join(t, log, "a")
	_, second := join(t, log, "a")
	if first == 0 || second <= first {
		t.Errorf("boots %d, %d", first, second)
	}
	if h.Reopen == nil {
		return
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = h.Reopen(t)
	defer log.Close()
	if _, third := join(t, log, "a"); third <= second {
		t.Errorf("boots %d, and after reopen %d", second, third)
	}
}

// testReopen: what was acknowledged is there again, in rows or as entries.
func testReopen(t *testing.T, h Home) {
	if h.Reopen == nil {
		h.Open(t).Close()
		return
	}
	log := open(t, h)
	_, boot := join(t, log, "a")
	alice, bob := start("alice"), start("bob")
	appendTo(t, log, batch("a", boot, 1, alice, bob))
	appendTo(t, log, batch("a", boot, 2, &presence.Stop{Session: bob.Session, Reason: presence.Stopped}))
	appendTo(t, log, batch("a", boot, 3, &presence.Ban{Anchor: "mallory"}))
	appendTo(t, log, batch("a", boot, 4, &presence.Update{Session: alice.Session, Title: new("changed")}))
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = h.Reopen(t)
	defer log.Close()
	r, _ := join(t, log, "a")
	if st := r.Stream("8888_alice"); st == nil || st.Title != "changed" || st.Session != alice.Session {
		t.Errorf("alice is %+v", st)
	}
	if e := r.Ended(bob.Session); r.Stream("8888_bob") != nil || e == nil || e.Reason != presence.Stopped {
		t.Errorf("bob has ended with %+v", e)
	}
	if _, banned := r.Banned("mallory"); !banned {
		t.Error("mallory is not banned")
	}
}

// run lets a node take part until the returned function is called.
func run(t *testing.T, log presence.Log, settings presence.Settings) (*node.Node, func()) {
	t.Helper()
	n, err := node.Join(t.Context(), log, node.Config{Name: "a", Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n, func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// testNode: a node's streams, bans, ended sessions and settings are there
// again, though the log trims behind its image.
func testNode(t *testing.T, h Home) {
	log := open(t, h)
	settings := presence.Settings{Revision: 1, Interval: 60_000, Missed: 3, Grace: 5_000}
	n, stop := run(t, log, settings)
	do := func(c presence.Command) presence.Result {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		result, err := n.Do(ctx, c)
		if err != nil || result.Refusal != presence.Granted {
			t.Fatalf("%+v: %v, %v", c, result.Refusal, err)
		}
		return result
	}
	for i := range 50 {
		st := do(start(fmt.Sprint("anchor", i))).Stream
		if i%3 == 0 {
			do(&presence.Stop{Session: st.Session, Reason: presence.Stopped})
		}
	}
	do(&presence.Ban{Anchor: "anchor1"})
	want := image(n)
	stop()
	if h.Reopen == nil {
		return
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = h.Reopen(t)
	defer log.Close()
	n, stop = run(t, log, settings)
	defer stop()
	if got := image(n); !slices.Equal(got, want) {
		t.Errorf("after reopen\n%v\nbefore\n%v", got, want)
	}
}

// image is what a registry holds beside times.
func image(n *node.Node) (out []string) {
	n.Read(func(r *presence.Registry) {
		for st := range r.Streams() {
			out = append(out, fmt.Sprint(st.Session, st.Code, st.Title, st.State, st.StartedAt, st.Index))
		}
		for rec := range ended(r) {
			out = append(out, rec)
		}
		_, banned := r.Banned("anchor1")
		out = append(out, fmt.Sprint(r.Settings(), banned))
	})
	return out
}

// ended yields the records of a registry that are no streams and no clock.
func ended(r *presence.Registry) iter.Seq[string] {
	return func(yield func(string) bool) {
		n := 0
		for rec := range r.Records() {
			if rec.Kind == 'g' { // ended sessions
				n++
			}
		}
		yield(fmt.Sprint(n, " ended"))
	}
}

func testTrimmed(t *testing.T, h Home) {
	if h.Trim == nil {
		h.Open(t).Close()
		return
	}
	log := open(t, h)
	r, boot := join(t, log, "a")
	before := r.Last()
	appendTo(t, log, batch("a", boot, 1, start("alice")))
	log = h.Trim(t, log)
	defer log.Close()
	join(t, log, "a")
	for _, err := range log.Tail(t.Context(), before) {
		if !errors.Is(err, presence.ErrTrimmed) {
			t.Errorf("from a position before the image: %v", err)
		}
		return
	}
	t.Error("nothing came")
}
