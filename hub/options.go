package hub

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onair/presence"
)

// Options configure a hub. A zero field has the default in its comment.
type Options struct {
	// Lists are the names of the lists that a query may name. The first one is the
	// query's default. Default: "live".
	Lists []string

	// Tick is the least time between two diffs of one view. A shorter tick shows
	// changes sooner; a longer one costs fewer frames. Default: 250 ms.
	Tick time.Duration
	// CounterDelay is how long changes of viewers and likes wait if there are no
	// others. Any diff before that includes them. Default: 2 s.
	CounterDelay time.Duration
	// IdleInterval is the time without a frame after which a view sends an empty diff, and
	// a socket without views is sent a ping. Clients give up after 2.5 times this;
	// many proxies do after 60 s. Default: 25 s.
	IdleInterval time.Duration

	Limits

	// UndoRingSize bounds the changes, and the log entries, in the undo ring. A change
	// costs about 24 bytes and the stream's old value. Entries older than two
	// minutes of log time are discarded anyway. With a smaller ring, viewers of
	// busy lists resume by snapshot. Default: 131,072.
	UndoRingSize int

	// Signer makes the play URLs. Default: there are none.
	Signer PlaySigner
	// Metrics registers the hub's metrics. Default: none are registered.
	Metrics prometheus.Registerer
	// OnLateDiff is called when a diff is written LateThreshold or more after the
	// hub received its first change, unless the socket was full. The calls are
	// concurrent, with locks held: it must not block. Default: no calls.
	OnLateDiff    func(latency time.Duration)
	LateThreshold time.Duration
	// OnViewersChange is called with the number of sockets that watch a live stream
	// here: when it changes, when a session begins under a watched code, and when
	// the session has another lease. The calls are not concurrent, with the hub's
	// lock held: it must not block, nor call the hub. Default: no calls.
	OnViewersChange func(st *presence.Stream, count int)
}

// Limits bound what clients may use. A zero field has the default in its
// comment.
type Limits struct {
	// Window is the largest limit of a query. A snapshot takes about 300 bytes for
	// each entry, and is encoded with the hub's lock held. Default: 500.
	Window int
	// Views bounds the number of different views. Each takes about 8 bytes for
	// each entry of its window, and its last frame. Default: 20,000.
	Views int
	// ViewsPerSocket and WatchesPerSocket bound what one socket may have open.
	// Default: 8 each.
	ViewsPerSocket   int
	WatchesPerSocket int
	// SnapshotsPerSecond is the rate of subscriptions on a socket, after a burst of
	// ViewsPerSocket. Default: 1.
	SnapshotsPerSecond float64
}

// defaultLimit is the limit of a query that has none.
const defaultLimit = 100

func (o Options) withDefaults() Options {
	if len(o.Lists) == 0 {
		o.Lists = []string{"live"}
	}
	o.Tick = cmp.Or(o.Tick, 250*time.Millisecond)
	o.CounterDelay = cmp.Or(o.CounterDelay, 2*time.Second)
	o.IdleInterval = cmp.Or(o.IdleInterval, 25*time.Second)
	o.Limits = o.Limits.withDefaults()
	o.UndoRingSize = cmp.Or(o.UndoRingSize, 1<<17)
	if o.OnViewersChange == nil {
		o.OnViewersChange = func(*presence.Stream, int) {}
	}
	return o
}

func (l Limits) withDefaults() Limits {
	l.Window = cmp.Or(l.Window, 500)
	l.Views = cmp.Or(l.Views, 20_000)
	l.ViewsPerSocket = cmp.Or(l.ViewsPerSocket, 8)
	l.WatchesPerSocket = cmp.Or(l.WatchesPerSocket, 8)
	l.SnapshotsPerSecond = cmp.Or(l.SnapshotsPerSecond, 1)
	return l
}
