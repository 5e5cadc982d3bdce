package presencetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"onair/presence"
)

// SharedBackend opens a log that many nodes share, and that may lose acknowledged
// entries. LoseTail(t, 0) begins a new epoch without a loss.
type SharedBackend struct {
	Backend
	// BreakConnections breaks all connections to the log.
	BreakConnections func(t *testing.T)
	// LoseTail removes the newest n entries, as a failover does.
	LoseTail func(t *testing.T, n int)
	// LoseAll removes everything.
	LoseAll func(t *testing.T)
}

// RunSharedLogSuite runs the tests that a shared log passes, in addition to RunLogSuite.
func RunSharedLogSuite(t *testing.T, newBackend func(t *testing.T) SharedBackend) {
	for name, test := range map[string]func(*testing.T, SharedBackend){
		"two handles share one log":                            testHandlesShareLog,
		"a batch is appended once by several handles":          testBatchAppendedOnceByHandles,
		"broken connections lose and repeat nothing":           testBrokenConnectionsLoseNothing,
		"Tail from a lost entry is ErrForked":                  testForkWithoutNewEntries,
		"Tail from a lost entry is ErrForked, with newer ones": testForkWithNewEntries,
		"Tail from an entry before the loss continues":         testTailFromBeforeLoss,
		"a new epoch has a new name":                           testNewEpochHasNewName,
		"an empty log continues with a node's registry":        testReloadOfEmptiedLog,
		"Append to an empty log fails":                         testAppendToEmptiedLog,
		"incarnations increase after everything was lost":      testIncarnationsAfterTotalLoss,
		"a snapshot equals the replay of all entries":          testSnapshotEqualsReplay,
	} {
		t.Run(name, func(t *testing.T) { test(t, newBackend(t)) })
	}
}

// openAnotherHandle opens another handle on a log.
func openAnotherHandle(t *testing.T, backend SharedBackend) presence.Log {
	t.Helper()
	log := backend.Reopen(t)
	t.Cleanup(func() { log.Close() })
	return log
}

// appendStarts appends n batches with one start each. Their numbers begin at from.
func appendStarts(t *testing.T, log presence.Log, node string, incarnation, from, n uint64) {
	t.Helper()
	for seq := from; seq < from+n; seq++ {
		mustAppend(t, log, sealedBatch(node, incarnation, seq, newStart(fmt.Sprint(node, "x", seq))))
	}
}

// tailError returns the error of Tail after an entry. It fails when an entry comes.
func tailError(t *testing.T, log presence.Log, after presence.Entry) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for e, err := range log.Tail(ctx, after) {
		if err != nil {
			return err
		}
		t.Fatalf("got entry %d of epoch %s after %d of %s", e.Num, e.Epoch, after.Num, after.Epoch)
	}
	t.Fatal("Tail ended without an error")
	return nil
}

func expectSameRegistry(t *testing.T, context string, a, b *presence.Registry) {
	t.Helper()
	if !bytes.Equal(a.Encode(), b.Encode()) {
		t.Errorf("%s: the registries differ: %d and %d streams, at %v and %v", context, a.Len(), b.Len(), a.Position(), b.Position())
	}
}

func testHandlesShareLog(t *testing.T, backend SharedBackend) {
	one, _, incarnation := openAndJoin(t, backend.Backend)
	two := openAnotherHandle(t, backend)
	r, other := loadAndJoin(t, two, "b")
	if other <= incarnation {
		t.Errorf("incarnation %d after %d", other, incarnation)
	}
	appendStarts(t, one, "a", incarnation, 1, 3)
	appendStarts(t, two, "b", other, 1, 3)
	for i, e := range readEntries(t, two, r.LastEntry(), 6) {
		if e.Num != r.LastNum()+uint64(i)+1 {
			t.Errorf("entry %d at index %d", e.Num, i)
		}
	}
	expectSameRegistry(t, "two handles", loadRegistry(t, one, nil), loadRegistry(t, two, nil))
}

func testBatchAppendedOnceByHandles(t *testing.T, backend SharedBackend) {
	one, r, incarnation := openAndJoin(t, backend.Backend)
	two := openAnotherHandle(t, backend)
	b := sealedBatch("a", incarnation, 1, newStart("alice"))
	mustAppend(t, one, b)
	mustAppend(t, two, b)
	mustAppend(t, two, sealedBatch("a", incarnation, 2))
	entries := readEntries(t, one, r.LastEntry(), 2)
	if d, err := presence.DecodeBatch(entries[1].Batch); err != nil || d.Seq != 2 {
		t.Errorf("the second entry is %+v, %v", d, err)
	}
}

func testBrokenConnectionsLoseNothing(t *testing.T, backend SharedBackend) {
	log, r, incarnation := openAndJoin(t, backend.Backend)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for seq := uint64(1); seq <= 40; seq++ {
			b := sealedBatch("a", incarnation, seq, newStart(fmt.Sprint("u", seq)))
			for log.Append(ctx, b) != nil && ctx.Err() == nil { // a node retries the same batch
			}
			if seq%10 == 5 {
				backend.BreakConnections(t)
			}
		}
	}()
	next := r.LastNum()
	for e, err := range log.Tail(ctx, r.LastEntry()) {
		if err != nil {
			t.Fatal(err)
		}
		if next++; e.Num != next {
			t.Fatalf("got entry %d, want %d", e.Num, next)
		}
		if next == r.LastNum()+40 {
			break
		}
	}
	<-done
	if n := loadRegistry(t, log, nil).Len(); n != 40 {
		t.Errorf("%d streams, want 40", n)
	}
}

// openAndLoseThreeOfEight appends eight entries to a new log, which then loses the last three.
func openAndLoseThreeOfEight(t *testing.T, backend SharedBackend) (log presence.Log, incarnation uint64, entries []presence.Entry) {
	t.Helper()
	log, r, incarnation := openAndJoin(t, backend.Backend)
	appendStarts(t, log, "a", incarnation, 1, 8)
	entries = readEntries(t, log, r.LastEntry(), 8)
	backend.LoseTail(t, 3)
	return log, incarnation, entries
}

func testForkWithoutNewEntries(t *testing.T, backend SharedBackend) {
	log, _, entries := openAndLoseThreeOfEight(t, backend)
	if err := tailError(t, log, entries[7]); !errors.Is(err, presence.ErrForked) {
		t.Errorf("after a lost entry: %v", err)
	}
}

func testForkWithNewEntries(t *testing.T, backend SharedBackend) {
	log, incarnation, entries := openAndLoseThreeOfEight(t, backend)
	appendStarts(t, log, "b", incarnation, 1, 9)
	for _, lost := range entries[5:] {
		if err := tailError(t, log, lost); !errors.Is(err, presence.ErrForked) {
			t.Errorf("after lost entry %d: %v", lost.Num, err)
		}
	}
}

func testTailFromBeforeLoss(t *testing.T, backend SharedBackend) {
	log, incarnation, entries := openAndLoseThreeOfEight(t, backend)
	appendStarts(t, log, "b", incarnation, 1, 2)
	rest := readEntries(t, log, entries[3], 3)
	if rest[0].Num != entries[4].Num || rest[0].Epoch != entries[4].Epoch {
		t.Errorf("the first entry is %d of %s", rest[0].Num, rest[0].Epoch)
	}
	if rest[1].Num != entries[5].Num || rest[1].Epoch == entries[5].Epoch {
		t.Errorf("the second entry is %d of %s", rest[1].Num, rest[1].Epoch)
	}
}

func testNewEpochHasNewName(t *testing.T, backend SharedBackend) {
	log, r, incarnation := openAndJoin(t, backend.Backend)
	appendStarts(t, log, "a", incarnation, 1, 2)
	backend.LoseTail(t, 0)
	appendStarts(t, log, "a", incarnation, 3, 1)
	entries := readEntries(t, log, r.LastEntry(), 3)
	if entries[1].Epoch != entries[0].Epoch || entries[2].Epoch == entries[1].Epoch {
		t.Errorf("epochs %s, %s, %s", entries[0].Epoch, entries[1].Epoch, entries[2].Epoch)
	}
	backend.LoseAll(t)
	loadRegistry(t, log, r)
	appendStarts(t, log, "a", incarnation, 4, 1)
	if e := readEntries(t, log, r.LastEntry(), 1)[0]; e.Epoch == entries[2].Epoch {
		t.Errorf("after everything was lost the epoch is still %s", e.Epoch)
	}
}

func testReloadOfEmptiedLog(t *testing.T, backend SharedBackend) {
	log, _, incarnation := openAndJoin(t, backend.Backend)
	appendStarts(t, log, "a", incarnation, 1, 5)
	have := loadRegistry(t, log, nil)
	last := have.LastEntry()
	backend.LoseAll(t)
	if err := tailError(t, log, last); !errors.Is(err, presence.ErrForked) {
		t.Errorf("after an entry of an emptied log: %v", err)
	}
	r, head, err := log.Load(t.Context(), have)
	if err != nil || head != have.LastNum() {
		t.Fatalf("entry %d, %v", head, err)
	}
	expectSameRegistry(t, "loaded by the node that had it", r, have)
	expectSameRegistry(t, "loaded by a node without a registry", loadRegistry(t, openAnotherHandle(t, backend), nil), have)
	appendStarts(t, log, "a", incarnation, 6, 2)
	if rest := readEntries(t, log, last, 2); rest[0].Num != last.Num+1 || rest[0].ID.Compare(last.ID) <= 0 {
		t.Errorf("after entry %d %v: %d %v", last.Num, last.ID, rest[0].Num, rest[0].ID)
	}
}

func testAppendToEmptiedLog(t *testing.T, backend SharedBackend) {
	log, _, incarnation := openAndJoin(t, backend.Backend)
	backend.LoseAll(t)
	if err := log.Append(t.Context(), sealedBatch("a", incarnation, 1)); !errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("append to an emptied log: %v", err)
	}
}

func testIncarnationsAfterTotalLoss(t *testing.T, backend SharedBackend) {
	log, _, first := openAndJoin(t, backend.Backend)
	backend.LoseAll(t)
	if _, second := loadAndJoin(t, log, "a"); second <= first {
		t.Errorf("incarnation %d, after everything was lost %d", first, second)
	}
	if third, err := log.Join(t.Context(), "a", 1<<52); err != nil || third <= 1<<52 {
		t.Errorf("incarnation %d, %v", third, err)
	}
}

// testSnapshotEqualsReplay: the snapshot equals the registry after all entries up to it.
func testSnapshotEqualsReplay(t *testing.T, backend SharedBackend) {
	log, r, incarnation := openAndJoin(t, backend.Backend)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	entries := make(chan presence.Entry, 1000) // read now, because Trim deletes them
	go func() {
		for e, err := range log.Tail(ctx, r.LastEntry()) {
			if err != nil {
				return
			}
			entries <- e
		}
	}()
	appendStarts(t, log, "a", incarnation, 1, 300)
	log = backend.Trim(t, log)
	got, head, err := log.Load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.LastNum() < 300 || head < got.LastNum() {
		t.Errorf("the snapshot is of entry %d, the head is %d", got.LastNum(), head)
	}
	for r.LastNum() < got.LastNum() {
		select {
		case e := <-entries:
			if _, err := r.Apply(e); err != nil {
				t.Fatal(err)
			}
		case <-ctx.Done():
			t.Fatalf("no entry %d", r.LastNum()+1)
		}
	}
	expectSameRegistry(t, "from a snapshot", got, r)
}
