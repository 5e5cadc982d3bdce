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
	// blockFor is how long a read waits for an entry. When none has come the
	// last one is looked for again, so it bounds for how long a loss goes unseen
	// where nothing is appended that would show it.
	blockFor = 500 * time.Millisecond
	// answerWithin is how much longer an answer may take.
	answerWithin = time.Second
	// readMost is how many entries are read at once.
	readMost = 128
)

// reader is one tail.
type reader struct {
	*Log
	last  presence.Entry // that was yielded, without its batch
	doubt bool           // whether last is still there
	read  time.Time      // when the last read was done
}

// Tail implements presence.Log.
func (l *Log) Tail(ctx context.Context, after presence.Entry) iter.Seq2[presence.Entry, error] {
	return func(yield func(presence.Entry, error) bool) {
		r := &reader{Log: l, last: after, doubt: true}
		for wait := 20 * time.Millisecond; ctx.Err() == nil; {
			entries, err := r.next(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, presence.ErrForked), errors.Is(err, presence.ErrTrimmed), errors.Is(err, errAlien):
				yield(presence.Entry{}, err)
				return
			case err != nil:
				l.away(err)
				r.doubt = true
				select {
				case <-ctx.Done():
				case <-time.After(wait):
				}
				wait = min(2*wait, time.Second)
				continue
			}
			l.answers()
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

// errAlien is returned when the stream holds what this package has not written.
var errAlien = errors.New("redislog: the stream holds entries that are none of the log's")

// next returns what follows, which may be nothing yet.
func (r *reader) next(ctx context.Context) ([]presence.Entry, error) {
	if err := sleep(ctx, time.Duration(r.pause.Load())-time.Since(r.read)); err != nil {
		return nil, err
	}
	entries, err := r.after(ctx, r.last.ID)
	r.read = time.Now()
	if err != nil {
		return nil, err
	}
	// Entries of one reply are in one log; what must be seen is that the first
	// follows the last one that was yielded.
	r.doubt = r.doubt || len(entries) == 0 || entries[0].Num != r.last.Num+1 || entries[0].Repl != r.last.Repl
	if r.doubt {
		if err := r.verify(ctx); err != nil {
			return nil, err
		}
		r.doubt = false
	}
	num := r.last.Num
	for _, e := range entries {
		if num++; e.Num != num {
			return nil, presence.ErrForked
		}
		if len(e.Batch) == 0 { // a history was founded with it: what it did is in the snapshot alone
			return nil, presence.ErrTrimmed
		}
	}
	return entries, nil
}

// after reads what the stream has after an id, and waits a while for it.
func (l *Log) after(ctx context.Context, id presence.ID) ([]presence.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, blockFor+answerWithin)
	defer cancel()
	streams, err := l.redis.XRead(ctx, &redis.XReadArgs{
		Streams: []string{l.keys.log, idText(id)}, Count: readMost, Block: blockFor,
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
			return nil, errors.Join(errAlien, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// verify looks for the last entry that was yielded. It returns ErrTrimmed where
// the log begins after it, and ErrForked where it should be and is not.
func (r *reader) verify(ctx context.Context) error {
	var here, first *redis.XMessageSliceCmd
	var founded *redis.IntCmd
	id := idText(r.last.ID)
	_, err := r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		founded = p.Exists(ctx, r.keys.snapshots)
		here = p.XRange(ctx, r.keys.log, id, id)
		first = p.XRangeN(ctx, r.keys.log, "-", "+", 1)
		return nil
	})
	if err != nil {
		return err
	}
	if founded.Val() == 0 {
		return presence.ErrForked
	}
	if r.last.Num != 0 && len(here.Val()) == 1 {
		e, err := parseEntry(here.Val()[0])
		if err == nil && isSame(e, r.last) {
			return nil
		}
		return presence.ErrForked
	}
	if len(first.Val()) == 0 {
		if r.last.Num == 0 {
			return nil // nothing was appended yet
		}
		return presence.ErrForked
	}
	e, err := parseEntry(first.Val()[0])
	switch {
	case err != nil:
		return errors.Join(errAlien, err)
	case r.last.Num == 0 && e.Num == 1:
		return nil
	case e.Num > r.last.Num:
		return presence.ErrTrimmed
	}
	return presence.ErrForked
}

// sleep waits, unless ctx ends first.
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
