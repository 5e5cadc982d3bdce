package redislog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"onair/presence"
)

// snapshot is what is known of one: its text is an element of the list of
// snapshots.
type snapshot struct {
	name   string // of its chunks
	id     presence.ID
	num    uint64 // of its last entry
	time   int64  // log time of that
	chunks int
	bytes  int
	sum    uint64 // of all chunks
}

func (s *snapshot) String() string {
	return fmt.Sprintf("%s %s %d %d %d %d %x", s.name, idText(s.id), s.num, s.time, s.chunks, s.bytes, s.sum)
}

// errDamaged is returned when a snapshot is not what was written, or is there in
// parts alone.
var errDamaged = errors.New("redislog: damaged snapshot")

func parseSnapshot(text string) (*snapshot, error) {
	s := &snapshot{}
	var id string
	_, err := fmt.Sscanf(text, "%s %s %d %d %d %d %x", &s.name, &id, &s.num, &s.time, &s.chunks, &s.bytes, &s.sum)
	if err == nil {
		s.id, err = parseID(id)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %q", errDamaged, text)
	}
	return s, nil
}

const (
	// chunkBytes is about how long a chunk is: Redis takes and gives one in well
	// under a millisecond.
	chunkBytes = 256 << 10
	// abandonedAfter is how long the chunks stay of a snapshot that was not
	// committed.
	abandonedAfter = 10 * time.Minute
	// droppedAfter is how long they stay of one that nobody is to start from any
	// more, for those who are at it.
	droppedAfter = time.Minute
)

// write stores a registry's records, in chunks, under a name of their own. They
// do not count before the snapshot is committed. The registry must not change
// meanwhile.
func (l *Log) write(ctx context.Context, r *presence.Registry) (*snapshot, error) {
	last := r.Last()
	s := &snapshot{name: rand.Text(), id: last.ID, num: last.Num, time: last.Time}
	sum, key := xxhash.New(), l.keys.snapshot+s.name
	var chunk []byte
	flush := func() error {
		if err := l.redis.HSet(ctx, key, s.chunks, chunk).Err(); err != nil {
			return err
		}
		if err := l.redis.Expire(ctx, key, abandonedAfter).Err(); err != nil {
			return err
		}
		_, _ = sum.Write(chunk)
		s.chunks, s.bytes, chunk = s.chunks+1, s.bytes+len(chunk), chunk[:0]
		return nil
	}
	for rec := range r.Records() {
		if chunk = rec.Append(chunk); len(chunk) >= chunkBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	s.sum = sum.Sum64()
	return s, nil
}

// read puts a snapshot's registry together. It returns errDamaged where that
// cannot be done, as when the snapshot was dropped meanwhile.
func (l *Log) read(ctx context.Context, s *snapshot) (*presence.Registry, error) {
	var failed error
	r, err := presence.LoadRegistry(l.records(ctx, s, &failed))
	switch {
	case failed != nil:
		return nil, failed
	case errors.Is(err, presence.ErrMalformed):
		return nil, errors.Join(errDamaged, err)
	case err != nil:
		return nil, err
	case r.Num() != s.num:
		return nil, fmt.Errorf("%w: it stands at entry %d, not at %d", errDamaged, r.Num(), s.num)
	}
	return r, nil
}

// readFirst reads the first of several snapshots that is not damaged: one that is
// must not keep nodes from starting, nor the log from being trimmed.
func (l *Log) readFirst(ctx context.Context, all []*snapshot) (r *presence.Registry, err error) {
	for _, s := range all {
		if r, err = l.read(ctx, s); !errors.Is(err, errDamaged) {
			break
		}
		l.logger.Error().Err(err).Uint64("entry", s.num).Msg("redis: a snapshot cannot be read, trying another one")
	}
	return r, err
}

// records yields those of a snapshot, chunk by chunk.
func (l *Log) records(ctx context.Context, s *snapshot, failed *error) iter.Seq2[presence.Record, error] {
	return func(yield func(presence.Record, error) bool) {
		fail := func(err error) {
			*failed = err
			yield(presence.Record{}, err)
		}
		sum := xxhash.New()
		for i := range s.chunks {
			fields, err := l.redis.HMGet(ctx, l.keys.snapshot+s.name, strconv.Itoa(i)).Result()
			if err != nil {
				fail(err)
				return
			}
			chunk, ok := fields[0].(string)
			if !ok {
				fail(fmt.Errorf("%w: chunk %d of %d is not there", errDamaged, i, s.chunks))
				return
			}
			_, _ = sum.WriteString(chunk)
			for rec, err := range presence.DecodeRecords([]byte(chunk)) {
				if !yield(rec, err) || err != nil {
					return
				}
			}
		}
		if sum.Sum64() != s.sum {
			fail(fmt.Errorf("%w: its sum is another one", errDamaged))
		}
	}
}

// snapshots are those that count, newest first; none where there is no history.
func (l *Log) snapshots(ctx context.Context) ([]*snapshot, error) {
	texts, err := l.redis.LRange(ctx, l.keys.snapshots, 0, -1).Result()
	if err != nil {
		return nil, err
	}
	all := make([]*snapshot, len(texts))
	for i, text := range texts {
		if all[i], err = parseSnapshot(text); err != nil {
			return nil, err
		}
	}
	return all, nil
}
