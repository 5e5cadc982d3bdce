package redismodel

import (
	"cmp"
	"fmt"
)

// entryID is the id of a stream entry.
type entryID struct{ ms, seq uint64 }

func (a entryID) compare(b entryID) int {
	return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.seq, b.seq))
}

// String implements [fmt.Stringer].
func (a entryID) String() string { return fmt.Sprintf("%d-%d", a.ms, a.seq) }

func parseEntryID(text string) (a entryID) {
	if _, err := fmt.Sscanf(text, "%d-%d", &a.ms, &a.seq); err != nil {
		panic("redismodel: invalid entry id: " + text)
	}
	return a
}
