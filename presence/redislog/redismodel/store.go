package redismodel

import (
	"maps"
	"slices"
	"time"
)

// value is what a key holds. It is not changed once it is stored, so that what
// was can be had again.
type value struct {
	text   string
	hash   map[string]string
	list   []string
	zset   []string // members of one score, in order
	stream *stream
	until  time.Time // zero: it does not expire
}

// stream is a Redis stream.
type stream struct {
	entries []entry
	last    id // the highest ever given
}

type entry struct {
	id     id
	fields []string // names and values by turns
}

// store is a keyspace, and how it was for a while back.
type store struct {
	keys    map[string]*value
	journal []change
}

// change is one that can be undone.
type change struct {
	at  time.Time
	key string
	was *value
}

// remembered is for how long back a store can be had as it was.
const remembered = 15 * time.Second

func newStore() *store { return &store{keys: map[string]*value{}} }

// get is nil where there is no such key, or not any more.
func (s *store) get(key string) *value {
	v := s.keys[key]
	if v != nil && !v.until.IsZero() && !time.Now().Before(v.until) {
		return nil
	}
	return v
}

// set stores a value; nil deletes.
func (s *store) set(key string, v *value) {
	now := time.Now()
	if len(s.journal) > 1024 && now.Sub(s.journal[len(s.journal)/2].at) > remembered {
		s.journal = slices.Clone(s.journal[len(s.journal)/2:])
	}
	s.journal = append(s.journal, change{now, key, s.keys[key]})
	if v == nil {
		delete(s.keys, key)
		return
	}
	s.keys[key] = v
}

// lose undoes what was changed after a moment.
func (s *store) lose(after time.Time) {
	for len(s.journal) > 0 {
		c := s.journal[len(s.journal)-1]
		if !c.at.After(after) {
			return
		}
		s.journal = s.journal[:len(s.journal)-1]
		if c.was == nil {
			delete(s.keys, c.key)
		} else {
			s.keys[c.key] = c.was
		}
	}
}

func (s *store) field(key, name string) (text string, ok bool) {
	if v := s.get(key); v != nil {
		text, ok = v.hash[name]
	}
	return text, ok
}

// hset sets fields of a hash: names and values by turns.
func (s *store) hset(key string, fields ...string) {
	next := &value{hash: map[string]string{}}
	if v := s.get(key); v != nil {
		next.hash, next.until = maps.Clone(v.hash), v.until
	}
	for i := 0; i < len(fields); i += 2 {
		next.hash[fields[i]] = fields[i+1]
	}
	s.set(key, next)
}

// expire sets when a key expires, zero: never. It reports whether it is there.
func (s *store) expire(key string, until time.Time) bool {
	v := s.get(key)
	if v == nil {
		return false
	}
	next := *v
	next.until = until
	s.set(key, &next)
	return true
}

// hdel removes a field of a hash, and the hash with its last.
func (s *store) hdel(key, name string) {
	if _, ok := s.field(key, name); !ok {
		return
	}
	next := *s.get(key)
	next.hash = maps.Clone(next.hash)
	if delete(next.hash, name); len(next.hash) == 0 {
		s.set(key, nil)
		return
	}
	s.set(key, &next)
}

// zset are the members of a sorted set whose scores are all alike.
func (s *store) zset(key string) []string {
	if v := s.get(key); v != nil {
		return v.zset
	}
	return nil
}

// zchange adds a member to a sorted set or removes it, and the set with its last.
func (s *store) zchange(key, member string, add bool) {
	had := s.zset(key)
	n, there := slices.BinarySearch(had, member)
	switch {
	case add == there:
	case add:
		s.set(key, &value{zset: slices.Insert(slices.Clone(had), n, member)})
	case len(had) == 1:
		s.set(key, nil)
	default:
		s.set(key, &value{zset: slices.Delete(slices.Clone(had), n, n+1)})
	}
}

func (s *store) lrange(key string) []string {
	if v := s.get(key); v != nil {
		return v.list
	}
	return nil
}

// xadd appends an entry; a zero id asks for the next one at that time.
func (s *store) xadd(key string, at id, ms uint64, fields ...string) {
	old := s.stream(key)
	if at == (id{}) {
		at = id{ms: ms}
		if ms <= old.last.ms {
			at = id{old.last.ms, old.last.seq + 1}
		}
	}
	// Values share the array: the newest that is left is the one to go on from.
	s.set(key, &value{stream: &stream{append(old.entries, entry{at, fields}), at}})
}

func (s *store) stream(key string) *stream {
	if v := s.get(key); v != nil {
		return v.stream
	}
	return &stream{}
}

// trim drops whole nodes of entries below an id, as XTRIM MINID ~ does.
func (s *store) trim(key string, least id, node int) {
	st := s.stream(key)
	n, _ := slices.BinarySearchFunc(st.entries, least, func(e entry, at id) int { return e.id.compare(at) })
	if n -= n % node; n > 0 {
		s.set(key, &value{stream: &stream{st.entries[n:], st.last}})
	}
}
