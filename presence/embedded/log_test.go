package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"onair/presence"
	"onair/presence/presencetest"
)

func openDir(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLog(t *testing.T) {
	t.Run("disk", func(t *testing.T) {
		presencetest.RunLogSuite(t, func(t *testing.T) presencetest.Backend {
			dir := t.TempDir()
			reopen := func(t *testing.T) presence.Log { return openDir(t, dir) }
			trim := func(t *testing.T, log presence.Log) presence.Log {
				if err := log.Close(); err != nil {
					t.Fatal(err)
				}
				return reopen(t)
			}
			return presencetest.Backend{Open: reopen, Reopen: reopen, Trim: trim}
		})
	})
	t.Run("memory", func(t *testing.T) {
		presencetest.RunLogSuite(t, func(*testing.T) presencetest.Backend {
			return presencetest.Backend{Open: func(t *testing.T) presence.Log { return openDir(t, InMemory) }}
		})
	})
}

func newStart(anchor string) *presence.Start {
	return &presence.Start{Session: presence.NewSession(), Anchor: anchor, Code: "8888_" + anchor, Listed: true}
}

func sealedBatch(incarnation, seq uint64, commands ...presence.Command) presence.SealedBatch {
	b := presence.Batch{Node: "a", Incarnation: incarnation, Process: incarnation, Seq: seq, MaxRules: presence.LatestRules, Commands: commands}
	return b.Seal()
}

func join(t *testing.T, l *Log) (reg *presence.Registry, incarnation uint64, err error) {
	t.Helper()
	if reg, _, err = l.Load(t.Context(), nil); err == nil {
		incarnation, err = l.Join(t.Context(), "a", 0)
	}
	return reg, incarnation, err
}

// Limits of the database's size, in pages.
const (
	fullDisk      = "1" // SQLite then adds no page
	unlimitedDisk = "1073741823"
)

func setMaxPages(t *testing.T, l *Log, pages string) {
	t.Helper()
	if _, err := l.store.db.Exec("PRAGMA max_page_count = " + pages); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull: on a full disk only durable commands are refused. With free space
// again all commands are accepted.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	l := openDir(t, dir)
	reg, incarnation, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), sealedBatch(incarnation, 1, newStart("before"))); err != nil {
		t.Fatal(err)
	}
	setMaxPages(t, l, fullDisk)
	longTitle := newStart("full")
	longTitle.Title = strings.Repeat("x", 100_000)
	if err := l.Append(t.Context(), sealedBatch(incarnation, 2, longTitle)); !errors.Is(err, presence.ErrNotWritten) {
		t.Fatalf("a start on a full disk: %v", err)
	}
	if err := l.Append(t.Context(), sealedBatch(incarnation, 2)); err != nil {
		t.Fatalf("beats on a full disk: %v", err)
	}
	setMaxPages(t, l, unlimitedDisk)
	if err := l.Append(t.Context(), sealedBatch(incarnation, 3, newStart("after"))); err != nil {
		t.Fatalf("a start with free space again: %v", err)
	}
	n := 0
	for e, err := range l.Tail(t.Context(), reg.LastEntry()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reg.Apply(e); err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	if reg.StreamByCode("8888_before") == nil || reg.StreamByCode("8888_full") != nil || reg.StreamByCode("8888_after") == nil {
		t.Error("the streams are not those that were acknowledged")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openDir(t, dir)
	defer l.Close()
	if reg, _, err = join(t, l); err != nil {
		t.Fatal(err)
	}
	if reg.StreamByCode("8888_before") == nil || reg.StreamByCode("8888_full") != nil || reg.StreamByCode("8888_after") == nil {
		t.Error("after a restart the streams are not those that were acknowledged")
	}
}

// TestDamagedStoreIsMovedAside: Open moves an unreadable file aside, reports its
// new path, and starts with an empty log.
func TestDamagedStoreIsMovedAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"garbage":   func(b []byte) []byte { return []byte(strings.Repeat("garbage ", len(b)/8)) },
		"cut short": func(b []byte) []byte { return b[:len(b)/2+100] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := openDir(t, dir)
			reg, incarnation, err := join(t, l)
			if err != nil {
				t.Fatal(err)
			}
			for seq := range uint64(50) {
				if err := l.Append(t.Context(), sealedBatch(incarnation, seq+1, newStart(strings.Repeat("b", int(seq))+"alice"))); err != nil {
					t.Fatal(err)
				}
			}
			n := 0
			for e := range l.Tail(t.Context(), reg.LastEntry()) {
				if _, err := reg.Apply(e); err != nil {
					t.Fatal(err)
				}
				l.ConfirmApplied(reg, e)
				if n++; n == 50 {
					break
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "onair.db")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			l = openDir(t, dir)
			defer l.Close()
			if reg, _, err = join(t, l); err != nil {
				t.Fatal(err)
			}
			if l.store.damagedPath == "" || reg.Len() != 0 {
				t.Errorf("moved to %q, %d streams", l.store.damagedPath, reg.Len())
			}
			moved, err := os.ReadFile(l.store.damagedPath)
			if err != nil || len(moved) == 0 {
				t.Errorf("the moved file: %d bytes, %v", len(moved), err)
			}
		})
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := openDir(t, dir)
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second Open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, dir).Close()
}

// TestNewerSchemaIsRefused: a store of a newer version is neither read nor moved aside.
func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := openDir(t, dir)
	if _, err := l.store.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, presence.ErrNewerVersion) {
		t.Errorf("open: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*damaged*")); len(files) != 0 {
		t.Errorf("moved aside: %v", files)
	}
}

func TestUnusableDirectoryIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: filepath.Join(file, "data")}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("open: %v", err)
	}
}

func BenchmarkAppendDurable(b *testing.B) {
	l, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	seq := uint64(0)
	for b.Loop() {
		seq++
		if err := l.Append(b.Context(), sealedBatch(1, seq, &presence.Unban{Anchor: "x"})); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBeats(b *testing.B) {
	l, err := Open(Options{Dir: InMemory})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	seq := uint64(0)
	for b.Loop() {
		seq++
		if err := l.Append(b.Context(), sealedBatch(1, seq)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEmptyStoreBeginsWithOwn: an empty store takes over the registry that Load is given, and
// any other store ignores it.
func TestEmptyStoreBeginsWithOwn(t *testing.T) {
	dir, own := t.TempDir(), presence.NewRegistry()
	batch := sealedBatch(1, 1, newStart("alice"))
	if _, err := own.Apply(presence.Entry{ID: presence.ID{MS: 1}, Num: 7, Time: 1, Epoch: "e", Batch: batch.Bytes}); err != nil {
		t.Fatal(err)
	}
	for _, given := range []*presence.Registry{own, nil, presence.NewRegistry()} {
		l := openDir(t, dir)
		reg, head, err := l.Load(t.Context(), given)
		if err != nil || head != 7 || reg.StreamByCode("8888_alice") == nil {
			t.Errorf("entry %d, %d streams, %v", head, reg.Len(), err)
		}
		l.Close()
	}
}

// TestReadOnly: a store that is opened to be read must exist, and is not changed: neither when
// it is damaged, nor by an append.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Options{Dir: dir, ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a database: %v", err)
	}
	openDir(t, dir).Close()
	l, err := Open(Options{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), sealedBatch(1, 1, newStart("alice"))); !errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("append: %v", err)
	}
	l.Close()
	if err := os.WriteFile(filepath.Join(dir, "onair.db"), []byte(strings.Repeat("damaged ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, ReadOnly: true}); err == nil {
		t.Error("a damaged database was opened")
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*.damaged-*")); err != nil || len(files) > 0 {
		t.Errorf("%v was moved aside, %v", files, err)
	}
}
