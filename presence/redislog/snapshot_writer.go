package redislog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

// snapshotCheckInterval is how often a node checks whether a snapshot is due.
const snapshotCheckInterval = time.Second

// lastSeqRetention is how long Redis stores the Seq of a node's newest batch.
// No node retries an append after that.
const lastSeqRetention = 24 * time.Hour

// runSnapshotWriter writes due snapshots while this node is the leader.
func (l *Log) runSnapshotWriter() {
	ctx := l.shutdown.ctx
	for sleep(ctx, snapshotCheckInterval) == nil {
		if !l.isSnapshotDue() {
			continue
		}
		if err := l.writeDueSnapshot(ctx); err != nil && ctx.Err() == nil {
			l.metrics.snapshots.WithLabelValues("failed").Inc()
			l.options.Logger.Warn().Err(err).Msg("snapshot write failed, will retry")
			_ = sleep(ctx, 10*snapshotCheckInterval)
		}
	}
}

// isSnapshotDue decides from what this node knows, without Redis.
func (l *Log) isSnapshotDue() bool {
	applied, newest := l.applied.Load(), l.newest.Load()
	if !applied.isLeader || newest == nil {
		return applied.isLeader
	}
	age := applied.time - newest.time
	return applied.number != newest.number && (age < 0 || age >= l.options.SnapshotEvery.Milliseconds())
}

// writeDueSnapshot writes a snapshot, unless another node has just written one. It
// builds the registry from the last snapshot and the later entries, separate from the
// node's own registry. So it blocks nothing, and nodes can surely load what it writes.
func (l *Log) writeDueSnapshot(ctx context.Context) error {
	start := time.Now()
	all, err := l.listSnapshots(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errNoEpoch
	}
	l.newest.Store(all[0])
	head, now, err := l.readHead(ctx)
	if err != nil {
		return err
	}
	if age := now - all[0].time; head <= all[0].number || age >= 0 && age < l.options.SnapshotEvery.Milliseconds() {
		return nil // the previous leader has written it
	}
	r, err := l.readFirstIntactSnapshot(ctx, all)
	if err != nil {
		return err
	}
	if err := l.applyEntries(ctx, r, head); err != nil {
		return err
	}
	s, err := l.writeUncommittedSnapshot(ctx, r)
	if err != nil {
		return err
	}
	if err := l.commitSnapshotAndTrim(ctx, s, r.LastEntry().Epoch); err != nil {
		return err
	}
	l.newest.Store(s)
	l.metrics.snapshots.WithLabelValues("ok").Inc()
	l.metrics.snapshotSeconds.Observe(time.Since(start).Seconds())
	l.options.Logger.Info().Uint64("entry", s.number).Int("streams", r.Len()).Int("bytes", s.bytes).Dur("took_ms", time.Since(start)).
		Msg("snapshot written")
	return nil
}

// applyEntries applies the entries after the registry's last one, up to a number.
func (l *Log) applyEntries(ctx context.Context, r *presence.Registry, upTo uint64) error {
	for e, err := range l.Tail(ctx, r.LastEntry()) {
		if err != nil {
			return err
		}
		if _, err = r.Apply(e); err != nil {
			return err
		}
		if r.LastNum() >= upTo {
			return nil
		}
	}
	return ctx.Err()
}

// errSuperseded is returned when the log has lost a snapshot's entry, or has a
// snapshot that is as new.
var errSuperseded = errors.New("redislog: the log has lost the snapshot's entry, or has a newer snapshot")

// commitSnapshotAndTrim makes a written snapshot visible, and trims the log.
func (l *Log) commitSnapshotAndTrim(ctx context.Context, s *snapshot, epoch string) error {
	dropped, err := l.scripts.commitSnapshot.Run(ctx, l.redis,
		[]string{l.keys.log, l.keys.snapshots, l.keys.snapshotPrefix + s.name, l.keys.nodes},
		s.String(), formatID(s.id), s.number, s.time, epoch, l.options.SnapshotAge.Milliseconds(), lastSeqRetention.Milliseconds()).StringSlice()
	if errors.Is(err, redis.Nil) {
		return errSuperseded
	}
	if err != nil {
		return fmt.Errorf("redislog: commit snapshot: %w", err)
	}
	for _, text := range dropped {
		if old, err := parseSnapshot(text); err == nil {
			l.redis.Expire(ctx, l.keys.snapshotPrefix+old.name, droppedTTL)
		}
	}
	return nil
}
