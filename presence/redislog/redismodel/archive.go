package redismodel

import (
	"slices"
	"sort"
	"strings"
)

// exchange is lua/exchange.lua.
func (r *Redis) exchange(keys, argv []string) int64 {
	n := 3 * int(parse(argv[0]))
	values, changes := argv[1:n+1], argv[n+1:]
	for v := range slices.Chunk(values, 3) {
		if was, _ := r.store.field(keys[0], v[0]); was != v[1] {
			return 0
		}
	}
	for v := range slices.Chunk(values, 3) {
		if v[2] == "" {
			r.store.hdel(keys[0], v[0])
		} else {
			r.store.hset(keys[0], v[0], v[2])
		}
	}
	for i, c := range changes {
		r.store.zchange(keys[1+i], c[1:], c[0] == '+')
	}
	return 1
}

// recordings is lua/recordings.lua.
func (r *Redis) recordings(keys, argv []string) []any {
	index, other := r.store.zset(keys[1]), []string(nil)
	both := len(keys) > 2
	if both {
		if other = r.store.zset(keys[2]); len(other) < len(index) {
			index, other = other, index
		}
	}
	most, look := int(parse(argv[2])), int(parse(argv[3]))
	members := between(index, argv[1], argv[0])
	slices.Reverse(members)
	members = members[:min(len(members), look)]
	reply := []any{""}
	for _, member := range members {
		if len(reply)-1 == most {
			break
		}
		if _, in := slices.BinarySearch(other, member); in || !both {
			reply = append(reply, r.hmget(keys[0], []string{member[8:]})[0])
		}
	}
	if len(reply)-1 < most && len(members) == look {
		reply[0] = members[look-1]
	}
	return reply
}

// between are the members of a sorted set between two bounds, as ZRANGEBYLEX has
// them.
func between(set []string, lower, upper string) []string {
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
