package presencetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"onair/presence"
	"onair/presence/node"
)

// timeout bounds every wait of the suites.
const timeout = 30 * time.Second

// Backend opens the log under test.
type Backend struct {
	// Open opens an empty log.
	Open func(t *testing.T) presence.Log
	// Reopen opens a log again after it was closed; nil: the log is in memory.
	Reopen func(t *testing.T) presence.Log
	// Trim trims the log up to its newest entry, and returns the log to use from
	// then on; nil: the log is never trimmed.
	Trim func(t *testing.T, log presence.Log) presence.Log
}

// RunLogSuite runs the tests that every presence.Log passes, each with a new backend.
func RunLogSuite(t *testing.T, newBackend func(t *testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, Backend){
		"entries are numbered in order":           testEntryOrder,
		"a batch is appended once":                testBatchAppendedOnce,
		"every reader gets every entry once":      testTailReadersGetAllOnce,
		"Tail ends with its context":              testTailEndsWithContext,
		"Append fails after Close":                testAppendAfterClose,
		"incarnations increase":                   testIncarnationsIncrease,
		"durable commands survive reopen":         testDurableSurvivesReopen,
		"a node's registry survives reopen":       testNodeSurvivesReopen,
		"Tail from a trimmed entry is ErrTrimmed": testTailFromTrimmedEntry,
	} {
		t.Run(name, func(t *testing.T) { test(t, newBackend(t)) })
	}
}

// openLog opens a log, and closes it when the test ends.
func openLog(t *testing.T, backend Backend) presence.Log {
	t.Helper()
	log := backend.Open(t)
	t.Cleanup(func() { log.Close() })
	return log
}

// openAndJoin opens a log, which is closed when the test ends, and joins node a.
func openAndJoin(t *testing.T, backend Backend) (log presence.Log, r *presence.Registry, incarnation uint64) {
	t.Helper()
	log = openLog(t, backend)
	r, incarnation = loadAndJoin(t, log, "a")
	return log, r, incarnation
}

// closeAndReopen closes a log, and opens it again until the test ends.
func closeAndReopen(t *testing.T, log presence.Log, backend Backend) presence.Log {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	reopened := backend.Reopen(t)
	t.Cleanup(func() { reopened.Close() })
	return reopened
}

func newStart(anchor string) *presence.Start {
	return &presence.Start{
		Session: presence.NewSession(), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: "of " + anchor, Listed: true,
	}
}

func sealedBatch(node string, incarnation, seq uint64, commands ...presence.Command) presence.SealedBatch {
	b := presence.Batch{Node: node, Incarnation: incarnation, Process: incarnation, Seq: seq, MaxRules: presence.LatestRules, Commands: commands}
	return b.Seal()
}

func mustAppend(t *testing.T, log presence.Log, b presence.SealedBatch) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := log.Append(ctx, b); err != nil {
		t.Fatal(err)
	}
}

// readEntries reads n entries after one.
func readEntries(t *testing.T, log presence.Log, after presence.Entry, n int) []presence.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var entries []presence.Entry
	for e, err := range log.Tail(ctx, after) {
		if err != nil {
			t.Fatal(err)
		}
		if entries = append(entries, e); len(entries) == n {
			return entries
		}
	}
	t.Fatalf("got %d entries, want %d", len(entries), n)
	return nil
}

// loadAndJoin returns the current registry, and a new incarnation of the node.
func loadAndJoin(t *testing.T, log presence.Log, node string) (r *presence.Registry, incarnation uint64) {
	t.Helper()
	r = loadRegistry(t, log, nil)
	incarnation, err := log.Join(t.Context(), node, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r, incarnation
}

// loadRegistry returns the registry at the newest entry. have is for Load.
func loadRegistry(t *testing.T, log presence.Log, have *presence.Registry) *presence.Registry {
	t.Helper()
	r, head, err := log.Load(t.Context(), have)
	if err != nil {
		t.Fatal(err)
	}
	if r.LastNum() < head {
		for _, e := range readEntries(t, log, r.LastEntry(), int(head-r.LastNum())) {
			if _, err := r.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	return r
}

func testEntryOrder(t *testing.T, backend Backend) {
	log, r, incarnation := openAndJoin(t, backend)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for seq := range uint64(25) {
				if err := log.Append(t.Context(), sealedBatch(fmt.Sprint("node", n), incarnation, seq+1, newStart(fmt.Sprint("u", n, "x", seq)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	entries := readEntries(t, log, r.LastEntry(), 200)
	lastSeq := map[string]uint64{}
	for i, e := range entries {
		if i > 0 && (e.Num != entries[i-1].Num+1 || e.ID.Compare(entries[i-1].ID) <= 0) {
			t.Fatalf("entry %d %v comes after %d %v", e.Num, e.ID, entries[i-1].Num, entries[i-1].ID)
		}
		if e.Time == 0 || e.Epoch == "" {
			t.Fatalf("entry %d has time %d, epoch %q", e.Num, e.Time, e.Epoch)
		}
		b, err := presence.DecodeBatch(e.Batch)
		if err != nil {
			t.Fatal(err)
		}
		if b.Seq != lastSeq[b.Node]+1 {
			t.Fatalf("batch %d of %s comes after %d", b.Seq, b.Node, lastSeq[b.Node])
		}
		lastSeq[b.Node] = b.Seq
	}
}

func testBatchAppendedOnce(t *testing.T, backend Backend) {
	log, r, incarnation := openAndJoin(t, backend)
	for _, seq := range []uint64{1, 1, 2, 1, 2, 3, 3} {
		mustAppend(t, log, sealedBatch("a", incarnation, seq, newStart(fmt.Sprint("u", seq))))
	}
	mustAppend(t, log, sealedBatch("b", incarnation, 1))
	var got []string
	for _, e := range readEntries(t, log, r.LastEntry(), 4) {
		b, err := presence.DecodeBatch(e.Batch)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(b.Node, b.Seq))
	}
	if want := []string{"a1", "a2", "a3", "b1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func testTailReadersGetAllOnce(t *testing.T, backend Backend) {
	log, r, incarnation := openAndJoin(t, backend)
	var wg sync.WaitGroup
	const all = 60
	for range 3 {
		wg.Go(func() {
			for i, e := range readEntries(t, log, r.LastEntry(), all) {
				if e.Num != r.LastNum()+uint64(i)+1 {
					t.Errorf("entry %d at index %d", e.Num, i)
				}
			}
		})
	}
	for seq := range uint64(all) {
		mustAppend(t, log, sealedBatch("a", incarnation, seq+1))
	}
	wg.Wait()
	// From an entry in the middle, only the later ones.
	entries := readEntries(t, log, r.LastEntry(), all)
	rest := readEntries(t, log, entries[40], all-41)
	if rest[0].Num != entries[41].Num {
		t.Errorf("after entry %d came %d", entries[40].Num, rest[0].Num)
	}
}

func testTailEndsWithContext(t *testing.T, backend Backend) {
	log, r, incarnation := openAndJoin(t, backend)
	mustAppend(t, log, sealedBatch("a", incarnation, 1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range log.Tail(ctx, r.LastEntry()) {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		n++
		cancel() // the loop must end
	}
	if n == 0 {
		t.Error("got no entry")
	}
}

func testAppendAfterClose(t *testing.T, backend Backend) {
	log, _, incarnation := openAndJoin(t, backend)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), sealedBatch("a", incarnation, 1)); !errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("append after Close: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func testIncarnationsIncrease(t *testing.T, backend Backend) {
	log, _, first := openAndJoin(t, backend)
	_, second := loadAndJoin(t, log, "a")
	if first == 0 || second <= first {
		t.Errorf("incarnations %d, %d", first, second)
	}
	if backend.Reopen == nil {
		return
	}
	log = closeAndReopen(t, log, backend)
	if _, third := loadAndJoin(t, log, "a"); third <= second {
		t.Errorf("incarnations %d, and after reopen %d", second, third)
	}
}

// testDurableSurvivesReopen: acknowledged commands are in the registry after a reopen.
func testDurableSurvivesReopen(t *testing.T, backend Backend) {
	if backend.Reopen == nil {
		backend.Open(t).Close()
		return
	}
	log, _, incarnation := openAndJoin(t, backend)
	alice, bob := newStart("alice"), newStart("bob")
	mustAppend(t, log, sealedBatch("a", incarnation, 1, alice, bob))
	mustAppend(t, log, sealedBatch("a", incarnation, 2, &presence.Stop{Session: bob.Session, Reason: presence.Stopped}))
	mustAppend(t, log, sealedBatch("a", incarnation, 3, &presence.Ban{Anchor: "mallory"}))
	mustAppend(t, log, sealedBatch("a", incarnation, 4, &presence.Update{Session: alice.Session, Title: new("changed")}))
	log = closeAndReopen(t, log, backend)
	r, _ := loadAndJoin(t, log, "a")
	if st := r.StreamByCode("8888_alice"); st == nil || st.Title != "changed" || st.Session != alice.Session {
		t.Errorf("alice is %+v", st)
	}
	if e := r.EndedSession(bob.Session); r.StreamByCode("8888_bob") != nil || e == nil || e.Reason != presence.Stopped {
		t.Errorf("bob has ended with %+v", e)
	}
	if _, banned := r.ActiveBan("mallory"); !banned {
		t.Error("mallory is not banned")
	}
}

// runNode runs a node until stop is called.
func runNode(t *testing.T, log presence.Log, settings presence.Settings) (n *node.Node, stop func()) {
	t.Helper()
	n, err := node.Join(t.Context(), log, node.Config{Name: "a", Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// testNodeSurvivesReopen: a node's streams, bans, ended sessions and settings survive,
// though a log deletes the entries that its rows or snapshots contain.
func testNodeSurvivesReopen(t *testing.T, backend Backend) {
	log := openLog(t, backend)
	settings := presence.Settings{Revision: 1, Interval: 60_000, Missed: 3, Grace: 5_000}
	n, stop := runNode(t, log, settings)
	do := func(c presence.Command) presence.Result {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		result, err := n.Do(ctx, c)
		if err != nil || result.Refusal != presence.Granted {
			t.Fatalf("%+v: %v, %v", c, result.Refusal, err)
		}
		return result
	}
	for i := range 50 {
		st := do(newStart(fmt.Sprint("anchor", i))).Stream
		if i%3 == 0 {
			do(&presence.Stop{Session: st.Session, Reason: presence.Stopped})
		}
	}
	do(&presence.Ban{Anchor: "anchor1"})
	want := registrySummary(n)
	stop()
	if backend.Reopen == nil {
		return
	}
	log = closeAndReopen(t, log, backend)
	n, stop = runNode(t, log, settings)
	defer stop()
	if got := registrySummary(n); !slices.Equal(got, want) {
		t.Errorf("after reopen\n%v\nbefore\n%v", got, want)
	}
}

// registrySummary describes the registry's content apart from times.
func registrySummary(n *node.Node) (lines []string) {
	n.Read(func(r *presence.Registry) {
		for st := range r.Streams() {
			lines = append(lines, fmt.Sprint(st.Session, st.Code, st.Title, st.State, st.StartedAt, st.Index))
		}
		ended := 0
		for rec := range r.Records() {
			if rec.Kind == 'g' { // an ended session
				ended++
			}
		}
		_, banned := r.ActiveBan("anchor1")
		lines = append(lines, fmt.Sprint(ended, " ended"), fmt.Sprint(r.Settings(), banned))
	})
	return lines
}

func testTailFromTrimmedEntry(t *testing.T, backend Backend) {
	if backend.Trim == nil {
		backend.Open(t).Close()
		return
	}
	log, r, incarnation := openAndJoin(t, backend)
	before := r.LastEntry()
	mustAppend(t, log, sealedBatch("a", incarnation, 1, newStart("alice")))
	log = backend.Trim(t, log)
	defer log.Close()
	loadAndJoin(t, log, "a")
	for _, err := range log.Tail(t.Context(), before) {
		if !errors.Is(err, presence.ErrTrimmed) {
			t.Errorf("from an entry before the oldest: %v", err)
		}
		return
	}
	t.Error("Tail ended without an error")
}
