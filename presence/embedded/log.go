package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
)

// InMemory is the Options.Dir of a log that stores nothing on disk.
const InMemory = "memory"

// Options configure Open.
type Options struct {
	Dir string // directory of the database, or InMemory
	// ReadOnly opens an existing database, and changes or moves aside nothing in it.
	ReadOnly bool
	Logger   zerolog.Logger
	Metrics  prometheus.Registerer // nil: no metrics
}

// Log is the log and the archive inside one process. It serves one node, but
// accepts batches of several. All methods may be called concurrently.
type Log struct {
	// Static after Open.
	store  *store // nil: in memory
	logger zerolog.Logger
	clock  clock
	epoch  string // a random name: each start of the process begins an epoch

	memory   memoryStore // used where store is nil
	buffer   entryBuffer
	pending  pendingRows
	requests requests
	shutdown shutdown
	writer   writerState
}

// requests are the channels to the writer.
type requests struct {
	appends      chan *appendRequest
	transactions chan *transactionRequest
}

// shutdown ends the writer and the store, once.
type shutdown struct {
	once       sync.Once
	started    chan struct{} // closed when Close begins
	writerDone chan struct{} // closed when the writer has returned
	err        error         // of closing the store
}

// writerState belongs to the writer, and to Load before the first append.
type writerState struct {
	lastEntry presence.Entry             // without its batch
	lastSeqs  map[nodeIncarnation]uint64 // of ordered batches
	unsaved   []presence.Entry           // entries that are in neither table, nor in the pending rows
}

// nodeIncarnation is one life of one node.
type nodeIncarnation struct {
	node        string
	incarnation uint64
}

func incarnationOf(b *presence.SealedBatch) nodeIncarnation {
	return nodeIncarnation{b.Node, b.Incarnation}
}

// appendRequest asks the writer to append a batch.
type appendRequest struct {
	presence.SealedBatch
	result chan error
}

// clock is the log's time: the wall clock at the start plus monotonic time
// since, so that setting the wall clock does not move it.
type clock struct{ start time.Time }

// now returns Unix milliseconds.
func (c clock) now() (unixMS int64) { return c.start.UnixMilli() + time.Since(c.start).Milliseconds() }

var _ presence.Log = (*Log)(nil)

// ErrLocked is returned by Open when another process uses the directory.
var ErrLocked = errors.New("embedded: another process uses this directory")

// Open opens or creates the log in a directory, and locks the directory until
// Close. It returns ErrLocked when another process has the lock, and with ReadOnly
// fs.ErrNotExist when there is no database.
func Open(o Options) (*Log, error) {
	l := &Log{
		logger: o.Logger, clock: clock{time.Now()}, epoch: rand.Text(),
		memory: newMemoryStore(), buffer: newEntryBuffer(), pending: newPendingRows(),
		requests: requests{make(chan *appendRequest), make(chan *transactionRequest)},
		shutdown: shutdown{started: make(chan struct{}), writerDone: make(chan struct{})},
		writer:   writerState{lastSeqs: map[nodeIncarnation]uint64{}},
	}
	metrics := newMetrics(o.Metrics)
	if o.Dir != InMemory {
		var err error
		if l.store, err = openStore(o, metrics); err != nil {
			return nil, err
		}
	}
	go l.runWriter()
	return l, nil
}

// Load implements presence.Log. It returns the registry of the rows with all
// durable entries after them applied. In memory it ignores own.
func (l *Log) Load(_ context.Context, own *presence.Registry) (reg *presence.Registry, head uint64, err error) {
	reg = presence.NewRegistry()
	if l.store != nil {
		if reg, err = l.store.loadRegistry(own); err != nil {
			return nil, 0, fmt.Errorf("embedded: load: %w", err)
		}
	} else {
		reg.TrackChangedRecords()
	}
	reg.ReseedPositions(mathrand.Uint64())
	if position := reg.Position(); reg.LastNum() > l.writer.lastEntry.Num { // before the first append
		l.writer.lastEntry = presence.Entry{ID: position.ID, Num: reg.LastNum(), Time: reg.LogTime()}
		l.buffer.setPrecedingID(position.ID)
	}
	return reg, reg.LastNum(), nil
}

// LoadExisting returns what Load returns, and a nil registry for an empty log.
func (l *Log) LoadExisting(ctx context.Context) (regOrNil *presence.Registry, head uint64, err error) {
	regOrNil, head, err = l.Load(ctx, nil)
	if head == 0 {
		regOrNil = nil
	}
	return regOrNil, head, err
}

// Join implements presence.Log.
func (l *Log) Join(_ context.Context, _ string, above uint64) (incarnation uint64, err error) {
	if l.store == nil {
		return l.memory.nextIncarnation(above), nil
	}
	if incarnation, err = l.store.nextIncarnation(above); err != nil {
		return 0, fmt.Errorf("embedded: join: %w", err)
	}
	return incarnation, nil
}

// Append implements presence.Log.
func (l *Log) Append(ctx context.Context, b presence.SealedBatch) error {
	request := &appendRequest{b, make(chan error, 1)}
	select {
	case l.requests.appends <- request:
	case <-l.shutdown.started:
		return fmt.Errorf("%w: the log is closed", presence.ErrNotWritten)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", presence.ErrNotWritten, ctx.Err())
	}
	return <-request.result // soon, also after ctx has ended
}

// ConfirmApplied implements presence.Log.
func (l *Log) ConfirmApplied(r *presence.Registry, e presence.Entry) {
	changed := r.TakeChangedRecords()
	if l.store != nil {
		l.pending.addRecords(changed, e.Num)
	}
}

// Close implements presence.Log.
func (l *Log) Close() error {
	l.shutdown.once.Do(func() {
		close(l.shutdown.started)
		<-l.shutdown.writerDone
		l.buffer.close()
		if l.store != nil {
			l.shutdown.err = l.store.close()
		}
	})
	return l.shutdown.err
}
