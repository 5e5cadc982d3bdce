package hooks

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// callbackOrder is the place of a callback among others about the same stream.
type callbackOrder struct {
	stream    string // media server, schema, app and live code
	index     int64  // higher for later callbacks, until the media server restarts
	hasIndex  bool
	createdAt int64 // PushStarted: registration time by the server's clock, Unix milliseconds
}

// OrderTracker detects callbacks that arrive late. ZLMediaKit sends callbacks
// concurrently and repeats those that fail. Its ends do not name their push, so an end
// that arrives after the next begin would end that push. Their index (hook_index)
// gives the order, to a process that receives all of them.
//
// It holds the latest callbacks of a bounded number of streams in memory. It is safe
// for concurrent use.
type OrderTracker struct {
	mu   sync.Mutex // guards last
	last *simplelru.LRU[string, lastEvents]
}

// lastEvents are the last begin and the last end of a stream that were not late.
type lastEvents struct {
	startIndex, endIndex           int64
	startReceivedAt, endReceivedAt int64 // Unix milliseconds
}

// maxTrackedStreams bounds the streams and schemas with remembered callbacks.
const maxTrackedStreams = 1 << 16

// maxCallbackDelay bounds the time after a begin in which an earlier end may arrive, in
// milliseconds: a callback waits ten seconds and has a few attempts. After that, a lower
// index means that the media server has restarted.
const maxCallbackDelay = 60_000

// timestampResolution is the resolution of createdAt, in milliseconds.
const timestampResolution = 1000

// NewOrderTracker returns an empty tracker.
func NewOrderTracker() *OrderTracker {
	last, _ := simplelru.NewLRU[string, lastEvents](maxTrackedStreams, nil) // it fails only for a size of 0
	return &OrderTracker{last: last}
}

// RecordUnlessLate records a begin or an end, and reports whether it is late. Late are an end after
// the begin of a later push, and a begin after its own end. Late events are not recorded.
//
// A restarted server counts from the start again. So a begin with a low index is late
// only if it was created before the end arrived, and an end only soon after the begin.
// Events without an index are never late.
func (t *OrderTracker) RecordUnlessLate(e *Event, now time.Time) (isLate bool) {
	if !e.order.hasIndex {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l, _ := t.last.Get(e.order.stream)
	switch e.Kind {
	case PushStarted:
		if e.order.index < l.endIndex && e.order.createdAt+timestampResolution < l.endReceivedAt {
			return true
		}
		l.startIndex, l.startReceivedAt = e.order.index, now.UnixMilli()
	case PushEnded:
		if e.order.index < l.startIndex && now.UnixMilli()-l.startReceivedAt < maxCallbackDelay {
			return true
		}
		l.endIndex, l.endReceivedAt = e.order.index, now.UnixMilli()
	}
	t.last.Add(e.order.stream, l)
	return false
}
