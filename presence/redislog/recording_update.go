package redislog

import (
	"context"
	"encoding/binary"
	"slices"

	"onair/presence"
)

// indexMember returns a recording's member in an index: a time in eight bytes, whose
// byte order is the order of times, and the id. Scores are too inexact for distant
// times, and cannot order recordings with the same time.
func indexMember(time int64, id string) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(time)^1<<63)) + id
}

// indexEntry is a recording's entry in one index.
type indexEntry struct{ key, member string }

// indexEntries returns a recording's entries in all indexes. The index by end has the
// complement of the time: indexes are read backwards, and the first to end comes first.
func (k *keys) indexEntries(rec *presence.Recording) []indexEntry {
	byStart := indexMember(rec.StartedAt, rec.ID)
	entries := []indexEntry{{k.recordingsByStart, byStart}, {k.recordingsByEnd, indexMember(^rec.EndedAt, rec.ID)}}
	if rec.Anchor != "" {
		entries = append(entries, indexEntry{k.recordingsByAnchorPrefix + rec.Anchor, byStart})
	}
	if rec.Code != "" {
		entries = append(entries, indexEntry{k.recordingsByCodePrefix + rec.Code, byStart})
	}
	return entries
}

// recordingUpdate replaces recordings if the stored values are the expected ones. So
// no concurrent write is lost, and a late request undoes no newer write.
type recordingUpdate struct {
	log          *Log
	recordings   []any    // id, expected value and new value of each
	indexKeys    []string // of the index changes
	indexChanges []any    // for each key + or -, and the member
}

// addChange adds a change from an encoded recording, or "", to another recording, or nil.
// It returns ErrNewerVersion for a recording of a newer version.
func (u *recordingUpdate) addChange(encodedOldOrEmpty string, newOrNil *presence.Recording) error {
	var id string
	var oldEntries, newEntries []indexEntry
	var value []byte
	if encodedOldOrEmpty != "" {
		old, err := presence.DecodeRecording([]byte(encodedOldOrEmpty))
		if err != nil {
			return err
		}
		id, oldEntries = old.ID, u.log.keys.indexEntries(&old)
	}
	if newOrNil != nil {
		id, newEntries = newOrNil.ID, u.log.keys.indexEntries(newOrNil)
		if value = newOrNil.Encode(); string(value) == encodedOldOrEmpty {
			return nil
		}
	}
	u.recordings = append(u.recordings, id, encodedOldOrEmpty, value)
	u.addIndexChanges("-", oldEntries, newEntries)
	u.addIndexChanges("+", newEntries, oldEntries)
	return nil
}

// addIndexChanges removes (-) or adds (+) those entries that the other version of the
// recording does not have.
func (u *recordingUpdate) addIndexChanges(sign string, entries, otherVersion []indexEntry) {
	for _, e := range entries {
		if !slices.Contains(otherVersion, e) {
			u.indexKeys, u.indexChanges = append(u.indexKeys, e.key), append(u.indexChanges, sign+e.member)
		}
	}
}

// execute runs the update. It changes nothing where a stored value is not the expected
// one.
func (u *recordingUpdate) execute(ctx context.Context) (isApplied bool, err error) {
	if len(u.recordings) == 0 {
		return true, nil
	}
	keys := append([]string{u.log.keys.recordings}, u.indexKeys...)
	args := slices.Concat([]any{len(u.recordings) / 3}, u.recordings, u.indexChanges)
	return u.log.scripts.replaceRecordings.Run(ctx, u.log.redis, keys, args...).Bool()
}
