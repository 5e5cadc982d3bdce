package redislog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"onair/presence"
)

const (
	// writeAtOnce is how many recordings one script writes or removes: about a
	// millisecond of Redis's time, which all appends wait for. So is a page of a
	// thousand.
	writeAtOnce = 100
	// lookAtOnce is how many members of an index one script looks at that must be
	// in another one too.
	lookAtOnce = 2000
	// archiveTurns is how many calls of the archive are under way at once, so that
	// connections are left for the list, however many people look at recordings.
	archiveTurns = connections / 2
)

var (
	// errClosed is returned by the archive after Close.
	errClosed = errors.New("redislog: the archive is closed")
	// errIndex is returned when an index has a recording that is not there: somebody
	// else has removed it.
	errIndex = errors.New("redislog: an index names a recording that is missing")
)

var _ presence.Archive = (*Log)(nil)

// Keep implements presence.Archive. Each recording is written whole, with its
// indexes, and so are up to a hundred that are given together; of more, some may be
// kept when there is an error.
//
// In Redis's memory a recording takes, beside the bytes that Encode gives, about 100
// in the hash and 120 in each of four indexes: 900 in all where it is 280 long
// itself. In the index of an anchor or a code that has up to 128 it takes 36.
func (l *Log) Keep(ctx context.Context, recordings []presence.Recording) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	for some := range slices.Chunk(newest(recordings), writeAtOnce) {
		if err := l.keepSome(ctx, some); err != nil {
			return l.failed(ctx, err)
		}
	}
	return nil
}

// newest leaves of several recordings of one id the last.
func newest(recordings []presence.Recording) []*presence.Recording {
	at := map[string]int{}
	all := make([]*presence.Recording, 0, len(recordings))
	for i := range recordings {
		rec := &recordings[i]
		if n, again := at[rec.ID]; again {
			all[n] = rec
			continue
		}
		at[rec.ID] = len(all)
		all = append(all, rec)
	}
	return all
}

// keepSome writes recordings, of one id each, unless others do at the same time:
// then it looks again.
func (l *Log) keepSome(ctx context.Context, recordings []*presence.Recording) error {
	ids := make([]string, len(recordings))
	for i, rec := range recordings {
		ids[i] = rec.ID
	}
	for {
		was, err := l.stored(ctx, ids)
		if err != nil {
			return err
		}
		x := l.newExchange()
		for i, rec := range recordings {
			if err := x.put(was[i], rec); err != nil {
				return err
			}
		}
		if done, err := x.do(ctx); done || err != nil {
			return err
		}
	}
}

// stored reads what is kept of ids, empty: nothing.
func (l *Log) stored(ctx context.Context, ids []string) ([]string, error) {
	fields, err := l.redis.HMGet(ctx, l.keys.recordings, ids...).Result()
	if err != nil {
		return nil, err
	}
	values := make([]string, len(ids))
	for i, field := range fields {
		values[i], _ = field.(string)
	}
	return values, nil
}

// Recording implements presence.Archive.
func (l *Log) Recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	if err := l.enter(ctx); err != nil {
		return rec, false, err
	}
	defer l.leave()
	values, err := l.stored(ctx, []string{id})
	if err == nil && values[0] == "" {
		return rec, false, nil
	}
	if err == nil {
		rec, err = presence.DecodeRecording([]byte(values[0]))
	}
	if err != nil {
		return presence.Recording{}, false, l.failed(ctx, err)
	}
	return rec, true, nil
}

// Recordings implements presence.Archive. Where both anchor and code are named it
// goes through those of one of them, whichever has fewer.
func (l *Log) Recordings(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	start, err := q.Start()
	if err != nil {
		return nil, "", err
	}
	if err := l.enter(ctx); err != nil {
		return nil, "", err
	}
	defer l.leave()
	upper, lower := "+", "-"
	if start != nil {
		upper = "(" + member(start.StartedAt, start.ID)
	}
	if q.From != 0 {
		lower = "[" + member(q.From, "")
	}
	found, err := l.find(ctx, &q, upper, lower)
	if err != nil {
		return nil, "", l.failed(ctx, err)
	}
	page, next = q.Page(found)
	return page, next, nil
}

// find reads what is between two bounds, and one more than a page takes.
func (l *Log) find(ctx context.Context, q *presence.RecordingQuery, upper, lower string) (found []presence.Recording, err error) {
	most, indexes := q.Most()+1, l.indexes(q)
	look := most
	if len(indexes) > 1 {
		look = lookAtOnce
	}
	for {
		values, on, err := l.look(ctx, indexes, upper, lower, most-len(found), look)
		if err != nil {
			return nil, err
		}
		for _, value := range values {
			rec, err := presence.DecodeRecording([]byte(value))
			if err != nil {
				return nil, err
			}
			found = append(found, rec)
		}
		if on == "" {
			return found, nil
		}
		upper = "(" + on
	}
}

// look runs one script: it gives what is stored of recordings that are in all of
// one or two indexes, and where it stopped looking, empty: it need not go on.
func (l *Log) look(ctx context.Context, indexes []string, upper, lower string, most, look int) (values []string, on string, err error) {
	reply, err := l.scripts.recordings.Run(ctx, l.redis, append([]string{l.keys.recordings}, indexes...), upper, lower, most, look).Slice()
	if err != nil {
		return nil, "", err
	}
	values = make([]string, len(reply))
	for i, v := range reply {
		var ok bool
		if values[i], ok = v.(string); !ok {
			return nil, "", errIndex
		}
	}
	return values[1:], values[0], nil
}

// indexes are those that what is asked for is in.
func (l *Log) indexes(q *presence.RecordingQuery) (keys []string) {
	if q.Anchor != "" {
		keys = append(keys, l.keys.byAnchor+q.Anchor)
	}
	if q.Code != "" {
		keys = append(keys, l.keys.byCode+q.Code)
	}
	if len(keys) == 0 {
		keys = append(keys, l.keys.byStart)
	}
	return keys
}

// Discard implements presence.Archive.
func (l *Log) Discard(ctx context.Context, before int64, limit int) (n int, err error) {
	if err := l.enter(ctx); err != nil {
		return 0, err
	}
	defer l.leave()
	for n < limit {
		asked := min(limit-n, writeAtOnce)
		gone, more, err := l.discardSome(ctx, before, asked)
		if err != nil {
			return n, l.failed(ctx, err)
		}
		if n += gone; !more {
			break
		}
	}
	return n, nil
}

// discardSome removes as many as that, unless others change them at the same time:
// then none. more says whether there may be others.
func (l *Log) discardSome(ctx context.Context, before int64, limit int) (n int, more bool, err error) {
	if before == math.MinInt64 { // nothing is
		return 0, false, nil
	}
	values, _, err := l.look(ctx, []string{l.keys.byEnd}, "+", "["+member(^(before-1), ""), limit, limit)
	if err != nil {
		return 0, false, err
	}
	x := l.newExchange()
	for _, was := range values {
		if err := x.put(was, nil); err != nil {
			return 0, false, err
		}
	}
	done, err := x.do(ctx)
	if err != nil || !done {
		return 0, true, err
	}
	return len(values), len(values) == limit, nil
}

// enter waits for a turn, and leave gives it back.
func (l *Log) enter(ctx context.Context) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	select {
	case l.turns <- struct{}{}:
		return nil
	case <-l.ctx.Done():
	case <-ctx.Done():
	}
	return l.usable(ctx)
}

func (l *Log) leave() { <-l.turns }

// usable reports, by an error, that the archive is closed or ctx has ended.
func (l *Log) usable(ctx context.Context) error {
	if l.ctx.Err() != nil {
		return errClosed
	}
	return ctx.Err()
}

// failed says of an error whose it is. A connection keeps to ctx's deadline too,
// and may be done with it a moment before ctx is.
func (l *Log) failed(ctx context.Context, err error) error {
	if gone := l.usable(ctx); gone != nil {
		return gone
	}
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return fmt.Errorf("redislog: archive: %w", err)
}
