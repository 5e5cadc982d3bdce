package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
)

// Memory is the directory that keeps nothing.
const Memory = "memory"

// Options are what Open needs.
type Options struct {
	Dir     string // of the database; Memory keeps nothing
	Logger  zerolog.Logger
	Metrics prometheus.Registerer // nil: none
}

// Log is the log inside one process. It serves one node at a time, though
// batches of several may be appended.
type Log struct {
	// Static after Open.
	store   *store // nil: memory
	logger  zerolog.Logger
	metrics *metrics
	repl    string // of this start
	began   time.Time

	appends chan *appending
	changes chan *changing
	closing chan struct{}
	done    chan struct{} // closed when the writer has ended
	once    sync.Once
	closed  error // what closing the store came to
	tail    tail
	image   image
	memory  memory // recordings, where there is no store

	// Owned by the writer, and by Load before the first append.
	last presence.Entry // the newest, without its batch
	seen map[speaker]uint64
	// unsaved are the entries that are neither in the table nor in the image.
	unsaved []presence.Entry
}

// speaker is one boot of one node.
type speaker struct {
	node string
	boot uint64
}

// appending is a batch on its way through the writer.
type appending struct {
	presence.Sealed
	result chan error
}

var _ presence.Log = (*Log)(nil)

// ErrLocked is returned by Open when another process uses the directory.
var ErrLocked = errors.New("embedded: another process uses this directory")

// Open opens or makes the log in a directory, and keeps other processes out of
// it until Close. It returns ErrLocked when one is in already.
func Open(o Options) (*Log, error) {
	l := &Log{
		logger: o.Logger, metrics: newMetrics(o.Metrics), repl: newRepl(), began: time.Now(),
		appends: make(chan *appending), changes: make(chan *changing), closing: make(chan struct{}), done: make(chan struct{}),
		seen: map[speaker]uint64{},
	}
	l.tail.init()
	l.image.init()
	l.memory.init()
	if o.Dir != Memory {
		var err error
		if l.store, err = openStore(o.Dir, o.Logger); err != nil {
			return nil, err
		}
	}
	go l.write()
	return l, nil
}

// Damaged is where a database that could not be read was moved, or empty. With it
// went the recordings that were kept: the archive is empty too.
func (l *Log) Damaged() string {
	if l.store == nil {
		return ""
	}
	return l.store.damaged
}

// Load implements presence.Log: the image is the registry of the newest rows
// with every durable entry after them applied.
func (l *Log) Load(context.Context, *presence.Registry) (*presence.Registry, uint64, error) {
	reg := presence.NewRegistry()
	if l.store != nil {
		var err error
		if reg, err = l.store.load(); err != nil {
			return nil, 0, fmt.Errorf("embedded: load: %w", err)
		}
	} else {
		reg.TrackDirty()
	}
	reg.Reseed(newSeed())
	if at := reg.Position(); reg.Num() > l.lastNum() {
		l.start(presence.Entry{ID: at.ID, Num: reg.Num(), Time: reg.Time()})
	}
	return reg, reg.Num(), nil
}

// Join implements presence.Log.
func (l *Log) Join(_ context.Context, _ string, above uint64) (uint64, error) {
	if l.store == nil {
		return l.image.boot(above), nil
	}
	boot, err := l.store.boot(above)
	if err != nil {
		return 0, fmt.Errorf("embedded: join: %w", err)
	}
	return boot, nil
}

// Append implements presence.Log.
func (l *Log) Append(ctx context.Context, b presence.Sealed) error {
	a := &appending{b, make(chan error, 1)}
	select {
	case l.appends <- a:
	case <-l.closing:
		return fmt.Errorf("%w: the log is closed", presence.ErrNotWritten)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", presence.ErrNotWritten, ctx.Err())
	}
	// The writer has it: it answers soon, whatever ctx says.
	return <-a.result
}

// Applied implements presence.Log.
func (l *Log) Applied(r *presence.Registry, e presence.Entry) {
	if l.store == nil {
		r.TakeDirty()
		return
	}
	l.image.add(r.TakeDirty(), e.Num)
}

// Close implements presence.Log.
func (l *Log) Close() error {
	l.once.Do(func() {
		close(l.closing)
		<-l.done
		l.tail.close()
		if l.store != nil {
			l.closed = l.store.close()
		}
	})
	return l.closed
}

// now is the log's time: the wall clock at Open plus monotonic time since, so
// that a clock that is set does not move it.
func (l *Log) now() int64 { return l.began.UnixMilli() + time.Since(l.began).Milliseconds() }

// stale reports whether the log has this batch already.
func (l *Log) stale(b *presence.Sealed) bool {
	return b.No <= l.seen[speaker{b.Node, b.Boot}]
}
