package hub

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onair/presence"
)

// Options say how a hub behaves. The zero value of each is its default.
type Options struct {
	// Lists are the names of lists that a query may ask for, the first by
	// default ("live").
	Lists []string

	// Tick is the least time between two diffs of one view (250 ms). Shorter
	// shows changes sooner when there are many, longer costs fewer frames.
	Tick time.Duration
	// Counters is how long changes of viewers and likes wait when nothing else
	// has changed (2 s). They ride along when a diff goes anyway.
	Counters time.Duration
	// Idle is the silence after which a view sends an empty diff, and a socket
	// without a view is sent a ping (25 s). Clients give up after 2.5 times it;
	// many proxies after 60 s.
	Idle time.Duration

	Limits

	// History bounds the changes, and the log entries, that the undo ring keeps
	// (131,072), about 24 bytes and the old value of a stream each. What is
	// older than two minutes of log time is dropped anyway. More costs memory
	// and longer undoing; with less, busy lists resume by snapshot.
	History int

	// Signer makes the play URLs; without one there are none.
	Signer Signer
	// Metrics registers the hub's metrics; nil registers none.
	Metrics prometheus.Registerer
	// Late is told of a diff that was handed to a socket, of those that take what
	// they are given, LateAfter or more after the command that it shows was taken.
	// It is called concurrently, with locks held: it must not block. Nil: nobody
	// is told.
	Late      func(latency time.Duration)
	LateAfter time.Duration
	// Viewers is told how many sockets watch a live stream here, whenever that
	// changes, when a session begins that is watched already, and when one has
	// another lease. It is called with the hub's lock held, so never
	// concurrently: it must neither block nor call the hub.
	Viewers func(st *presence.Stream, n int)
}

// Limits are what clients are held to. The zero value of each is its default.
type Limits struct {
	// Window is the largest limit of a query (500). A snapshot costs about
	// 300 bytes for each entry, encoded under the hub's lock.
	Window int
	// Views bounds the different views there are (20,000); each costs about
	// 8 bytes for each entry of its window, and its last frame.
	Views int
	// ViewsPerSocket and WatchesPerSocket bound what one socket may have open
	// (8 each).
	ViewsPerSocket   int
	WatchesPerSocket int
	// SnapshotsPerSecond is how many subscriptions a socket may make (1), after
	// as many at once as it may have views.
	SnapshotsPerSecond float64
}

// Signer makes play URLs. They depend on code and log time alone, and are
// therefore the same on every node. All methods must be safe for concurrent use.
type Signer interface {
	// Protocols lists those that streams can be played over.
	Protocols() []string
	// Expiry returns when URLs that are in force at a log time expire, in Unix
	// milliseconds.
	Expiry(code string, at int64) int64
	// NextRenewal returns the first millisecond after at at which Expiry differs.
	NextRenewal(code string, at int64) int64
	// AppendURL appends the URL of a protocol that Protocols lists.
	AppendURL(dst []byte, proto, code string, expires int64) []byte
}

const defaultLimit = 100 // of a query that names none

func (o Options) withDefaults() Options {
	if len(o.Lists) == 0 {
		o.Lists = []string{"live"}
	}
	o.Tick = cmp.Or(o.Tick, 250*time.Millisecond)
	o.Counters = cmp.Or(o.Counters, 2*time.Second)
	o.Idle = cmp.Or(o.Idle, 25*time.Second)
	o.Limits = o.Limits.withDefaults()
	o.History = cmp.Or(o.History, 1<<17)
	if o.Viewers == nil {
		o.Viewers = func(*presence.Stream, int) {}
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
