package redislog

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

// Load implements presence.Log. The registry is that of the newest snapshot that
// is old enough for the node's viewers: see Options.SnapshotAge.
func (l *Log) Load(ctx context.Context, have *presence.Registry) (*presence.Registry, uint64, error) {
	type loaded struct {
		reg  *presence.Registry
		head uint64
	}
	waited := false
	got, err := await(ctx, l, func() (loaded, error) {
		if err := l.inspect(ctx); err != nil {
			return loaded{}, err
		}
		for {
			reg, head, err := l.load(ctx)
			if !errors.Is(err, errUnfounded) {
				return loaded{reg, head}, asWait(err, have != nil)
			}
			if have == nil && !waited {
				// Whoever has the list goes first.
				waited = true
				if err := sleep(ctx, l.yields); err != nil {
					return loaded{}, err
				}
				continue
			}
			if err := l.found(ctx, have); err != nil {
				return loaded{}, asWait(err, have != nil)
			}
		}
	})
	return got.reg, got.head, err
}

// yieldFor is how long a node that has no list leaves it to others to begin the
// history with theirs: they look at least every half second.
const yieldFor = 1500 * time.Millisecond

// load reads the snapshot to start from, and the number of the newest entry.
func (l *Log) load(ctx context.Context) (*presence.Registry, uint64, error) {
	all, err := l.snapshots(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(all) == 0 {
		return nil, 0, errUnfounded
	}
	l.saved.Store(all[0])
	head, now, err := l.head(ctx)
	if err != nil {
		return nil, 0, err
	}
	old := slices.IndexFunc(all, func(s *snapshot) bool { return s.time <= now-l.options.SnapshotAge.Milliseconds() })
	if old < 0 {
		old = len(all) - 1
	}
	// A newer one will do, though viewers from elsewhere begin anew.
	slices.Reverse(all[:old+1])
	r, err := l.readFirst(ctx, all)
	return r, head, err
}

// head is the number and the log time of the newest entry.
func (l *Log) head(ctx context.Context) (num uint64, time int64, err error) {
	fields, err := l.redis.HMGet(ctx, l.keys.head, "n", "t").Result()
	if err != nil {
		return 0, 0, err
	}
	n, _ := fields[0].(string)
	t, _ := fields[1].(string)
	if num, err = strconv.ParseUint(n, 10, 64); err != nil {
		return 0, 0, err
	}
	time, err = strconv.ParseInt(t, 10, 64)
	return num, time, err
}

const (
	// lockFor is how long a node may take to write its list, while all wait. It
	// says again that it is at it.
	lockFor = 10 * time.Second
	// lookAgain is how often the others look whether it is done.
	lookAgain = 100 * time.Millisecond
)

// found begins a history with a list, nil for an empty one. It returns without
// an error when there is one, be it this or another node's, or soon may be.
func (l *Log) found(ctx context.Context, have *presence.Registry) error {
	mine, err := l.lock(ctx)
	if err != nil {
		return err
	}
	if !mine {
		return sleep(ctx, lookAgain)
	}
	defer l.redis.Del(context.WithoutCancel(ctx), l.keys.lock)
	began := time.Now()
	if have == nil {
		have = presence.NewRegistry()
	}
	writing, done := context.WithCancel(ctx)
	var holding sync.WaitGroup
	holding.Go(func() { l.hold(writing) })
	s, err := l.write(ctx, have)
	done()
	holding.Wait()
	if err != nil {
		return err
	}
	last := have.Last()
	ok, err := l.scripts.found.Run(ctx, l.redis,
		[]string{l.keys.log, l.keys.head, l.keys.snapshots, l.keys.snapshot + s.name, l.keys.nodes},
		s.String(), idText(s.id), s.num, s.time, last.Repl).Bool()
	if err != nil || !ok {
		return err
	}
	l.metrics.founded.Inc()
	l.logger.Warn().Uint64("entry", s.num).Int("streams", have.Len()).Int("bytes", s.bytes).Dur("took_ms", time.Since(began)).
		Msg("redis was empty: this node has written its list")
	return nil
}

// lock takes the lock, and reports whether this node has it. It may have it
// already: the answer to the first try may be lost.
func (l *Log) lock(ctx context.Context) (mine bool, err error) {
	if mine, err = l.redis.SetNX(ctx, l.keys.lock, l.token, lockFor).Result(); mine || err != nil {
		return mine, err
	}
	holder, err := l.redis.Get(ctx, l.keys.lock).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return holder == l.token, err
}

// hold keeps the lock until ctx ends.
func (l *Log) hold(ctx context.Context) {
	for sleep(ctx, lockFor/3) == nil {
		if err := l.redis.Expire(ctx, l.keys.lock, lockFor).Err(); err != nil {
			return // the others will try, and one of us be first
		}
	}
}
