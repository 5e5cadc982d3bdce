package redismodel

import (
	"maps"
	"slices"
	"time"
)

// value is what a key holds. A stored value never changes, so that a failover can
// restore it.
type value struct {
	text   string
	hash   map[string]string
	list   []string
	zset   []string // members in order; all have the same score
	stream *stream
	expiry time.Time // zero: never
}

// stream is a Redis stream.
type stream struct {
	entries []entry
	lastID  entryID // the highest id so far
}

type entry struct {
	id     entryID
	fields []string // alternating names and values
}

// entriesWithID returns the entry with that id, as a slice of at most one.
func (s *stream) entriesWithID(id entryID) []entry {
	i, found := slices.BinarySearchFunc(s.entries, id, compareEntryID)
	if !found {
		return nil
	}
	return s.entries[i : i+1]
}

// entriesAfter returns at most count entries after an id.
func (s *stream) entriesAfter(id entryID, count int) []entry {
	n := len(s.entries)
	for n > 0 && s.entries[n-1].id.compare(id) > 0 {
		n--
	}
	return s.entries[n:min(len(s.entries), n+count)]
}

func compareEntryID(e entry, id entryID) int { return e.id.compare(id) }

// keyspace has the values of all keys, and their changes of the last seconds.
type keyspace struct {
	values  map[string]*value
	journal []change
}

// change is a change of one key that can be undone.
type change struct {
	at       time.Time
	key      string
	oldValue *value
}

// journalPeriod is how long changes can be undone.
const journalPeriod = 15 * time.Second

func newKeyspace() *keyspace { return &keyspace{values: map[string]*value{}} }

// get returns nil for a missing or expired key.
func (k *keyspace) get(key string) *value {
	v := k.values[key]
	if v != nil && !v.expiry.IsZero() && !time.Now().Before(v.expiry) {
		return nil
	}
	return v
}

// countKey returns 1 for a key that exists, else 0.
func (k *keyspace) countKey(key string) (oneOrZero int64) {
	if k.get(key) == nil {
		return 0
	}
	return 1
}

// set stores a value; nil deletes the key.
func (k *keyspace) set(key string, v *value) {
	now := time.Now()
	if half := len(k.journal) / 2; len(k.journal) > 1024 && now.Sub(k.journal[half].at) > journalPeriod {
		k.journal = slices.Clone(k.journal[half:])
	}
	k.journal = append(k.journal, change{now, key, k.values[key]})
	if v == nil {
		delete(k.values, key)
		return
	}
	k.values[key] = v
}

// undoChangesAfter restores the values at a time.
func (k *keyspace) undoChangesAfter(t time.Time) {
	for len(k.journal) > 0 {
		c := k.journal[len(k.journal)-1]
		if !c.at.After(t) {
			return
		}
		k.journal = k.journal[:len(k.journal)-1]
		if c.oldValue == nil {
			delete(k.values, c.key)
		} else {
			k.values[c.key] = c.oldValue
		}
	}
}

// clone returns a copy with the values at a time, whose changes cannot be undone.
func (k *keyspace) clone(t time.Time) *keyspace {
	c := &keyspace{values: maps.Clone(k.values), journal: slices.Clone(k.journal)}
	c.undoChangesAfter(t)
	c.journal = nil
	for key, v := range c.values {
		if v.stream != nil { // both append to it
			copied := *v
			copied.stream = &stream{slices.Clone(v.stream.entries), v.stream.lastID}
			c.values[key] = &copied
		}
	}
	return c
}

// setExpiry sets when a key expires; the zero time means never.
func (k *keyspace) setExpiry(key string, expiry time.Time) (exists bool) {
	v := k.get(key)
	if v == nil {
		return false
	}
	next := *v
	next.expiry = expiry
	k.set(key, &next)
	return true
}

// field returns a field of a hash.
func (k *keyspace) field(key, name string) (text string, ok bool) {
	if v := k.get(key); v != nil {
		text, ok = v.hash[name]
	}
	return text, ok
}

// setFields sets fields of a hash: alternating names and values.
func (k *keyspace) setFields(key string, fields ...string) {
	next := &value{hash: map[string]string{}}
	if v := k.get(key); v != nil {
		next.hash, next.expiry = maps.Clone(v.hash), v.expiry
	}
	for i := 0; i < len(fields); i += 2 {
		next.hash[fields[i]] = fields[i+1]
	}
	k.set(key, next)
}

// deleteField deletes a field of a hash, and the hash after its last field.
func (k *keyspace) deleteField(key, name string) {
	if _, ok := k.field(key, name); !ok {
		return
	}
	next := *k.get(key)
	next.hash = maps.Clone(next.hash)
	if delete(next.hash, name); len(next.hash) == 0 {
		k.set(key, nil)
		return
	}
	k.set(key, &next)
}

// zset returns the members of a sorted set.
func (k *keyspace) zset(key string) []string {
	if v := k.get(key); v != nil {
		return v.zset
	}
	return nil
}

// setMember adds a member to a sorted set or removes it, and deletes an empty set.
func (k *keyspace) setMember(key, member string, present bool) {
	members := k.zset(key)
	i, found := slices.BinarySearch(members, member)
	switch {
	case present == found:
	case present:
		k.set(key, &value{zset: slices.Insert(slices.Clone(members), i, member)})
	case len(members) == 1:
		k.set(key, nil)
	default:
		k.set(key, &value{zset: slices.Delete(slices.Clone(members), i, i+1)})
	}
}

func (k *keyspace) list(key string) []string {
	if v := k.get(key); v != nil {
		return v.list
	}
	return nil
}

// stream returns an empty stream for a missing key.
func (k *keyspace) stream(key string) *stream {
	if v := k.get(key); v != nil {
		return v.stream
	}
	return &stream{}
}

// addEntry appends an entry, whose id must be higher than the last one.
func (k *keyspace) addEntry(key string, id entryID, fields ...string) {
	// Values share the array: the newest remaining one is appended to.
	k.set(key, &value{stream: &stream{append(k.stream(key).entries, entry{id, fields}), id}})
}

// nextEntryID returns the id that Redis gives to an entry at that time.
func (k *keyspace) nextEntryID(key string, ms uint64) entryID {
	if last := k.stream(key).lastID; ms <= last.ms {
		return entryID{last.ms, last.seq + 1}
	}
	return entryID{ms: ms}
}

// trimStream removes entries below an id in whole nodes, as XTRIM MINID ~ does.
func (k *keyspace) trimStream(key string, minID entryID, entriesPerNode int) {
	st := k.stream(key)
	n, _ := slices.BinarySearchFunc(st.entries, minID, compareEntryID)
	if n -= n % entriesPerNode; n > 0 {
		k.set(key, &value{stream: &stream{st.entries[n:], st.lastID}})
	}
}
