package redismodel

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// appendBatch runs lua/append_batch.lua.
func (r *Redis) appendBatch(keys, argv []string) (number int64) {
	log, head, nodes, snapshots := keys[0], keys[1], keys[2], keys[3]
	node, incarnation, seq, batch := argv[0], parseInt(argv[1]), parseInt(argv[2]), argv[3]
	if r.keys.get(snapshots) == nil {
		return -1
	}
	var lastIncarnation, lastSeq, lastTime int64
	lastAppend, known := r.keys.field(nodes, node)
	if known {
		fmt.Sscan(lastAppend, &lastIncarnation, &lastSeq, &lastTime)
		if lastIncarnation == incarnation && lastSeq >= seq {
			return 0
		}
	}
	now := r.now().UnixMilli()
	last, _ := r.keys.field(head, "n")
	founded, _ := r.keys.field(head, "g")
	number = parseInt(last) + 1
	epoch, numberText, timeText := r.replID[:16]+"."+founded, strconv.FormatInt(number, 10), strconv.FormatInt(now, 10)
	r.keys.addEntry(log, r.keys.nextEntryID(log, uint64(now)), "n", numberText, "t", timeText, "r", epoch, "b", batch)
	r.keys.setFields(head, "n", numberText, "t", timeText)
	if !known || lastIncarnation <= incarnation {
		r.keys.setFields(nodes, node, fmt.Sprintf("%d %d %d", incarnation, seq, now))
	}
	r.options.OnAppended(uint64(number), epoch)
	return number
}

// nextIncarnation runs lua/next_incarnation.lua.
func (r *Redis) nextIncarnation(head, above string) string {
	next := max(r.now().UnixMicro(), parseInt(above)+1)
	if last, known := r.keys.field(head, "boot"); known {
		next = max(next, parseInt(last)+1)
	}
	text := strconv.FormatInt(next, 10)
	r.keys.setFields(head, "boot", text)
	return text
}

// foundEpoch runs lua/found_epoch.lua.
func (r *Redis) foundEpoch(keys, argv []string) (oneIfFounded int64) {
	log, head, snapshots, chunks, nodes := keys[0], keys[1], keys[2], keys[3], keys[4]
	description, id, number, logTime, epoch := argv[0], argv[1], argv[2], argv[3], argv[4]
	if r.keys.get(snapshots) != nil || !r.hasAllChunks(chunks, description) {
		return 0
	}
	r.keys.set(log, nil)
	r.keys.set(nodes, nil)
	if number != "0" {
		r.keys.addEntry(log, parseEntryID(id), "n", number, "t", logTime, "r", epoch, "b", "")
	}
	r.keys.setFields(head, "n", number, "t", logTime, "g", strconv.FormatInt(r.now().UnixMilli(), 10))
	r.keys.set(snapshots, &value{list: []string{description}})
	r.keys.setExpiry(chunks, time.Time{})
	return 1
}

// commitSnapshot runs lua/commit_snapshot.lua.
func (r *Redis) commitSnapshot(keys, argv []string) (dropped any, err error) {
	log, snapshots, chunks, nodes := keys[0], keys[1], keys[2], keys[3]
	description, id, number, epoch := argv[0], parseEntryID(argv[1]), argv[2], argv[4]
	now, minAge, retention := parseInt(argv[3]), parseInt(argv[5]), parseInt(argv[6])
	found, all := r.keys.stream(log).entriesWithID(id), r.keys.list(snapshots)
	if len(found) == 0 || found[0].fields[1] != number || found[0].fields[5] != epoch ||
		len(all) == 0 || !r.hasAllChunks(chunks, description) || snapshotEntryNumber(all[0]) >= parseInt(number) {
		return nil, redis.Nil
	}
	all = append([]string{description}, all...)
	r.keys.setExpiry(chunks, time.Time{})
	old := []any{}
	for i, s := range all {
		if snapshotLogTime(s) <= now-minAge {
			for _, description := range all[i+1:] {
				old = append(old, description)
			}
			all = all[:i+1]
			r.keys.trimStream(log, parseEntryID(strings.Fields(s)[1]), r.options.EntriesPerNode)
			break
		}
	}
	r.keys.set(snapshots, &value{list: all})
	if v := r.keys.get(nodes); v != nil {
		next := &value{hash: maps.Clone(v.hash)}
		maps.DeleteFunc(next.hash, func(_, lastAppend string) bool {
			return parseInt(strings.Fields(lastAppend)[2]) < now-retention
		})
		r.keys.set(nodes, next)
	}
	return old, nil
}

// hasAllChunks reports whether all chunks of a snapshot are stored.
func (r *Redis) hasAllChunks(chunksKey, description string) bool {
	v := r.keys.get(chunksKey)
	return v != nil && int64(len(v.hash)) == parseInt(strings.Fields(description)[4])
}

// snapshotEntryNumber returns the entry number in a snapshot's description.
func snapshotEntryNumber(description string) int64 { return parseInt(strings.Fields(description)[2]) }

// snapshotLogTime returns the log time in a snapshot's description.
func snapshotLogTime(description string) int64 { return parseInt(strings.Fields(description)[3]) }
