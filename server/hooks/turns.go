package hooks

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// callbackOrder places an event among others about the same.
type callbackOrder struct {
	stream    string // what it is about
	index     int64  // a later event has a higher one, until the server starts again
	hasIndex  bool
	createdAt int64 // of Begun: when it was made, by the server's clock, in Unix milliseconds
}

// OrderTracker tells begins and ends that come late. ZLMediaKit sends its callbacks at
// the same time and once more where they fail, and its ends do not say which
// push has ended: an end that is overtaken by the next begin would end that. It
// numbers them (hook_index), so the order is known to whoever hears all of them.
//
// It knows what this process has heard, of the last streams, and forgets it when
// it stops. It may be used concurrently.
type OrderTracker struct {
	mu   sync.Mutex // guards last
	last *simplelru.LRU[string, lastEvents]
}

// lastEvents are the last begin and end of what came in turn.
type lastEvents struct {
	startIndex, endIndex int64 // numbers
	startReceivedAt      int64 // when they were heard, in Unix milliseconds
	endReceivedAt        int64
}

// maxTrackedStreams is of how many streams and schemas the last words are known.
const maxTrackedStreams = 1 << 16

// maxCallbackDelay is for how long after a begin an earlier end may still be on its way, in
// milliseconds: a callback waits ten seconds at a time, and is tried a few times. Later
// a lower number is of a server that has started again, as another node may have heard.
const maxCallbackDelay = 60_000

// timestampResolution is how far off a server's times are that are whole seconds, in
// milliseconds.
const timestampResolution = 1000

// NewOrderTracker returns Turns that have heard nothing.
func NewOrderTracker() *OrderTracker {
	last, err := simplelru.NewLRU[string, lastEvents](maxTrackedStreams, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &OrderTracker{last: last}
}

// Observe reports whether an end was overtaken by the begin of a later push, or a
// begin by its own end, and remembers those that were not. A server that has
// started again counts anew: a begin with a low number is late only when it was
// made before the end was heard, and an end only soon after the begin. Events without a number are never late.
func (t *OrderTracker) Observe(e *Event, now time.Time) bool {
	if !e.order.hasIndex {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h, _ := t.last.Get(e.order.stream)
	switch e.Kind {
	case PushStarted:
		if e.order.index < h.endIndex && e.order.createdAt+timestampResolution < h.endReceivedAt {
			return true
		}
		h.startIndex, h.startReceivedAt = e.order.index, now.UnixMilli()
	case PushEnded:
		if e.order.index < h.startIndex && now.UnixMilli()-h.startReceivedAt < maxCallbackDelay {
			return true
		}
		h.endIndex, h.endReceivedAt = e.order.index, now.UnixMilli()
	}
	t.last.Add(e.order.stream, h)
	return false
}
