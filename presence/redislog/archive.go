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
	// maxWritesPerScript bounds how many recordings one script writes or deletes. That
	// many, or a page of a thousand, take Redis about a millisecond, in which no entry
	// is appended.
	maxWritesPerScript = 100
	// maxMembersPerScan bounds how many members of an index one script compares with
	// another index.
	maxMembersPerScan = 2000
	// maxArchiveCalls bounds concurrent calls of the archive, so that the log always
	// has connections.
	maxArchiveCalls = maxConnections / 2
)

var (
	// errArchiveClosed is returned by the archive after Close.
	errArchiveClosed = errors.New("redislog: the archive is closed")
	// errMissingRecording is returned when another application has deleted a recording
	// that an index has.
	errMissingRecording = errors.New("redislog: an index has a recording that is missing")
)

var _ presence.Archive = (*Log)(nil)

// Store implements presence.Archive. One script writes up to a hundred recordings with
// their indexes. After an error some of more recordings may be stored.
//
// A recording takes about 100 bytes of Redis's memory in the hash and 120 in each of
// four indexes, in addition to the bytes of Encode: 900 in all for a recording of 280. In
// the index of an anchor or a code with up to 128 recordings it takes 36.
func (l *Log) Store(ctx context.Context, recordings []presence.Recording) error {
	if err := l.acquireArchiveSlot(ctx); err != nil {
		return err
	}
	defer l.releaseArchiveSlot()
	for some := range slices.Chunk(lastOfEachID(recordings), maxWritesPerScript) {
		if err := l.replaceRecordings(ctx, some); err != nil {
			return l.wrapArchiveError(ctx, err)
		}
	}
	return nil
}

// lastOfEachID drops recordings that are followed by one with the same id.
func lastOfEachID(recordings []presence.Recording) []*presence.Recording {
	indexes := map[string]int{}
	last := make([]*presence.Recording, 0, len(recordings))
	for i := range recordings {
		rec := &recordings[i]
		if n, repeated := indexes[rec.ID]; repeated {
			last[n] = rec
			continue
		}
		indexes[rec.ID] = len(last)
		last = append(last, rec)
	}
	return last
}

// replaceRecordings writes recordings with different ids. It retries after concurrent
// writes of them.
func (l *Log) replaceRecordings(ctx context.Context, recordings []*presence.Recording) error {
	ids := make([]string, len(recordings))
	for i, rec := range recordings {
		ids[i] = rec.ID
	}
	for {
		stored, err := l.encodedRecordings(ctx, ids)
		if err != nil {
			return err
		}
		u := &recordingUpdate{log: l}
		for i, rec := range recordings {
			if err := u.addChange(stored[i], rec); err != nil {
				return err
			}
		}
		if done, err := u.execute(ctx); done || err != nil {
			return err
		}
	}
}

// encodedRecordings returns the encoded recordings with those ids, "" for a missing one.
func (l *Log) encodedRecordings(ctx context.Context, ids []string) (values []string, err error) {
	fields, err := l.redis.HMGet(ctx, l.keys.recordings, ids...).Result()
	if err != nil {
		return nil, err
	}
	values = make([]string, len(ids))
	for i, field := range fields {
		values[i], _ = field.(string)
	}
	return values, nil
}

// Recording implements presence.Archive.
func (l *Log) Recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	if err := l.acquireArchiveSlot(ctx); err != nil {
		return rec, false, err
	}
	defer l.releaseArchiveSlot()
	values, err := l.encodedRecordings(ctx, []string{id})
	if err == nil && values[0] == "" {
		return rec, false, nil
	}
	if err == nil {
		rec, err = presence.DecodeRecording([]byte(values[0]))
	}
	if err != nil {
		return presence.Recording{}, false, l.wrapArchiveError(ctx, err)
	}
	return rec, true, nil
}

// Recordings implements presence.Archive. A query with both anchor and code reads the
// recordings of the one with fewer.
func (l *Log) Recordings(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	after, err := q.UpperBound()
	if err != nil {
		return nil, "", err
	}
	if err := l.acquireArchiveSlot(ctx); err != nil {
		return nil, "", err
	}
	defer l.releaseArchiveSlot()
	upper, lower := "+", "-"
	if after != nil {
		upper = "(" + indexMember(after.StartedAt, after.ID)
	}
	if q.From != 0 {
		lower = "[" + indexMember(q.From, "")
	}
	found, err := l.queryRecordings(ctx, &q, upper, lower)
	if err != nil {
		return nil, "", l.wrapArchiveError(ctx, err)
	}
	page, next = q.CutPage(found)
	return page, next, nil
}

// queryRecordings returns the recordings between two bounds of members, at most one
// more than a page has.
func (l *Log) queryRecordings(ctx context.Context, q *presence.RecordingQuery, upper, lower string) (found []presence.Recording, err error) {
	limit, indexes := q.PageSize()+1, l.indexKeys(q)
	maxMembers := limit
	if len(indexes) > 1 {
		maxMembers = maxMembersPerScan
	}
	for {
		values, nextMember, err := l.scanRecordings(ctx, indexes, upper, lower, limit-len(found), maxMembers)
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
		if nextMember == "" {
			return found, nil
		}
		upper = "(" + nextMember
	}
}

// scanRecordings runs one script. It returns the encoded recordings that one or two
// indexes have, and the member to continue after, "" where there is no more.
func (l *Log) scanRecordings(ctx context.Context, indexes []string, upper, lower string, maxRecordings, maxMembers int) (values []string, nextMember string, err error) {
	reply, err := l.scripts.scanRecordings.Run(ctx, l.redis,
		append([]string{l.keys.recordings}, indexes...), upper, lower, maxRecordings, maxMembers).Slice()
	if err != nil {
		return nil, "", err
	}
	values = make([]string, len(reply))
	for i, v := range reply {
		var ok bool
		if values[i], ok = v.(string); !ok {
			return nil, "", errMissingRecording
		}
	}
	return values[1:], values[0], nil
}

// indexKeys returns the keys of the indexes that all matching recordings are in.
func (l *Log) indexKeys(q *presence.RecordingQuery) (indexes []string) {
	if q.Anchor != "" {
		indexes = append(indexes, l.keys.recordingsByAnchorPrefix+q.Anchor)
	}
	if q.Code != "" {
		indexes = append(indexes, l.keys.recordingsByCodePrefix+q.Code)
	}
	if len(indexes) == 0 {
		indexes = append(indexes, l.keys.recordingsByStart)
	}
	return indexes
}

// DeleteRecordings implements presence.Archive.
func (l *Log) DeleteRecordings(ctx context.Context, before int64, limit int) (deleted int, err error) {
	if err := l.acquireArchiveSlot(ctx); err != nil {
		return 0, err
	}
	defer l.releaseArchiveSlot()
	for deleted < limit {
		n, more, err := l.deleteRecordingsEndedBefore(ctx, before, min(limit-deleted, maxWritesPerScript))
		if err != nil {
			return deleted, l.wrapArchiveError(ctx, err)
		}
		if deleted += n; !more {
			break
		}
	}
	return deleted, nil
}

// deleteRecordingsEndedBefore deletes at most limit recordings, or none after a concurrent write
// of them. hasMore is false when no other recording ended before that time.
func (l *Log) deleteRecordingsEndedBefore(ctx context.Context, before int64, limit int) (deleted int, hasMore bool, err error) {
	if before == math.MinInt64 { // before-1 would overflow
		return 0, false, nil
	}
	values, _, err := l.scanRecordings(ctx, []string{l.keys.recordingsByEnd}, "+", "["+indexMember(^(before-1), ""), limit, limit)
	if err != nil {
		return 0, false, err
	}
	u := &recordingUpdate{log: l}
	for _, value := range values {
		if err := u.addChange(value, nil); err != nil {
			return 0, false, err
		}
	}
	done, err := u.execute(ctx)
	if err != nil || !done {
		return 0, true, err
	}
	return len(values), len(values) == limit, nil
}

// acquireArchiveSlot waits until fewer than maxArchiveCalls run. releaseArchiveSlot must follow.
func (l *Log) acquireArchiveSlot(ctx context.Context) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	select {
	case l.archiveSlots <- struct{}{}:
		return nil
	case <-l.shutdown.ctx.Done():
	case <-ctx.Done():
	}
	return l.checkOpen(ctx)
}

func (l *Log) releaseArchiveSlot() { <-l.archiveSlots }

// checkOpen returns an error when the archive is closed or ctx has ended.
func (l *Log) checkOpen(ctx context.Context) error {
	if l.shutdown.ctx.Err() != nil {
		return errArchiveClosed
	}
	return ctx.Err()
}

// wrapArchiveError replaces an error by ctx's, or by errArchiveClosed, where that caused
// it. A connection has ctx's deadline too, and may fail a moment before ctx ends.
func (l *Log) wrapArchiveError(ctx context.Context, err error) error {
	if cause := l.checkOpen(ctx); cause != nil {
		return cause
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return fmt.Errorf("redislog: archive: %w", err)
}
