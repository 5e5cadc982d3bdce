package redislog

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"onair/presence"
)

// Options are what Open needs.
type Options struct {
	// Client is where the log lives; Dial makes one that fits. The log closes it.
	Client redis.UniversalClient
	// Prefix begins the names of all keys ("onair"). Deployments that share a
	// Redis have different ones.
	Prefix string
	// SnapshotEvery is the time between two snapshots, by the log's clock (5 min).
	// More of it makes a node that starts replay more, and the log longer; less
	// costs the keeper work.
	SnapshotEvery time.Duration
	// SnapshotAge is how old a snapshot is at the least that nodes start from,
	// and behind which the log is trimmed (5 min). A node that starts has so much
	// of the past that viewers who come to it from others can go on from there,
	// and one that was away for less need not begin anew.
	SnapshotAge time.Duration
	Logger      zerolog.Logger
	Metrics     prometheus.Registerer // nil: none
}

// Log is a log on Redis, as one node sees it.
type Log struct {
	// Static after Open.
	options Options
	redis   redis.UniversalClient
	keys    keys
	scripts scripts
	logger  zerolog.Logger
	metrics *metrics
	yields  time.Duration   // yieldFor, but in tests
	token   string          // by which this process has the lock
	ctx     context.Context // ends at Close
	close   context.CancelFunc
	keeping sync.WaitGroup
	turns   chan struct{} // of calls of the archive that are under way
	once    sync.Once
	closed  error // what closing the client came to

	inspected atomic.Bool
	silent    atomic.Int64 // since when Redis does not answer, Unix milliseconds; 0: it does
	pause     atomic.Int64 // the least time between two reads
	appended  atomic.Uint64
	saved     atomic.Pointer[snapshot] // the newest snapshot that this node knows of
	applied   atomic.Pointer[standing]

	mu    sync.Mutex // guards below
	node  string
	mine  uint64 // the number of the newest own entry that was appended
	since time.Time
	said  map[string]bool // what Redis replied instead of an answer, since it answered last
}

// standing is how far the node's registry has come, and whether it is the
// keeper's.
type standing struct {
	num    uint64
	time   int64
	keeper bool
}

var _ presence.Log = (*Log)(nil)

// Open gives the log. It does not wait for Redis, which Load does.
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
	l := &Log{options: o, redis: o.Client, keys: keysOf(o.Prefix), scripts: newScripts(), logger: o.Logger, yields: yieldFor, token: rand.Text()}
	l.turns = make(chan struct{}, archiveTurns)
	l.metrics = newMetrics(o.Metrics, l)
	l.applied.Store(&standing{})
	l.ctx, l.close = context.WithCancel(context.Background())
	l.keeping.Go(l.keep)
	return l
}

// Join implements presence.Log. Boots are Redis's time in microseconds, or one
// more than the last where that is higher: so they rise even if Redis has
// forgotten them.
func (l *Log) Join(ctx context.Context, node string, above uint64) (uint64, error) {
	l.mu.Lock()
	again := l.node != ""
	l.node = node
	l.mu.Unlock()
	return await(ctx, l, func() (uint64, error) {
		text, err := l.scripts.join.Run(ctx, l.redis, []string{l.keys.head}, above).Text()
		if err != nil {
			return 0, asWait(err, again)
		}
		boot, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("redislog: boot: %w", err)
		}
		return boot, nil
	})
}

// await asks until Redis answers, or says what nothing but a person can help.
func await[T any](ctx context.Context, l *Log, ask func() (T, error)) (T, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		v, err := ask()
		switch {
		case err == nil:
			l.answers()
			return v, nil
		case ctx.Err() != nil:
			return v, ctx.Err()
		case hopeless(err):
			return v, explained(err)
		}
		l.away(err)
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// away notes that Redis does not answer, and says it once, and once for each
// reply by which it excuses itself: the first try may have found it gone, and
// those that follow find it loading for as long as it takes.
func (l *Log) away(err error) {
	first := l.silent.CompareAndSwap(0, time.Now().UnixMilli())
	excuse := ""
	if isReply(err) {
		excuse, _, _ = strings.Cut(err.Error(), " ")
	}
	l.mu.Lock()
	if first || l.said == nil {
		l.said = map[string]bool{"": true}
	}
	news := !l.said[excuse]
	l.said[excuse] = true
	l.mu.Unlock()
	switch {
	case first:
		l.logger.Warn().Err(err).Msg("redis: no answer, trying again until there is one")
	case news:
		l.logger.Warn().Err(err).Msg("redis: still no answer, for another reason")
	}
}

// answers notes that it does.
func (l *Log) answers() {
	if since := l.silent.Swap(0); since != 0 {
		l.logger.Info().Int64("after_ms", time.Now().UnixMilli()-since).Msg("redis: it answers again")
	}
}

// readsPerSecond bounds how often all nodes together read. Redis spends some
// twenty microseconds on a reader that is told of an entry; without a bound each
// entry of each node would cost that for every node.
const readsPerSecond = 10_000

// Applied implements presence.Log.
func (l *Log) Applied(r *presence.Registry, e presence.Entry) {
	l.pause.Store(int64(r.Peers()) * int64(time.Second) / readsPerSecond)
	l.mu.Lock()
	node := l.node
	if l.mine != 0 && e.Num >= l.mine {
		l.metrics.lag.Observe(time.Since(l.since).Seconds())
		l.mine = 0
	}
	l.mu.Unlock()
	l.applied.Store(&standing{num: e.Num, time: e.Time, keeper: node != "" && r.Keeper() == node})
}

// Close implements presence.Log. The image of the log is in Redis already.
func (l *Log) Close() error {
	l.once.Do(func() {
		l.close()
		l.keeping.Wait()
		l.closed = l.redis.Close()
	})
	return l.closed
}
