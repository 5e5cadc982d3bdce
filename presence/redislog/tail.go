package redislog

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

const (
	// blockTimeout is how long a read waits for an entry. Without one, the reader
	// verifies the last entry again. So this bounds how long a loss is undetected
	// where no new entry reveals it.
	blockTimeout = 500 * time.Millisecond
	// blockGrace is how much later than blockTimeout the reply may come.
	blockGrace = time.Second
	// maxEntriesPerRead bounds one read.
	maxEntriesPerRead = 128
)

// tailReader is the state of one Tail.
type tailReader struct {
	*Log
	last       presence.Entry // the last yielded entry, without its batch
	mustVerify bool           // whether the log may have lost that entry
	readAt     time.Time      // end of the last read
}

// Tail implements presence.Log.
func (l *Log) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		r := &tailReader{Log: l, last: after, mustVerify: true}
		for wait := 20 * time.Millisecond; ctx.Err() == nil; {
			entries, err := r.readNextEntries(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, presence.ErrForked), errors.Is(err, presence.ErrTrimmed), errors.Is(err, errForeignEntry):
				yield(presence.Entry{}, err)
				return
			case err != nil:
				l.outage.recordError(err)
				r.mustVerify = true
				_ = sleep(ctx, wait)
				wait = min(2*wait, time.Second)
				continue
			}
			l.outage.end()
			wait = 20 * time.Millisecond
			for _, e := range entries {
				r.last = e
				r.last.Batch = nil
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// errForeignEntry is returned when another application writes to the stream.
var errForeignEntry = errors.New("redislog: the stream has entries of another application")

// readNextEntries returns the next entries, or none after blockTimeout.
func (r *tailReader) readNextEntries(ctx context.Context) ([]presence.Entry, error) {
	if err := sleep(ctx, time.Duration(r.readPause.Load())-time.Since(r.readAt)); err != nil {
		return nil, err
	}
	entries, err := r.readEntriesAfter(ctx, r.last.ID)
	r.readAt = time.Now()
	if err != nil {
		return nil, err
	}
	// The entries of one reply are in one log. So only the first one must be checked
	// against the last one that was yielded.
	r.mustVerify = r.mustVerify || len(entries) == 0 || entries[0].Num != r.last.Num+1 || entries[0].Epoch != r.last.Epoch
	if r.mustVerify {
		if err := r.verifyLastEntry(ctx); err != nil {
			return nil, err
		}
		r.mustVerify = false
	}
	number := r.last.Num
	for _, e := range entries {
		if number++; e.Num != number {
			return nil, presence.ErrForked
		}
		if len(e.Batch) == 0 { // an epoch was founded with it: only the snapshot has what it did
			return nil, presence.ErrTrimmed
		}
	}
	return entries, nil
}

// readEntriesAfter waits up to blockTimeout for entries after an id.
func (l *Log) readEntriesAfter(ctx context.Context, id presence.ID) ([]presence.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, blockTimeout+blockGrace)
	defer cancel()
	streams, err := l.redis.XRead(ctx, &redis.XReadArgs{
		Streams: []string{l.keys.log, formatID(id)}, Count: maxEntriesPerRead, Block: blockTimeout,
	}).Result()
	if errors.Is(err, redis.Nil) || err == nil && len(streams) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries := make([]presence.Entry, 0, len(streams[0].Messages))
	for _, m := range streams[0].Messages {
		e, err := parseEntry(m)
		if err != nil {
			return nil, errors.Join(errForeignEntry, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// verifyLastEntry checks that the log has the last yielded entry. It returns ErrTrimmed
// where the log begins after it, and ErrForked where the log has lost it.
func (r *tailReader) verifyLastEntry(ctx context.Context) error {
	var found, first *redis.XMessageSliceCmd
	var snapshots *redis.IntCmd
	id := formatID(r.last.ID)
	_, err := r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		snapshots = p.Exists(ctx, r.keys.snapshots)
		found = p.XRange(ctx, r.keys.log, id, id)
		first = p.XRangeN(ctx, r.keys.log, "-", "+", 1)
		return nil
	})
	if err != nil {
		return err
	}
	if snapshots.Val() == 0 {
		return presence.ErrForked
	}
	if r.last.Num != 0 && len(found.Val()) == 1 {
		e, err := parseEntry(found.Val()[0])
		if err == nil && isSameExceptBatch(e, r.last) {
			return nil
		}
		return presence.ErrForked
	}
	if len(first.Val()) == 0 {
		if r.last.Num == 0 {
			return nil // the log has no entry yet
		}
		return presence.ErrForked
	}
	e, err := parseEntry(first.Val()[0])
	switch {
	case err != nil:
		return errors.Join(errForeignEntry, err)
	case r.last.Num == 0 && e.Num == 1:
		return nil
	case e.Num > r.last.Num:
		return presence.ErrTrimmed
	}
	return presence.ErrForked
}

// sleep returns ctx's error when ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
