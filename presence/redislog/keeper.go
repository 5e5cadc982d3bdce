package redislog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

// keepEvery is how often a node looks whether a snapshot is due.
const keepEvery = time.Second

// forgetAfter is how long what a node appended last is remembered when it says
// nothing more: nobody tries an append again after that.
const forgetAfter = 24 * time.Hour

// keep writes the snapshots that are due, as long as this node is the keeper.
func (l *Log) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
		}
		at, saved := l.applied.Load(), l.saved.Load()
		if !at.keeper || saved != nil && at.num == saved.num {
			continue
		}
		if saved != nil && at.time-saved.time < l.options.SnapshotEvery.Milliseconds() && at.time >= saved.time {
			continue
		}
		if err := l.save(l.ctx); err != nil && l.ctx.Err() == nil {
			l.metrics.snapshots.WithLabelValues("failed").Inc()
			l.logger.Warn().Err(err).Msg("redis: no snapshot was written, trying again")
			_ = sleep(l.ctx, 10*keepEvery)
		}
	}
}

// save writes a snapshot. It is made from the last one and the entries since,
// apart from the registry that the node works with: so nothing waits for it,
// however long the list is, and it is sure that a node can start from what it was
// made of.
func (l *Log) save(ctx context.Context) error {
	began := time.Now()
	all, err := l.snapshots(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errUnfounded
	}
	l.saved.Store(all[0])
	head, now, err := l.head(ctx)
	if err != nil {
		return err
	}
	if d := now - all[0].time; head <= all[0].num || d >= 0 && d < l.options.SnapshotEvery.Milliseconds() {
		return nil // another node was the keeper just now
	}
	r, err := l.readFirst(ctx, all)
	if err != nil {
		return err
	}
	if err := l.follow(ctx, r, head); err != nil {
		return err
	}
	s, err := l.write(ctx, r)
	if err != nil {
		return err
	}
	if err := l.commit(ctx, s, r.Last().Repl); err != nil {
		return err
	}
	l.saved.Store(s)
	l.metrics.snapshots.WithLabelValues("ok").Inc()
	l.metrics.snapshotTook.Observe(time.Since(began).Seconds())
	l.logger.Info().Uint64("entry", s.num).Int("streams", r.Len()).Int("bytes", s.bytes).Dur("took_ms", time.Since(began)).
		Msg("redis: snapshot written")
	return nil
}

// follow applies the entries up to a number.
func (l *Log) follow(ctx context.Context, r *presence.Registry, head uint64) error {
	for e, err := range l.Tail(ctx, r.Last()) {
		if err != nil {
			return err
		}
		if _, err = r.Apply(e); err != nil {
			return err
		}
		if r.Num() >= head {
			return nil
		}
	}
	return ctx.Err()
}

// errOvertaken is returned when a snapshot is not one of this log any more, or
// there is one that is as new.
var errOvertaken = errors.New("redislog: the log has lost the snapshot's entry, or there is a newer snapshot")

// commit makes a snapshot count, and has the log trimmed.
func (l *Log) commit(ctx context.Context, s *snapshot, repl string) error {
	dropped, err := l.scripts.commit.Run(ctx, l.redis,
		[]string{l.keys.log, l.keys.snapshots, l.keys.snapshot + s.name, l.keys.nodes},
		s.String(), idText(s.id), s.num, s.time, repl, l.options.SnapshotAge.Milliseconds(), forgetAfter.Milliseconds()).StringSlice()
	if errors.Is(err, redis.Nil) {
		return errOvertaken
	}
	if err != nil {
		return fmt.Errorf("redislog: commit: %w", err)
	}
	for _, text := range dropped {
		if old, err := parseSnapshot(text); err == nil {
			l.redis.Expire(ctx, l.keys.snapshot+old.name, droppedAfter)
		}
	}
	return nil
}
