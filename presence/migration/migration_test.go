package migration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"onair/presence"
	"onair/presence/embedded"
	"onair/presence/node"
	"onair/presence/redislog"
	"onair/presence/redislog/redistest"
)

// testing.T and rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
}

func openEmbedded(t failer, dir string, readOnly bool) *embedded.Log {
	t.Helper()
	l, err := embedded.Open(embedded.Options{Dir: dir, ReadOnly: readOnly})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func openRedis(s *redistest.Server, prefix string) *redislog.Log {
	client := redislog.NewClient(redislog.ClientOptions{Addrs: []string{s.Addr()}})
	return redislog.Open(redislog.Options{Client: client, Prefix: prefix})
}

// fill makes a registry and recordings the content of an empty store.
func fill(t failer, s Store, r *presence.Registry, recordings int) {
	t.Helper()
	if _, _, err := s.Load(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	storeRecordings(t, s, "of the source", recordings)
}

func storeRecordings(t failer, s Store, title string, n int) {
	t.Helper()
	all := make([]presence.Recording, n)
	for i := range all {
		all[i] = presence.Recording{ID: fmt.Sprint("recording ", i), Title: title, StartedAt: int64(i / 3), EndedAt: int64(i)}
	}
	for page := range slices.Chunk(all, 1000) {
		if err := s.Store(context.Background(), page); err != nil {
			t.Fatal(err)
		}
	}
}

// appendBatch appends a batch of a new node to a store, and applies it to a registry too.
func appendBatch(t failer, s Store, r *presence.Registry, nodeName string, commands ...presence.Command) {
	t.Helper()
	b := presence.Batch{Node: nodeName, Incarnation: 1, Process: 1, Seq: 1, MaxRules: presence.LatestRules, Commands: commands}
	if err := s.Append(context.Background(), b.Seal()); err != nil {
		t.Fatal(err)
	}
	for e, err := range s.Tail(context.Background(), r.LastEntry()) {
		if err == nil {
			_, err = r.Apply(e)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}

func mustCopy(t failer, source, target Store) Copied {
	t.Helper()
	_, isShared := source.(*redislog.Log)
	copied, err := Copy(context.Background(), source, target, isShared)
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// content is all that a store has, but for positions.
func content(t failer, s Store) (registry []byte, recordings []presence.Recording) {
	t.Helper()
	r, err := loadAll(context.Background(), s)
	if err != nil || r == nil {
		t.Fatal("no list", err)
	}
	err = forEachPage(context.Background(), s, func(page []presence.Recording) error {
		recordings = append(recordings, page...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return encodeWithoutPosition(r), recordings
}

func encodeWithoutPosition(r *presence.Registry) []byte {
	c, err := presence.DecodeRegistry(r.Encode())
	if err != nil {
		panic(err)
	}
	c.ReseedPositions(0)
	return c.Encode()
}

// requireContent fails the test unless a store has that registry and number of recordings.
func requireContent(t failer, s Store, r *presence.Registry, recordings int) {
	t.Helper()
	got, recs := content(t, s)
	if want := encodeWithoutPosition(r); !bytes.Equal(got, want) {
		t.Fatal("another registry:", len(got), "bytes, want", len(want))
	}
	if len(recs) != recordings || slices.ContainsFunc(recs, func(rec presence.Recording) bool { return rec.Title != "of the source" }) {
		t.Fatal(len(recs), "recordings, want", recordings, "of the source")
	}
}

// TestThereAndBack: any registry is equal after SQLite → Redis → SQLite, with entries that
// are in no row and in no snapshot yet.
func TestThereAndBack(t *testing.T) {
	s := redistest.Start(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		r, recordings := randomRegistry(rt), rapid.IntRange(0, 5).Draw(rt, "recordings")
		first, second := t.TempDir(), t.TempDir()
		a := openEmbedded(rt, first, false)
		fill(rt, a, r, recordings)
		appendBatch(rt, a, r, "late", newStart("eve", "", ""))
		a.Close()

		a, b := openEmbedded(rt, first, true), openRedis(s, fmt.Sprint("run", run))
		defer b.Close()
		requireContent(rt, a, r, recordings)
		if copied := mustCopy(rt, a, b); copied.Contents != r.Contents() || copied.Recordings != recordings {
			rt.Fatal("copied", copied, "want", r.Contents(), recordings)
		}
		a.Close()
		requireContent(rt, b, r, recordings)

		appendBatch(rt, b, r, "later", newStart("fay", "", ""))
		appendBatch(rt, b, r, "last", newStart("gil", "", ""))
		c := openEmbedded(rt, second, false)
		defer c.Close()
		mustCopy(rt, b, c)
		requireContent(rt, c, r, recordings)
	})
}

// stores are a source on SQLite with recordings on three pages, and a target on Redis.
type stores struct {
	redis     *redistest.Server
	sourceDir string
	registry  *presence.Registry
	source    *embedded.Log
	target    *redislog.Log
}

const manyRecordings = 2*presence.MaxRecordingPageSize + 1

func newStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{redis: redistest.Start(t, "--enable-debug-command", "local"), sourceDir: t.TempDir(), registry: presence.NewRegistry()}
	a := openEmbedded(t, s.sourceDir, false)
	settings := presence.Settings{Revision: 1, Interval: 1000, Missed: 3} // nodes append four times a second
	appendBatch(t, a, s.registry, "a", &presence.SetSettings{Settings: settings}, newStart("ann", "", ""), &presence.Ban{Anchor: "bob"}, &presence.Leave{})
	storeRecordings(t, a, "of the source", manyRecordings)
	a.Close()
	s.source, s.target = openEmbedded(t, s.sourceDir, true), openRedis(s.redis, "onair")
	t.Cleanup(func() { s.source.Close(); s.target.Close() })
	return s
}

type anyStore = Store

// interceptedStore calls a function before each Store.
type interceptedStore struct {
	anyStore
	beforeStore func() error
}

// Store implements presence.Archive.
func (s *interceptedStore) Store(ctx context.Context, recordings []presence.Recording) error {
	if err := s.beforeStore(); err != nil {
		return err
	}
	return s.anyStore.Store(ctx, recordings)
}

// requireNoList fails the test if a store has a list.
func requireNoList(t *testing.T, s Store) {
	t.Helper()
	if r, _, err := s.LoadExisting(t.Context()); r != nil || err != nil {
		t.Fatal("it has a list", err)
	}
}

// TestInterrupted: an interrupted copy leaves no list, and can be repeated, though the first
// attempt left recordings, of which one changed since.
func TestInterrupted(t *testing.T) {
	s := newStores(t)
	interrupted, pages := errors.New("interrupted"), 0
	_, err := Copy(t.Context(), s.source, &interceptedStore{s.target, func() error {
		if pages++; pages == 2 {
			return interrupted
		}
		return nil
	}}, false)
	if !errors.Is(err, interrupted) {
		t.Fatal(err)
	}
	requireNoList(t, s.target)
	storeRecordings(t, s.target, "older", 1)
	mustCopy(t, s.source, s.target)
	requireContent(t, s.target, s.registry, manyRecordings)
}

// TestSourceUnchanged: the files of a source are the same after a copy, and so is Redis.
func TestSourceUnchanged(t *testing.T) {
	s := newStores(t)
	file := filepath.Join(s.sourceDir, "onair.db")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mustCopy(t, s.source, s.target)
	s.source.Close()
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, before) {
		t.Error("the database changed", err)
	}
	digest := s.redis.Client().Do(t.Context(), "DEBUG", "DIGEST").String()
	mustCopy(t, s.target, openForTest(t, t.TempDir()))
	if after := s.redis.Client().Do(t.Context(), "DEBUG", "DIGEST").String(); after != digest {
		t.Errorf("the digest of Redis was %s, is %s", digest, after)
	}
}

// openForTest opens an embedded store until the test ends.
func openForTest(t *testing.T, dir string) *embedded.Log {
	t.Helper()
	l := openEmbedded(t, dir, false)
	t.Cleanup(func() { l.Close() })
	return l
}

// TestTargetNotEmpty: a target with a list, or with recordings of another source, is refused
// and stays as it is.
func TestTargetNotEmpty(t *testing.T) {
	s := newStores(t)
	other := openForTest(t, t.TempDir())
	storeRecordings(t, other, "of another source", 1)
	if err := other.Store(t.Context(), []presence.Recording{{ID: "unknown"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), s.source, other, false); !errors.Is(err, ErrTargetNotEmpty) {
		t.Errorf("with other recordings: %v", err)
	}
	requireNoList(t, other)
	if rec, _, err := other.Recording(t.Context(), "recording 0"); rec.Title != "of another source" || err != nil {
		t.Errorf("a recording is now %+v, %v", rec, err)
	}
	mustCopy(t, s.source, s.target)
	mustCopy(t, s.source, s.target) // a copy that no node has used
	appendBatch(t, s.target, s.registry, "b", &presence.Ban{Anchor: "cid"})
	if _, err := Copy(t.Context(), s.source, s.target, false); !errors.Is(err, ErrTargetNotEmpty) {
		t.Errorf("with a list that a node has used: %v", err)
	}
	requireContent(t, s.target, s.registry, manyRecordings)
}

// TestSourceEmpty: a source without a list is refused, and gets none.
func TestSourceEmpty(t *testing.T) {
	s := newStores(t)
	if _, err := Copy(t.Context(), s.target, openForTest(t, t.TempDir()), true); !errors.Is(err, ErrSourceEmpty) {
		t.Error(err)
	}
	requireNoList(t, s.target)
	if _, err := embedded.Open(embedded.Options{Dir: t.TempDir(), ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestSourceInUse: a source to which a node appends is refused, whether the node ran before or
// starts meanwhile. That of a node which was killed is not.
func TestSourceInUse(t *testing.T) {
	s := newStores(t)
	mustCopy(t, s.source, s.target)
	killed := presence.Batch{Node: "killed", Incarnation: 1, Process: 1, Seq: 1, MaxRules: presence.LatestRules}
	if err := s.target.Append(t.Context(), killed.Seal()); err != nil {
		t.Fatal(err)
	}
	appendByNode := func() error {
		n, err := node.Join(t.Context(), s.target, node.Config{Name: "b", Settings: s.registry.Settings()})
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		defer func() { stop(); <-done }()
		_, err = n.Do(t.Context(), &presence.Ban{Anchor: "cid"})
		return err
	}
	empty := openForTest(t, t.TempDir())
	_, err := Copy(t.Context(), s.target, &interceptedStore{empty, appendByNode}, true)
	if !errors.Is(err, ErrSourceInUse) {
		t.Errorf("a node started meanwhile: %v", err)
	}
	requireNoList(t, empty)

	running, stop := context.WithCancel(t.Context())
	n, err := node.Join(t.Context(), s.target, node.Config{Name: "c", Settings: s.registry.Settings()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- n.Run(running) }()
	if _, err := n.Do(t.Context(), &presence.Ban{Anchor: "dan"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), s.target, empty, true); !errors.Is(err, ErrSourceInUse) {
		t.Errorf("a node runs: %v", err)
	}
	requireNoList(t, empty)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mustCopy(t, s.target, empty)
}

// TestTargetChanged: a node that begins a list on the target meanwhile fails the copy.
func TestTargetChanged(t *testing.T) {
	s := newStores(t)
	other := openRedis(s.redis, "onair")
	defer other.Close()
	_, err := Copy(t.Context(), s.source, &interceptedStore{s.target, func() error {
		_, _, err := other.Load(t.Context(), presence.NewRegistry())
		return err
	}}, false)
	if !errors.Is(err, ErrTargetChanged) {
		t.Error(err)
	}
}
