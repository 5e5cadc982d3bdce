package redismodel

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// eval runs a script that is given, or was.
func (r *Redis) eval(whole bool, args []any) (any, error) {
	sum := text(args[0])
	if whole {
		digest := sha1.Sum([]byte(sum))
		name, _, _ := strings.Cut(sum, "\n")
		sum = hex.EncodeToString(digest[:])
		r.scripts[sum] = strings.TrimSpace(name)
	}
	name, known := r.scripts[sum]
	if !known {
		return nil, replyError("NOSCRIPT No matching script. Please use EVAL.")
	}
	n := int(number(args[1]))
	keys, argv := texts(args[2:2+n]), texts(args[2+n:])
	switch name {
	case "-- onair append":
		return r.append(keys, argv), nil
	case "-- onair join":
		return r.join(keys[0], argv[0]), nil
	case "-- onair found":
		return r.found(keys, argv), nil
	case "-- onair commit":
		return r.commit(keys, argv)
	case "-- onair exchange":
		return r.exchange(keys, argv), nil
	case "-- onair recordings":
		return r.recordings(keys, argv), nil
	}
	panic("redismodel: unknown script " + name)
}

// append is lua/append.lua.
func (r *Redis) append(keys, argv []string) int64 {
	log, head, nodes, snapshots := keys[0], keys[1], keys[2], keys[3]
	node, boot, no, batch := argv[0], parse(argv[1]), parse(argv[2]), argv[3]
	if r.store.get(snapshots) == nil {
		return -1
	}
	var hadBoot, hadNo, hadTime int64
	said, known := r.store.field(nodes, node)
	if known {
		fmt.Sscan(said, &hadBoot, &hadNo, &hadTime)
		if hadBoot == boot && hadNo >= no {
			return 0
		}
	}
	clock := r.clock()
	last, _ := r.store.field(head, "n")
	founded, _ := r.store.field(head, "g")
	num, history, at := parse(last)+1, r.repl[:16]+"."+founded, strconv.FormatInt(clock, 10)
	number := strconv.FormatInt(num, 10)
	r.store.xadd(log, id{}, uint64(clock), "n", number, "t", at, "r", history, "b", batch)
	r.store.hset(head, "n", number, "t", at)
	if !known || hadBoot <= boot {
		r.store.hset(nodes, node, fmt.Sprintf("%d %d %d", boot, no, clock))
	}
	r.options.Appended(uint64(num), history)
	return num
}

// join is lua/join.lua.
func (r *Redis) join(head, above string) string {
	had, known := r.store.field(head, "boot")
	boot := r.now().UnixMicro()
	if known {
		boot = max(boot, parse(had)+1)
	}
	text := strconv.FormatInt(max(boot, parse(above)+1), 10)
	r.store.hset(head, "boot", text)
	return text
}

// found is lua/found.lua.
func (r *Redis) found(keys, argv []string) int64 {
	log, head, snapshots, chunks, nodes := keys[0], keys[1], keys[2], keys[3], keys[4]
	if r.store.get(snapshots) != nil || !r.whole(chunks, argv[0]) {
		return 0
	}
	r.store.set(log, nil)
	r.store.set(nodes, nil)
	if argv[2] != "0" {
		r.store.xadd(log, parseID(argv[1]), 0, "n", argv[2], "t", argv[3], "r", argv[4], "b", "")
	}
	r.store.hset(head, "n", argv[2], "t", argv[3], "g", strconv.FormatInt(r.clock(), 10))
	r.store.set(snapshots, &value{list: []string{argv[0]}})
	r.persist(chunks)
	return 1
}

// commit is lua/commit.lua.
func (r *Redis) commit(keys, argv []string) (any, error) {
	log, snapshots, chunks, nodes := keys[0], keys[1], keys[2], keys[3]
	at, all := parseID(argv[1]), r.store.lrange(snapshots)
	same := r.store.stream(log).after(at, true, 1)
	if len(same) == 0 || same[0].id != at || same[0].fields[1] != argv[2] || same[0].fields[5] != argv[4] ||
		len(all) == 0 || !r.whole(chunks, argv[0]) || snapshotNum(all[0]) >= parse(argv[2]) {
		return nil, redis.Nil
	}
	all = append([]string{argv[0]}, all...)
	r.persist(chunks)
	now, age, forget := parse(argv[3]), parse(argv[5]), parse(argv[6])
	dropped := []any{}
	for i, s := range all {
		if snapshotTime(s) <= now-age {
			for _, old := range all[i+1:] {
				dropped = append(dropped, old)
			}
			all = all[:i+1]
			r.store.trim(log, parseID(strings.Fields(s)[1]), r.options.TrimNode)
			break
		}
	}
	r.store.set(snapshots, &value{list: all})
	if v := r.store.get(nodes); v != nil {
		next := &value{hash: maps.Clone(v.hash)}
		for _, node := range slices.Sorted(maps.Keys(v.hash)) {
			if said := strings.Fields(v.hash[node]); parse(said[2]) < now-forget {
				delete(next.hash, node)
			}
		}
		r.store.set(nodes, next)
	}
	return dropped, nil
}

// whole tells whether all chunks of a snapshot are there.
func (r *Redis) whole(chunks, description string) bool {
	v := r.store.get(chunks)
	return v != nil && int64(len(v.hash)) == parse(strings.Fields(description)[4])
}

// snapshotNum and snapshotTime read a snapshot's description.
func snapshotNum(s string) int64  { return parse(strings.Fields(s)[2]) }
func snapshotTime(s string) int64 { return parse(strings.Fields(s)[3]) }

// persist has a key not expire.
func (r *Redis) persist(key string) {
	r.store.expire(key, time.Time{})
}

func parse(text string) int64 { return number(text) }
