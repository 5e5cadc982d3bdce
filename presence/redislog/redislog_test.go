package redislog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"onair/presence"
	"onair/presence/presencetest"
	"onair/presence/redislog/redistest"
)

// home is a log of one prefix on a Redis that its tests share.
type home struct {
	redis  *redistest.Server
	prefix string
}

// debugging lets a test change a server's replication id.
func debugging(t *testing.T) *redistest.Server {
	t.Helper()
	return redistest.Start(t, "--enable-debug-command", "local")
}

func newHome(t *testing.T, s *redistest.Server) *home {
	t.Helper()
	return &home{s, strings.NewReplacer("/", "-", ",", "").Replace(t.Name())}
}

// open opens a log whose snapshots are due at once.
func (h *home) open(t *testing.T) presence.Log {
	t.Helper()
	l := Open(Options{
		Client: Dial(Server{Addrs: []string{h.redis.Addr()}}), Prefix: h.prefix,
		SnapshotEvery: time.Millisecond, SnapshotAge: time.Millisecond, Logger: zerolog.Nop(),
	})
	l.yields = 0
	return l
}

// do asks Redis itself.
func (h *home) do(t *testing.T, args ...any) any {
	t.Helper()
	v, err := h.redis.Client().Do(context.Background(), args...).Result()
	if err != nil {
		t.Errorf("%v: %v", args, err)
	}
	return v
}

// trim writes two snapshots, of which the older one is what the log is trimmed
// behind.
func (h *home) trim(t *testing.T, log presence.Log) presence.Log {
	t.Helper()
	l := log.(*Log)
	for no := range uint64(2) {
		if err := l.save(t.Context()); err != nil {
			t.Fatal(err)
		}
		for before := time.Now().UnixMilli(); time.Now().UnixMilli() == before; {
			continue // the next entry's time is to be another one
		}
		b := presence.Batch{Node: "trim", Boot: 1, Origin: 1, No: no + 1, Knows: presence.Rules}
		if err := l.Append(t.Context(), b.Seal()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := h.do(t, "XLEN", l.keys.log).(int64); n > 3 {
		t.Errorf("%d entries are left", n)
	}
	if n := h.do(t, "LLEN", l.keys.snapshots).(int64); n != 2 {
		t.Errorf("%d snapshots are left", n)
	}
	return log
}

// lose takes the newest entries away, and with them what is known of them.
func (h *home) lose(t *testing.T, n int) {
	t.Helper()
	k := keysOf(h.prefix)
	all, err := h.redis.Client().XRange(t.Context(), k.log, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all[len(all)-n:] {
		h.do(t, "XDEL", k.log, m.ID)
	}
	last := all[len(all)-n-1]
	h.do(t, "XSETID", k.log, last.ID)
	h.do(t, "HSET", k.head, "n", last.Values["n"], "t", last.Values["t"])
	h.do(t, "DEL", k.nodes)
	h.do(t, "DEBUG", "CHANGE-REPL-ID")
}

func (h *home) sever(t *testing.T) {
	t.Helper()
	h.do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
}

func (h *home) empty(t *testing.T) {
	t.Helper()
	k := keysOf(h.prefix)
	names, err := h.redis.Client().Keys(t.Context(), k.snapshot+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, k.log, k.head, k.nodes, k.snapshots, k.lock) {
		h.do(t, "DEL", name)
	}
}

// TestLog: the log on a real Redis passes what every log passes.
func TestLog(t *testing.T) {
	s := debugging(t)
	presencetest.Run(t, func(t *testing.T) presencetest.Home {
		h := newHome(t, s)
		return presencetest.Home{Open: h.open, Reopen: h.open, Trim: h.trim}
	})
	presencetest.RunShared(t, func(t *testing.T) presencetest.Shared {
		h := newHome(t, s)
		return presencetest.Shared{
			Home:  presencetest.Home{Open: h.open, Reopen: h.open, Trim: h.trim},
			Sever: h.sever, Lose: h.lose, Empty: h.empty,
		}
	})
}

// TestRefused: what is certain to have been refused is said to be so, and what
// may yet happen is not.
func TestRefused(t *testing.T) {
	s := redistest.Start(t)
	h := newHome(t, s)
	l := h.open(t).(*Log)
	defer l.Close()
	if _, _, err := l.Load(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	no := uint64(0)
	try := func(what string, written bool) {
		t.Helper()
		no++
		b := presence.Batch{Node: "a", Boot: 1, Origin: 1, No: no, Knows: presence.Rules}
		switch err := l.Append(t.Context(), b.Seal()); {
		case err == nil && !written:
			t.Errorf("%s: it was taken", what)
		case written && err != nil || !written && !errors.Is(err, presence.ErrNotWritten):
			t.Errorf("%s: %v", what, err)
		}
	}
	try("at first", true)
	h.do(t, "CONFIG", "SET", "maxmemory", "1")
	try("out of memory", false)
	h.do(t, "CONFIG", "SET", "maxmemory", "0")
	try("with memory again", true)
	h.do(t, "REPLICAOF", "127.0.0.1", "1")
	try("on a read-only replica", false)
	h.do(t, "REPLICAOF", "NO", "ONE")
	try("on a primary again", true)
	h.do(t, "CONFIG", "SET", "requirepass", "secret")
	h.sever(t)
	try("without a password", false)
	s.Stop()
	try("nobody listens", false)
	s.Restart()
	s.Pause()
	b := presence.Batch{Node: "a", Boot: 1, Origin: 1, No: no + 1, Knows: presence.Rules}
	if err := l.Append(t.Context(), b.Seal()); err == nil || errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("no answer: %v", err)
	}
	s.Resume()
}

// TestDamagedSnapshot: a snapshot that cannot be read keeps no node from starting,
// and the keeper from writing no other.
func TestDamagedSnapshot(t *testing.T) {
	h := newHome(t, redistest.Start(t))
	l := h.open(t).(*Log)
	defer l.Close()
	if _, _, err := l.Load(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	say := func(no uint64) {
		b := presence.Batch{Node: "a", Boot: 1, Origin: 1, No: no, Knows: presence.Rules}
		if err := l.Append(t.Context(), b.Seal()); err != nil {
			t.Fatal(err)
		}
	}
	say(1)
	if err := l.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.do(t, "DEL", l.keys.snapshot+l.saved.Load().name)
	time.Sleep(2 * time.Millisecond) // the next one is to be due
	say(2)
	if r, head, err := l.Load(t.Context(), nil); err != nil || head != 2 || r.Num() != 0 {
		t.Fatalf("a node starts from entry %d of %d, error %v", r.Num(), head, err)
	}
	if err := l.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := l.read(t.Context(), l.saved.Load()); err != nil || r.Num() != 2 {
		t.Fatalf("the next snapshot is of entry %d, error %v", r.Num(), err)
	}
}

// TestLockAgain: a node whose first try to take the lock was answered by nobody
// has it at the second; another one does not.
func TestLockAgain(t *testing.T) {
	h := newHome(t, redistest.Start(t))
	one, two := h.open(t).(*Log), h.open(t).(*Log)
	defer one.Close()
	defer two.Close()
	for range 2 {
		if mine, err := one.lock(t.Context()); !mine || err != nil {
			t.Errorf("its own lock: %v, %v", mine, err)
		}
		if mine, err := two.lock(t.Context()); mine || err != nil {
			t.Errorf("another's lock: %v, %v", mine, err)
		}
	}
}
