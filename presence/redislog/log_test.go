package redislog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/presence/presencetest"
	"onair/presence/redislog/redistest"
)

// emptyBatch returns a batch without commands.
func emptyBatch(seq uint64) presence.SealedBatch {
	b := presence.Batch{Node: "a", Incarnation: 1, Process: 1, Seq: seq, MaxRules: presence.LatestRules}
	return b.Seal()
}

func mustAppend(t *testing.T, l *Log, b presence.SealedBatch) {
	t.Helper()
	if err := l.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// mustLoad loads the log of a node without a list.
func mustLoad(t *testing.T, l *Log) *presence.Registry {
	t.Helper()
	r, _, err := l.Load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// openLog opens a log that founds an epoch at once, and closes it when the test ends.
func openLog(t *testing.T, o Options) *Log {
	t.Helper()
	l := Open(o)
	l.foundDelay = 0
	t.Cleanup(func() { l.Close() })
	return l
}

// testBackend has the log of one prefix, on a Redis that tests share.
type testBackend struct {
	redis  *redistest.Server
	prefix string
}

func newTestBackend(t *testing.T, s *redistest.Server) *testBackend {
	t.Helper()
	return &testBackend{s, strings.NewReplacer("/", "-", ",", "").Replace(t.Name())}
}

// open opens the log. A snapshot is due at once.
func (b *testBackend) open(t *testing.T) presence.Log { return b.openLog(t) }

func (b *testBackend) openLog(t *testing.T) *Log {
	t.Helper()
	return openLog(t, Options{
		Client: NewClient(ClientOptions{Addrs: []string{b.redis.Addr()}}), Prefix: b.prefix,
		SnapshotEvery: time.Millisecond, SnapshotAge: time.Millisecond, Logger: zerolog.Nop(),
	})
}

// do runs a command of Redis.
func (b *testBackend) do(t *testing.T, args ...any) any {
	t.Helper()
	v, err := b.redis.Client().Do(context.Background(), args...).Result()
	if err != nil {
		t.Errorf("%v: %v", args, err)
	}
	return v
}

// trim writes three snapshots. The second one is old enough to trim the log.
func (b *testBackend) trim(t *testing.T, log presence.Log) presence.Log {
	t.Helper()
	l := log.(*Log)
	for seq := range uint64(2) {
		if err := l.writeDueSnapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		for before := time.Now().UnixMilli(); time.Now().UnixMilli() == before; {
			continue // the next entry needs another time
		}
		batch := presence.Batch{Node: "trim", Incarnation: 1, Process: 1, Seq: seq + 1, MaxRules: presence.LatestRules}
		mustAppend(t, l, batch.Seal())
	}
	if err := l.writeDueSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.do(t, "XLEN", l.keys.log).(int64); n > 3 {
		t.Errorf("%d entries are left", n)
	}
	if n := b.do(t, "LLEN", l.keys.snapshots).(int64); n != 2 {
		t.Errorf("%d snapshots are left", n)
	}
	return log
}

// loseTail removes the newest n entries and all traces of them. Redis then has another
// replication id, as after a failover.
func (b *testBackend) loseTail(t *testing.T, n int) {
	t.Helper()
	k := newKeys(b.prefix)
	all, err := b.redis.Client().XRange(t.Context(), k.log, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	left := all[:len(all)-n]
	last := left[len(left)-1]
	if _, err := b.redis.Client().TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Del(t.Context(), k.log, k.nodes)
		for _, m := range left {
			p.XAdd(t.Context(), &redis.XAddArgs{Stream: k.log, ID: m.ID, Values: m.Values})
		}
		p.HSet(t.Context(), k.head, "n", last.Values["n"], "t", last.Values["t"])
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.do(t, "REPLICAOF", "127.0.0.1", "1")
	b.do(t, "REPLICAOF", "NO", "ONE")
}

func (b *testBackend) breakConnections(t *testing.T) {
	t.Helper()
	b.do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
}

func (b *testBackend) loseAll(t *testing.T) {
	t.Helper()
	k := newKeys(b.prefix)
	names, err := b.redis.Client().Keys(t.Context(), k.snapshotPrefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, k.log, k.head, k.nodes, k.snapshots, k.lock) {
		b.do(t, "DEL", name)
	}
}

func TestLog(t *testing.T) {
	s := redistest.Start(t)
	presencetest.RunLogSuite(t, func(t *testing.T) presencetest.Backend {
		b := newTestBackend(t, s)
		return presencetest.Backend{Open: b.open, Reopen: b.open, Trim: b.trim}
	})
	presencetest.RunSharedLogSuite(t, func(t *testing.T) presencetest.SharedBackend {
		b := newTestBackend(t, s)
		return presencetest.SharedBackend{
			Backend:          presencetest.Backend{Open: b.open, Reopen: b.open, Trim: b.trim},
			BreakConnections: b.breakConnections, LoseTail: b.loseTail, LoseAll: b.loseAll,
		}
	})
}

// TestNotWritten: Append returns ErrNotWritten when Redis has certainly not run the
// script, and another error when it may run it.
func TestNotWritten(t *testing.T) {
	s := redistest.Start(t)
	b := newTestBackend(t, s)
	l := b.openLog(t)
	mustLoad(t, l)
	seq := uint64(0)
	expect := func(situation string, written bool) {
		t.Helper()
		seq++
		switch err := l.Append(t.Context(), emptyBatch(seq)); {
		case err == nil && !written:
			t.Errorf("%s: it was written", situation)
		case written && err != nil || !written && !errors.Is(err, presence.ErrNotWritten):
			t.Errorf("%s: %v", situation, err)
		}
	}
	expect("at first", true)
	b.do(t, "CONFIG", "SET", "maxmemory", "1")
	expect("out of memory", false)
	b.do(t, "CONFIG", "SET", "maxmemory", "0")
	expect("with memory again", true)
	b.do(t, "REPLICAOF", "127.0.0.1", "1")
	expect("on a read-only replica", false)
	b.do(t, "REPLICAOF", "NO", "ONE")
	expect("on a primary again", true)
	b.do(t, "CONFIG", "SET", "requirepass", "secret")
	b.breakConnections(t)
	expect("without a password", false)
	s.Stop()
	expect("connection refused", false)
	s.Restart()
	s.Pause()
	if err := l.Append(t.Context(), emptyBatch(seq+1)); err == nil || errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("without a reply: %v", err)
	}
	s.Resume()
}

// TestDamagedSnapshotIsSkipped: with a damaged snapshot nodes start from another one,
// and the leader writes the next one.
func TestDamagedSnapshotIsSkipped(t *testing.T) {
	b := newTestBackend(t, redistest.Start(t))
	l := b.openLog(t)
	mustLoad(t, l)
	mustAppend(t, l, emptyBatch(1))
	if err := l.writeDueSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.do(t, "DEL", l.keys.snapshotPrefix+l.newest.Load().name)
	time.Sleep(2 * time.Millisecond) // until the next one is due
	mustAppend(t, l, emptyBatch(2))
	if r, head, err := l.Load(t.Context(), nil); err != nil || head != 2 || r.LastNum() != 0 {
		t.Fatalf("a node starts from entry %d of %d, error %v", r.LastNum(), head, err)
	}
	if err := l.writeDueSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := l.readSnapshot(t.Context(), l.newest.Load()); err != nil || r.LastNum() != 2 {
		t.Fatalf("the next snapshot is of entry %d, error %v", r.LastNum(), err)
	}
}

// TestLockIsReentrant: a process that has the lock acquires it again, as after a lost
// reply. Another process does not.
func TestLockIsReentrant(t *testing.T) {
	b := newTestBackend(t, redistest.Start(t))
	owner, other := b.openLog(t), b.openLog(t)
	for range 2 {
		if acquired, err := owner.acquireFoundingLock(t.Context()); !acquired || err != nil {
			t.Errorf("the owner: %v, %v", acquired, err)
		}
		if acquired, err := other.acquireFoundingLock(t.Context()); acquired || err != nil {
			t.Errorf("the other: %v, %v", acquired, err)
		}
	}
}
