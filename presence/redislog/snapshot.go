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

// snapshot describes a snapshot. Its text is an element of the list of snapshots.
type snapshot struct {
	name     string // of the key with its chunks
	id       presence.ID
	number   uint64 // of its last entry
	time     int64  // log time of that entry
	chunks   int
	bytes    int
	checksum uint64 // of all chunks
}

// String implements [fmt.Stringer].
func (s *snapshot) String() string {
	return fmt.Sprintf("%s %s %d %d %d %d %x", s.name, formatID(s.id), s.number, s.time, s.chunks, s.bytes, s.checksum)
}

func parseSnapshot(text string) (*snapshot, error) {
	s := &snapshot{}
	var id string
	_, err := fmt.Sscanf(text, "%s %s %d %d %d %d %x", &s.name, &id, &s.number, &s.time, &s.chunks, &s.bytes, &s.checksum)
	if err == nil {
		s.id, err = parseID(id)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %q", errDamaged, text)
	}
	return s, nil
}

const (
	// chunkBytes is the approximate size of a chunk. Redis reads or writes one in
	// well under a millisecond.
	chunkBytes = 256 << 10
	// uncommittedTTL is how long Redis stores the chunks of a snapshot that was not
	// committed.
	uncommittedTTL = 10 * time.Minute
	// droppedTTL is how long Redis stores the chunks of a dropped snapshot, for nodes
	// that still read them.
	droppedTTL = time.Minute
)

// writeUncommittedSnapshot stores a registry's records in chunks, with a new name. The snapshot
// is invisible until it is committed. The registry must not change meanwhile.
func (l *Log) writeUncommittedSnapshot(ctx context.Context, r *presence.Registry) (*snapshot, error) {
	last := r.LastEntry()
	s := &snapshot{name: rand.Text(), id: last.ID, number: last.Num, time: last.Time}
	checksum, key := xxhash.New(), l.keys.snapshotPrefix+s.name
	var chunk []byte
	flush := func() error {
		if err := l.redis.HSet(ctx, key, s.chunks, chunk).Err(); err != nil {
			return err
		}
		if err := l.redis.Expire(ctx, key, uncommittedTTL).Err(); err != nil {
			return err
		}
		_, _ = checksum.Write(chunk)
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
	s.checksum = checksum.Sum64()
	return s, nil
}

// readSnapshot loads a snapshot's registry. It returns errDamaged for a damaged one,
// and for one that was dropped meanwhile.
func (l *Log) readSnapshot(ctx context.Context, s *snapshot) (*presence.Registry, error) {
	var readErr error
	r, err := presence.LoadRegistry(l.snapshotRecords(ctx, s, &readErr))
	switch {
	case readErr != nil:
		return nil, readErr
	case errors.Is(err, presence.ErrMalformed):
		return nil, errors.Join(errDamaged, err)
	case err != nil:
		return nil, err
	case r.LastNum() != s.number:
		return nil, fmt.Errorf("%w: it has entry %d, want %d", errDamaged, r.LastNum(), s.number)
	}
	return r, nil
}

// readFirstIntactSnapshot reads the first snapshot that is not damaged. So a damaged one
// prevents neither starts nor trims.
func (l *Log) readFirstIntactSnapshot(ctx context.Context, snapshots []*snapshot) (r *presence.Registry, err error) {
	for _, s := range snapshots {
		if r, err = l.readSnapshot(ctx, s); !errors.Is(err, errDamaged) {
			break
		}
		l.options.Logger.Error().Err(err).Uint64("entry", s.number).Msg("snapshot damaged, trying another one")
	}
	return r, err
}

// snapshotRecords yields a snapshot's records. It sets readErr to an error of Redis,
// or to errDamaged.
func (l *Log) snapshotRecords(ctx context.Context, s *snapshot, readErr *error) iter.Seq2[presence.Record, error] {
	return func(yield func(presence.Record, error) bool) {
		fail := func(err error) {
			*readErr = err
			yield(presence.Record{}, err)
		}
		checksum := xxhash.New()
		for i := range s.chunks {
			fields, err := l.redis.HMGet(ctx, l.keys.snapshotPrefix+s.name, strconv.Itoa(i)).Result()
			if err != nil {
				fail(err)
				return
			}
			chunk, ok := fields[0].(string)
			if !ok {
				fail(fmt.Errorf("%w: chunk %d of %d is missing", errDamaged, i, s.chunks))
				return
			}
			_, _ = checksum.WriteString(chunk)
			for rec, err := range presence.DecodeRecords([]byte(chunk)) {
				if !yield(rec, err) || err != nil {
					return
				}
			}
		}
		if checksum.Sum64() != s.checksum {
			fail(fmt.Errorf("%w: wrong checksum", errDamaged))
		}
	}
}

// listSnapshots returns the committed snapshots, newest first; none where there is
// no epoch.
func (l *Log) listSnapshots(ctx context.Context) (newestFirst []*snapshot, err error) {
	descriptions, err := l.redis.LRange(ctx, l.keys.snapshots, 0, -1).Result()
	if err != nil {
		return nil, err
	}
	all := make([]*snapshot, len(descriptions))
	for i, text := range descriptions {
		if all[i], err = parseSnapshot(text); err != nil {
			return nil, err
		}
	}
	return all, nil
}
