package redislog

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"onair/presence"
)

// Options configure Open.
type Options struct {
	// Client connects to Redis, see NewClient. Close closes it.
	Client redis.UniversalClient
	// Prefix begins the names of all keys ("onair"). Deployments that share a Redis
	// need different ones.
	Prefix string
	// SnapshotEvery is the log time between two snapshots (5 min). With a longer one
	// the log is longer, and a starting node replays more entries; with a shorter one
	// the leader has more work.
	SnapshotEvery time.Duration
	// SnapshotAge is the least age of the snapshot from which nodes start, and up to
	// which the log is trimmed (5 min). A starting node replays that much of the past,
	// so that viewers of other nodes can resume on it. A node that was away for less
	// continues from its own registry.
	SnapshotAge time.Duration
	Logger      zerolog.Logger
	Metrics     prometheus.Registerer // nil: no metrics
}

// Log is one node's handle on the log and the archive on Redis. All methods may be
// called concurrently.
type Log struct {
	// Static after Open; Load may replace redis, see checkServerOnce.
	options    Options
	redis      redis.UniversalClient
	keys       keys
	scripts    scripts
	metrics    *metrics
	foundDelay time.Duration // see defaultFoundDelay; 0 in tests
	lockToken  string        // the lock's value while this process has it

	shutdown         shutdown
	archiveSlots     chan struct{} // bounds concurrent calls of the archive
	outage           outage
	serverChecked    atomic.Bool
	minReplicasUnset atomic.Bool              // see recordReplication
	readPause        atomic.Int64             // least time.Duration between two reads
	newest           atomic.Pointer[snapshot] // the newest snapshot that this node knows
	applied          atomic.Pointer[appliedState]
	own              ownAppends
}

// shutdown ends the background tasks and the client, once.
type shutdown struct {
	once   sync.Once
	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	err    error // of closing the client
}

// appliedState is the state of the node's registry after its newest entry.
type appliedState struct {
	number   uint64
	time     int64 // log time
	isLeader bool
}

// ownAppends are this node's appends, for the lag metrics.
type ownAppends struct {
	newest atomic.Uint64 // number of the newest entry that this node appended

	mu        sync.Mutex // guards below
	node      string     // empty before Join
	unapplied uint64     // number of the newest appended entry that was not applied yet; 0: none
	repliedAt time.Time  // to the append of that entry
}

var _ presence.Log = (*Log)(nil)

// Open returns the log. It does not wait for Redis; Load does.
func Open(o Options) *Log {
	if o.Prefix == "" {
		o.Prefix = "onair"
	}
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = 5 * time.Minute
	}
	if o.SnapshotAge == 0 {
		o.SnapshotAge = 5 * time.Minute
	}
	l := &Log{
		options: o, keys: newKeys(o.Prefix), scripts: newScripts(),
		foundDelay: defaultFoundDelay, lockToken: rand.Text(),
		archiveSlots: make(chan struct{}, maxArchiveCalls), outage: outage{logger: o.Logger},
	}
	l.metrics = newMetrics(o.Metrics, l)
	l.useClient(o.Client)
	l.applied.Store(&appliedState{})
	l.shutdown.ctx, l.shutdown.cancel = context.WithCancel(context.Background())
	l.shutdown.tasks.Go(l.runSnapshotWriter)
	l.shutdown.tasks.Go(l.runReplicationChecks)
	return l
}

// useClient sets the client of all requests.
func (l *Log) useClient(client redis.UniversalClient) {
	client.AddHook(timeoutHook{l.metrics.timeouts})
	l.redis = client
}

// Join implements presence.Log. An incarnation is Redis's time in microseconds, or
// the last incarnation plus one where that is higher. So incarnations increase even
// after Redis has lost them.
func (l *Log) Join(ctx context.Context, node string, above uint64) (incarnation uint64, err error) {
	l.own.mu.Lock()
	rejoins := l.own.node != ""
	l.own.node = node
	l.own.mu.Unlock()
	return retryUntilReply(ctx, l, rejoins, func() (uint64, error) {
		text, err := l.scripts.nextIncarnation.Run(ctx, l.redis, []string{l.keys.head}, above).Text()
		if err != nil {
			return 0, err
		}
		incarnation, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("redislog: join: %w", err)
		}
		return incarnation, nil
	})
}

// retryUntilReply calls f until it succeeds, ctx ends, or it returns a permanent error.
// A node that already serves a list retries after permanent errors too: it waits until
// Redis accepts it again.
func retryUntilReply[T any](ctx context.Context, l *Log, retriesPermanent bool, f func() (T, error)) (T, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		v, err := f()
		switch {
		case err == nil:
			l.outage.end()
			return v, nil
		case ctx.Err() != nil:
			return v, ctx.Err()
		case !retriesPermanent && isPermanent(err):
			return v, l.withHint(err)
		}
		l.outage.recordError(err)
		if err := sleep(ctx, wait); err != nil {
			return v, err
		}
	}
}

// maxReadsPerSecond bounds the reads of all nodes together. Each read of an entry
// costs Redis about 20 µs. Without a bound, Redis pays that for each pair of nodes.
const maxReadsPerSecond = 10_000

// ConfirmApplied implements presence.Log.
func (l *Log) ConfirmApplied(r *presence.Registry, e presence.Entry) {
	l.readPause.Store(int64(r.LivingNodeCount()) * int64(time.Second) / maxReadsPerSecond)
	l.own.mu.Lock()
	node := l.own.node
	if l.own.unapplied != 0 && e.Num >= l.own.unapplied {
		l.metrics.tailLag.Observe(time.Since(l.own.repliedAt).Seconds())
		l.own.unapplied = 0
	}
	l.own.mu.Unlock()
	l.applied.Store(&appliedState{number: e.Num, time: e.Time, isLeader: node != "" && r.Leader() == node})
}

// recordOwnAppend remembers an own entry until it is applied.
func (l *Log) recordOwnAppend(number uint64) {
	l.own.newest.Store(number)
	l.own.mu.Lock()
	defer l.own.mu.Unlock()
	if l.applied.Load().number < number {
		l.own.unapplied, l.own.repliedAt = number, time.Now()
	}
}

// Close implements presence.Log. It writes nothing: Redis has all entries already.
func (l *Log) Close() error {
	l.shutdown.once.Do(func() {
		l.shutdown.cancel()
		l.shutdown.tasks.Wait()
		l.shutdown.err = l.redis.Close()
	})
	return l.shutdown.err
}
