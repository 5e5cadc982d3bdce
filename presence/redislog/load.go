package redislog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"onair/presence"
)

// Load implements presence.Log. It returns the registry of the newest snapshot that is
// at least Options.SnapshotAge old.
func (l *Log) Load(ctx context.Context, foundingRegistry *presence.Registry) (r *presence.Registry, head uint64, err error) {
	waited := false
	r, err = retryUntilReply(ctx, l, foundingRegistry != nil, func() (*presence.Registry, error) {
		if err := l.checkServerOnce(ctx); err != nil {
			return nil, err
		}
		for {
			loaded, newest, err := l.loadSnapshotAndHead(ctx)
			if !errors.Is(err, errNoEpoch) {
				head = newest
				return loaded, err
			}
			if foundingRegistry == nil && !waited {
				waited = true
				if err := sleep(ctx, l.foundDelay); err != nil {
					return nil, err
				}
				continue
			}
			if err := l.foundEpochOrWait(ctx, foundingRegistry); err != nil {
				return nil, err
			}
		}
	})
	return r, head, err
}

// LoadExisting returns what Load returns, and a nil registry where Redis has no epoch.
// Unlike Load it founds none, and it returns an error while Redis is unreachable.
func (l *Log) LoadExisting(ctx context.Context) (rOrNil *presence.Registry, head uint64, err error) {
	if err = l.checkServerOnce(ctx); err == nil {
		rOrNil, head, err = l.loadSnapshotAndHead(ctx)
	}
	switch {
	case errors.Is(err, errNoEpoch):
		return nil, 0, nil
	case err != nil:
		return nil, 0, l.withHint(err)
	}
	return rOrNil, head, nil
}

// defaultFoundDelay is how long a node without a list waits before it founds an epoch.
// Nodes with a list should found it first; they check at least every half second.
const defaultFoundDelay = 1500 * time.Millisecond

// loadSnapshotAndHead returns the registry to start from, and the number of the newest entry.
// It returns errNoEpoch where Redis has no snapshot.
func (l *Log) loadSnapshotAndHead(ctx context.Context) (r *presence.Registry, head uint64, err error) {
	all, err := l.listSnapshots(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(all) == 0 {
		return nil, 0, errNoEpoch
	}
	l.newest.Store(all[0])
	head, now, err := l.readHead(ctx)
	if err != nil {
		return nil, 0, err
	}
	first := slices.IndexFunc(all, func(s *snapshot) bool { return s.time <= now-l.options.SnapshotAge.Milliseconds() })
	if first < 0 {
		first = len(all) - 1
	}
	slices.Reverse(all[:first+1]) // then newer ones: viewers of other nodes cannot resume after those
	r, err = l.readFirstIntactSnapshot(ctx, all)
	return r, head, err
}

// readHead returns the number and the log time of the newest entry.
func (l *Log) readHead(ctx context.Context) (number uint64, time int64, err error) {
	fields, err := l.redis.HMGet(ctx, l.keys.head, "n", "t").Result()
	if err != nil {
		return 0, 0, err
	}
	n, _ := fields[0].(string)
	t, _ := fields[1].(string)
	if number, err = strconv.ParseUint(n, 10, 64); err == nil {
		time, err = strconv.ParseInt(t, 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%w: key %s has no entry number and time: %w", errDamaged, l.keys.head, err)
	}
	return number, time, nil
}
