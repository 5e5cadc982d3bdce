package redislog

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

const (
	// lockTTL is how long the lock lasts without a renewal. All nodes wait while one
	// writes its list.
	lockTTL = 10 * time.Second
	// lockPollInterval is how often the others check for the epoch.
	lockPollInterval = 100 * time.Millisecond
)

// foundEpochOrWait founds an epoch with a list; nil means an empty one. It also returns nil
// when another node has founded one, or has the lock to do so.
func (l *Log) foundEpochOrWait(ctx context.Context, have *presence.Registry) error {
	acquired, err := l.acquireFoundingLock(ctx)
	if err != nil {
		return err
	}
	if !acquired {
		return sleep(ctx, lockPollInterval)
	}
	defer l.redis.Del(context.WithoutCancel(ctx), l.keys.lock)
	start := time.Now()
	if have == nil {
		have = presence.NewRegistry()
	}
	s, err := l.writeSnapshotRenewingLock(ctx, have)
	if err != nil {
		return err
	}
	founded, err := l.scripts.foundEpoch.Run(ctx, l.redis,
		[]string{l.keys.log, l.keys.head, l.keys.snapshots, l.keys.snapshotPrefix + s.name, l.keys.nodes},
		s.String(), formatID(s.id), s.number, s.time, have.LastEntry().Epoch).Bool()
	if err != nil || !founded {
		return err
	}
	l.metrics.epochsFounded.Inc()
	l.options.Logger.Warn().Uint64("entry", s.number).Int("streams", have.Len()).Int("bytes", s.bytes).Dur("took_ms", time.Since(start)).
		Msg("redis was empty, epoch founded with the list of this node")
	return nil
}

// writeSnapshotRenewingLock writes a snapshot, and renews the lock meanwhile.
func (l *Log) writeSnapshotRenewingLock(ctx context.Context, r *presence.Registry) (*snapshot, error) {
	renewing, stop := context.WithCancel(ctx)
	var renewer sync.WaitGroup
	renewer.Go(func() { l.renewFoundingLock(renewing) })
	defer renewer.Wait()
	defer stop()
	return l.writeUncommittedSnapshot(ctx, r)
}

// acquireFoundingLock reports whether this process has the lock. It may have it from an
// earlier attempt whose reply was lost.
func (l *Log) acquireFoundingLock(ctx context.Context) (isAcquired bool, err error) {
	if isAcquired, err = l.redis.SetNX(ctx, l.keys.lock, l.lockToken, lockTTL).Result(); isAcquired || err != nil {
		return isAcquired, err
	}
	owner, err := l.redis.Get(ctx, l.keys.lock).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return owner == l.lockToken, err
}

// renewFoundingLock renews the lock until ctx ends.
func (l *Log) renewFoundingLock(ctx context.Context) {
	for sleep(ctx, lockTTL/3) == nil {
		if err := l.redis.Expire(ctx, l.keys.lock, lockTTL).Err(); err != nil {
			return // then another node may get the lock; only one epoch is founded
		}
	}
}
