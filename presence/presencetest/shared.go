package presencetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"onair/presence"
)

// Shared is where a log lives that many nodes share, and that may lose what it
// has acknowledged.
type Shared struct {
	Home
	// Sever breaks every connection to the log.
	Sever func(t *testing.T)
	// Lose has the log lose its newest n entries, as a failover does.
	Lose func(t *testing.T, n int)
	// Empty has it lose everything.
	Empty func(t *testing.T)
}

// RunShared is what every such log passes, beside Run.
func RunShared(t *testing.T, home func(t *testing.T) Shared) {
	for name, test := range map[string]func(*testing.T, Shared){
		"two handles have one log":                      testTwoHandles,
		"a batch is appended once, by any handle":       testOnceByAny,
		"broken connections lose and repeat nothing":    testSever,
		"a reader at the end of a lost tail is told":    testForkedIdle,
		"a reader is told when others took its place":   testForkedBusy,
		"a reader before a lost tail goes on":           testBeforeFork,
		"a new history has a new name":                  testNewHistory,
		"an emptied log goes on with a node's list":     testEmptied,
		"nothing is appended to an emptied log":         testAppendEmptied,
		"boots rise though the log has forgotten them":  testBootsEmptied,
		"a list from a snapshot is that of all entries": testSnapshot,
	} {
		t.Run(name, func(t *testing.T) { test(t, home(t)) })
	}
}

// again opens another handle on a log.
func again(t *testing.T, h Shared) presence.Log {
	t.Helper()
	log := h.Reopen(t)
	t.Cleanup(func() { log.Close() })
	return log
}

// appendMany appends batches of a node, one start in each.
func appendMany(t *testing.T, log presence.Log, node string, boot, from, n uint64) {
	t.Helper()
	for no := from; no < from+n; no++ {
		appendTo(t, log, batch(node, boot, no, start(fmt.Sprint(node, "x", no))))
	}
}

// fails reads on after an entry, and gives the error that ends it.
func fails(t *testing.T, log presence.Log, after presence.Entry) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for e, err := range log.Tail(ctx, after) {
		if err != nil {
			return err
		}
		t.Fatalf("entry %d of history %s came after %d of %s", e.Num, e.Repl, after.Num, after.Repl)
	}
	t.Fatal("nothing came")
	return nil
}

func same(t *testing.T, what string, a, b *presence.Registry) {
	t.Helper()
	if !bytes.Equal(a.Encode(), b.Encode()) {
		t.Errorf("%s: the lists differ, of %d and %d streams, at %v and %v", what, a.Len(), b.Len(), a.Position(), b.Position())
	}
}

func testTwoHandles(t *testing.T, h Shared) {
	one := open(t, h.Home)
	_, boot := join(t, one, "a")
	two := again(t, h)
	r, other := join(t, two, "b")
	if other <= boot {
		t.Errorf("boot %d after %d", other, boot)
	}
	appendMany(t, one, "a", boot, 1, 3)
	appendMany(t, two, "b", other, 1, 3)
	for i, e := range take(t, two, r.Last(), 6) {
		if e.Num != r.Num()+uint64(i)+1 {
			t.Errorf("entry %d in place %d", e.Num, i)
		}
	}
	same(t, "two handles", list(t, one, nil), list(t, two, nil))
}

func testOnceByAny(t *testing.T, h Shared) {
	one := open(t, h.Home)
	r, boot := join(t, one, "a")
	two := again(t, h)
	b := batch("a", boot, 1, start("alice"))
	appendTo(t, one, b)
	appendTo(t, two, b)
	appendTo(t, two, batch("a", boot, 2))
	entries := take(t, one, r.Last(), 2)
	if d, err := presence.DecodeBatch(entries[1].Batch); err != nil || d.No != 2 {
		t.Errorf("the second entry is %+v, %v", d, err)
	}
}

func testSever(t *testing.T, h Shared) {
	log := open(t, h.Home)
	r, boot := join(t, log, "a")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for no := uint64(1); no <= 40; no++ {
			b := batch("a", boot, no, start(fmt.Sprint("u", no)))
			for log.Append(ctx, b) != nil && ctx.Err() == nil { // as a node does: the same again
			}
			if no%10 == 5 {
				h.Sever(t)
			}
		}
	}()
	next := r.Num()
	for e, err := range log.Tail(ctx, r.Last()) {
		if err != nil {
			t.Fatal(err)
		}
		if next++; e.Num != next {
			t.Fatalf("entry %d came, want %d", e.Num, next)
		}
		if next == r.Num()+40 {
			break
		}
	}
	<-done
	if n := list(t, log, nil).Len(); n != 40 {
		t.Errorf("%d streams, want 40", n)
	}
}

func testForkedIdle(t *testing.T, h Shared) {
	log := open(t, h.Home)
	r, boot := join(t, log, "a")
	appendMany(t, log, "a", boot, 1, 8)
	entries := take(t, log, r.Last(), 8)
	h.Lose(t, 3)
	if err := fails(t, log, entries[7]); !errors.Is(err, presence.ErrForked) {
		t.Errorf("at an entry that was lost: %v", err)
	}
}

func testForkedBusy(t *testing.T, h Shared) {
	log := open(t, h.Home)
	r, boot := join(t, log, "a")
	appendMany(t, log, "a", boot, 1, 8)
	entries := take(t, log, r.Last(), 8)
	h.Lose(t, 3)
	appendMany(t, log, "b", boot, 1, 9)
	for _, at := range entries[5:] {
		if err := fails(t, log, at); !errors.Is(err, presence.ErrForked) {
			t.Errorf("at lost entry %d: %v", at.Num, err)
		}
	}
}

func testBeforeFork(t *testing.T, h Shared) {
	log := open(t, h.Home)
	r, boot := join(t, log, "a")
	appendMany(t, log, "a", boot, 1, 8)
	entries := take(t, log, r.Last(), 8)
	h.Lose(t, 3)
	appendMany(t, log, "b", boot, 1, 2)
	rest := take(t, log, entries[3], 3)
	if rest[0].Num != entries[4].Num || rest[0].Repl != entries[4].Repl {
		t.Errorf("entry %d of %s came first", rest[0].Num, rest[0].Repl)
	}
	if rest[1].Num != entries[5].Num || rest[1].Repl == entries[5].Repl {
		t.Errorf("then entry %d of %s", rest[1].Num, rest[1].Repl)
	}
}

func testNewHistory(t *testing.T, h Shared) {
	log := open(t, h.Home)
	r, boot := join(t, log, "a")
	appendMany(t, log, "a", boot, 1, 2)
	h.Lose(t, 0)
	appendMany(t, log, "a", boot, 3, 1)
	entries := take(t, log, r.Last(), 3)
	if entries[1].Repl != entries[0].Repl || entries[2].Repl == entries[1].Repl {
		t.Errorf("histories %s, %s, %s", entries[0].Repl, entries[1].Repl, entries[2].Repl)
	}
	h.Empty(t)
	list(t, log, r)
	appendMany(t, log, "a", boot, 4, 1)
	if e := take(t, log, r.Last(), 1)[0]; e.Repl == entries[2].Repl {
		t.Errorf("after everything was lost the history is still %s", e.Repl)
	}
}

func testEmptied(t *testing.T, h Shared) {
	log := open(t, h.Home)
	_, boot := join(t, log, "a")
	appendMany(t, log, "a", boot, 1, 5)
	have := list(t, log, nil)
	at := have.Last()
	h.Empty(t)
	if err := fails(t, log, at); !errors.Is(err, presence.ErrForked) {
		t.Errorf("at an entry of an emptied log: %v", err)
	}
	r, head, err := log.Load(t.Context(), have)
	if err != nil || head != have.Num() {
		t.Fatalf("entry %d, %v", head, err)
	}
	same(t, "written by who has it", r, have)
	same(t, "read by who has none", list(t, again(t, h), nil), have)
	appendMany(t, log, "a", boot, 6, 2)
	if rest := take(t, log, at, 2); rest[0].Num != at.Num+1 || rest[0].ID.Compare(at.ID) <= 0 {
		t.Errorf("after entry %d %v came %d %v", at.Num, at.ID, rest[0].Num, rest[0].ID)
	}
}

func testAppendEmptied(t *testing.T, h Shared) {
	log := open(t, h.Home)
	_, boot := join(t, log, "a")
	h.Empty(t)
	if err := log.Append(t.Context(), batch("a", boot, 1)); !errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("append to an emptied log: %v", err)
	}
}

func testBootsEmptied(t *testing.T, h Shared) {
	log := open(t, h.Home)
	_, first := join(t, log, "a")
	h.Empty(t)
	if _, second := join(t, log, "a"); second <= first {
		t.Errorf("boot %d, and after everything was lost %d", first, second)
	}
	if third, err := log.Join(t.Context(), "a", 1<<52); err != nil || third <= 1<<52 {
		t.Errorf("boot %d, %v", third, err)
	}
}

// testSnapshot: who starts from a snapshot comes to what all entries give.
func testSnapshot(t *testing.T, h Shared) {
	log := open(t, h.Home)
	r, boot := join(t, log, "a")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	entries := make(chan presence.Entry, 1000) // read as they come, for they will not stay
	go func() {
		for e, err := range log.Tail(ctx, r.Last()) {
			if err != nil {
				return
			}
			entries <- e
		}
	}()
	appendMany(t, log, "a", boot, 1, 300)
	log = h.Trim(t, log)
	got, head, err := log.Load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Num() < 300 || head < got.Num() {
		t.Errorf("the snapshot stands at entry %d of %d", got.Num(), head)
	}
	for r.Num() < got.Num() {
		select {
		case e := <-entries:
			if _, err := r.Apply(e); err != nil {
				t.Fatal(err)
			}
		case <-ctx.Done():
			t.Fatalf("entry %d did not come", r.Num()+1)
		}
	}
	same(t, "from a snapshot", got, r)
}
