package hooks

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// turn places an event among others about the same.
type turn struct {
	of       string // what it is about
	number   int64  // a later event has a higher one, until the server starts again
	numbered bool
	made     int64 // of Begun: when it was made, by the server's clock, in Unix milliseconds
}

// Turns tells begins and ends that come late. ZLMediaKit sends its callbacks at
// the same time and once more where they fail, and its ends do not say which
// push has ended: an end that is overtaken by the next begin would end that. It
// numbers them (hook_index), so the order is known to whoever hears all of them.
//
// It knows what this process has heard, of the last streams, and forgets it when
// it stops. It may be used concurrently.
type Turns struct {
	mu   sync.Mutex // guards last
	last *simplelru.LRU[string, heard]
}

// heard are the last begin and end of what came in turn.
type heard struct {
	begun, ended int64 // numbers
	begunAt      int64 // when they were heard, in Unix milliseconds
	endedAt      int64
}

// maxTurns is of how many streams and schemas the last words are known.
const maxTurns = 1 << 16

// overtakes is for how long after a begin an earlier end may still be on its way, in
// milliseconds: a callback waits ten seconds at a time, and is tried a few times. Later
// a lower number is of a server that has started again, as another node may have heard.
const overtakes = 60_000

// coarse is how far off a server's times are that are whole seconds, in
// milliseconds.
const coarse = 1000

// NewTurns returns Turns that have heard nothing.
func NewTurns() *Turns {
	last, err := simplelru.NewLRU[string, heard](maxTurns, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Turns{last: last}
}

// Late reports whether an end was overtaken by the begin of a later push, or a
// begin by its own end, and remembers those that were not. A server that has
// started again counts anew: a begin with a low number is late only when it was
// made before the end was heard, and an end only soon after the begin. Events without a number are never late.
func (t *Turns) Late(e *Event, now time.Time) bool {
	if !e.turn.numbered {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h, _ := t.last.Get(e.turn.of)
	switch e.Kind {
	case Begun:
		if e.turn.number < h.ended && e.turn.made+coarse < h.endedAt {
			return true
		}
		h.begun, h.begunAt = e.turn.number, now.UnixMilli()
	case Done:
		if e.turn.number < h.begun && now.UnixMilli()-h.begunAt < overtakes {
			return true
		}
		h.ended, h.endedAt = e.turn.number, now.UnixMilli()
	}
	t.last.Add(e.turn.of, h)
	return false
}
