package redismodel

import (
	"slices"
	"sort"
	"strings"
)

// replaceRecordings runs lua/replace_recordings.lua.
func (r *Redis) replaceRecordings(keys, argv []string) (oneIfReplaced int64) {
	n := 3 * int(parseInt(argv[0]))
	recordings, indexChanges := argv[1:n+1], argv[n+1:]
	for rec := range slices.Chunk(recordings, 3) {
		id, oldValue := rec[0], rec[1]
		if stored, _ := r.keys.field(keys[0], id); stored != oldValue {
			return 0
		}
	}
	for rec := range slices.Chunk(recordings, 3) {
		if id, newValue := rec[0], rec[2]; newValue == "" {
			r.keys.deleteField(keys[0], id)
		} else {
			r.keys.setFields(keys[0], id, newValue)
		}
	}
	for i, c := range indexChanges {
		r.keys.setMember(keys[1+i], c[1:], c[0] == '+')
	}
	return 1
}

// scanRecordings runs lua/scan_recordings.lua.
func (r *Redis) scanRecordings(keys, argv []string) []any {
	index, filter := r.keys.zset(keys[1]), []string(nil)
	hasFilter := len(keys) > 2
	if hasFilter {
		if filter = r.keys.zset(keys[2]); len(filter) < len(index) {
			index, filter = filter, index
		}
	}
	maxRecordings, maxMembers := int(parseInt(argv[2])), int(parseInt(argv[3]))
	members := membersBetween(index, argv[1], argv[0])
	slices.Reverse(members)
	members = members[:min(len(members), maxMembers)]
	reply := []any{""}
	for _, member := range members {
		if len(reply)-1 == maxRecordings {
			break
		}
		if _, found := slices.BinarySearch(filter, member); found || !hasFilter {
			reply = append(reply, r.hmget(keys[0], []string{member[8:]})[0])
		}
	}
	if len(reply)-1 < maxRecordings && len(members) == maxMembers {
		reply[0] = members[maxMembers-1]
	}
	return reply
}

// membersBetween returns the members of a sorted set between two bounds, which are
// written as for ZRANGEBYLEX.
func membersBetween(set []string, lower, upper string) []string {
	from, to := 0, len(set)
	if lower != "-" {
		from = sort.Search(len(set), func(i int) bool {
			c := strings.Compare(set[i], lower[1:])
			return c > 0 || c == 0 && lower[0] == '['
		})
	}
	if upper != "+" {
		to = sort.Search(len(set), func(i int) bool {
			c := strings.Compare(set[i], upper[1:])
			return c > 0 || c == 0 && upper[0] == '('
		})
	}
	return slices.Clone(set[from:max(from, to)])
}
