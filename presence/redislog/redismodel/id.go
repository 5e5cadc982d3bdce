package redismodel

import (
	"cmp"
	"fmt"
)

// id is that of a stream's entry.
type id struct{ ms, seq uint64 }

func (a id) compare(b id) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.seq, b.seq)) }

func (a id) String() string { return fmt.Sprintf("%d-%d", a.ms, a.seq) }

func parseID(text string) (a id) {
	if _, err := fmt.Sscanf(text, "%d-%d", &a.ms, &a.seq); err != nil {
		panic("redismodel: no id: " + text)
	}
	return a
}
