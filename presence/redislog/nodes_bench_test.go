package redislog

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/presence/node"
	"onair/presence/redislog/redistest"
)

// The benchmarks have a million anchors that beat once a minute. Each node reports as
// many viewer counts as one tick takes.
const (
	benchAnchors  = 1_000_000
	beatInterval  = time.Minute
	countsPerTick = 512
	warmUp        = 3 * time.Second
	measurePeriod = 30 * time.Second
)

var benchSettings = presence.Settings{Revision: 1, Interval: beatInterval.Milliseconds(), Missed: 3, Grace: 5_000}

// sessionID returns the session of the i-th anchor.
func sessionID(i int) (s presence.Session) {
	binary.LittleEndian.PutUint64(s[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(s[8:], uint64(i))
	return s
}

// populatedRegistry returns a registry with that many live sessions.
func populatedRegistry(b *testing.B, sessions int) *presence.Registry {
	b.Helper()
	r := presence.NewRegistry()
	const startsPerBatch = 1000
	for first := 0; first < sessions; first += startsPerBatch {
		number := uint64(first/startsPerBatch + 1)
		batch := presence.Batch{Node: "seed", Incarnation: 1, Process: 1, Seq: number, MaxRules: presence.LatestRules}
		if first == 0 {
			batch.Commands = append(batch.Commands, &presence.SetSettings{Settings: benchSettings}, &presence.RaiseRules{Rules: presence.LatestRules})
		}
		for i := first; i < min(sessions, first+startsPerBatch); i++ {
			anchor := "anchor" + strconv.Itoa(i)
			batch.Commands = append(batch.Commands, &presence.Start{
				Session: sessionID(i), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: "The title of " + anchor, Listed: true,
			})
		}
		e := presence.Entry{ID: presence.ID{MS: number}, Num: number, Time: time.Now().UnixMilli(), Epoch: "seed", Batch: batch.Seal().Bytes}
		if _, err := r.Apply(e); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

// redisBench is a benchmark with its own Redis.
type redisBench struct {
	*testing.B
	redis *redistest.Server
}

func (b *redisBench) openLog() *Log {
	l := Open(Options{
		Client: NewClient(ClientOptions{Addrs: []string{b.redis.Addr()}}), Logger: zerolog.Nop(), Metrics: prometheus.NewRegistry(),
	})
	l.foundDelay = 0
	b.Cleanup(func() { l.Close() })
	return l
}

// usage is what Redis and this process have used until a time.
type usage struct {
	redisCPU, ownCPU  time.Duration
	bytesOut, bytesIn int64 // of Redis
	at                time.Time
}

func (b *redisBench) currentUsage() usage {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		b.Fatal(err)
	}
	stat := func(field string) int64 {
		n, err := strconv.ParseInt(b.redis.Info("stats", field), 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return usage{
		redisCPU: b.redis.CPUTime(), ownCPU: time.Duration(own.Utime.Nano() + own.Stime.Nano()), at: time.Now(),
		bytesOut: stat("total_net_output_bytes"), bytesIn: stat("total_net_input_bytes"),
	}
}

// measureUsage reports what is used in measurePeriod, after warmUp.
func (b *redisBench) measureUsage(nodes int) {
	<-time.After(warmUp)
	before := b.currentUsage()
	<-time.After(measurePeriod)
	after := b.currentUsage()
	seconds := after.at.Sub(before.at).Seconds()
	percent := func(d time.Duration) float64 { return 100 * d.Seconds() / seconds }
	b.ReportMetric(percent(after.redisCPU-before.redisCPU), "redis-%core")
	b.ReportMetric(percent(after.ownCPU-before.ownCPU)/float64(nodes), "node-%core")
	b.ReportMetric(float64(after.bytesOut-before.bytesOut)/seconds/1e6, "redis-out-MB/s")
	b.ReportMetric(float64(after.bytesIn-before.bytesIn)/seconds/1e6, "redis-in-MB/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMillionAnchors measures nodes that share a million anchors. Each node has the
// whole list. node-%core is a node's share of this process.
func BenchmarkMillionAnchors(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			for range b.N {
				(&redisBench{b, redistest.Start(b)}).runNodes(nodes)
			}
		})
	}
}

func (b *redisBench) runNodes(count int) {
	if _, _, err := b.openLog().Load(b.Context(), populatedRegistry(b.B, benchAnchors)); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var ended atomic.Int64
	var running sync.WaitGroup
	nodes := make([]*node.Node, count)
	for i := range nodes {
		nodes[i] = b.startNode(ctx, i, &running, &ended)
	}
	for i, n := range nodes { // a node gets an anchor's first beat with the session's id
		<-n.Ready()
		for s := i; s < benchAnchors; s += count {
			n.Enqueue(&presence.Observe{Session: sessionID(s), Source: presence.FromBeats, Signal: presence.BeatReceived})
		}
		if err := n.Sync(ctx); err != nil {
			b.Fatal(err)
		}
	}
	for i, n := range nodes {
		running.Go(func() { sendBeats(ctx, n, i, count) })
	}
	b.measureUsage(count)
	stop()
	running.Wait()
	if n := ended.Load(); n > 0 {
		b.Errorf("%d sessions ended", n)
	}
}

func (b *redisBench) startNode(ctx context.Context, i int, running *sync.WaitGroup, ended *atomic.Int64) *node.Node {
	n, err := node.Join(ctx, b.openLog(), node.Config{
		Name: fmt.Sprint("n", i), Settings: benchSettings, Shared: true,
		OnApplied: func(a node.Applied) {
			for _, c := range a.Changes {
				if c.Ended != nil {
					ended.Add(1)
				}
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	running.Go(func() {
		if err := n.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	return n
}

// sendBeats sends a beat per minute for each nodes-th anchor from first on, and changes
// the viewer counts of some.
func sendBeats(ctx context.Context, n *node.Node, first, nodes int) {
	leases := make([]presence.Lease, 0, benchAnchors/nodes+1)
	n.Read(func(r *presence.Registry) {
		for s := first; s < benchAnchors; s += nodes {
			leases = append(leases, r.StreamBySession(sessionID(s)).Lease())
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	start, sent := time.Now(), 0
	for second := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(start) * time.Duration(len(leases)) / beatInterval); sent < due; sent++ {
			n.Beat(leases[sent%len(leases)])
		}
		if s := int(time.Since(start).Seconds()); s > second {
			second = s
			for range countsPerTick {
				n.SetViewers(sessionID(rand.IntN(benchAnchors)), 1+rand.IntN(1000))
			}
		}
	}
}

// BenchmarkManyNodes measures Redis with the appends and reads of that many nodes, which
// share a million anchors. Nothing applies the entries.
func BenchmarkManyNodes(b *testing.B) {
	for _, nodes := range []int{3, 10, 30, 100} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			for range b.N {
				(&redisBench{b, redistest.Start(b)}).runLogs(nodes)
			}
		})
	}
}

func (b *redisBench) runLogs(nodes int) {
	if _, _, err := b.openLog().Load(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	var mu sync.Mutex
	var latencies []time.Duration
	for i := range nodes {
		l := b.openLog()
		l.readPause.Store(int64(nodes) * int64(time.Second) / maxReadsPerSecond)
		running.Go(func() {
			for _, err := range l.Tail(ctx, presence.Entry{}) {
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		running.Go(func() {
			took := b.appendEverySecond(ctx, l, i, nodes)
			mu.Lock()
			latencies = append(latencies, took...)
			mu.Unlock()
		})
	}
	b.measureUsage(nodes)
	stop()
	running.Wait()
	if len(latencies) > 0 {
		slices.Sort(latencies)
		b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds())/1000, "append-p99-ms")
	}
}

// appendEverySecond appends the i-th node's batches until ctx ends. The nodes start at
// different times within the first second.
func (b *redisBench) appendEverySecond(ctx context.Context, l *Log, i, nodes int) (latencies []time.Duration) {
	if sleep(ctx, time.Duration(i)*time.Second/time.Duration(nodes)) != nil {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	randomLease := func() presence.Lease {
		return presence.Lease{Index: rand.Uint32N(benchAnchors), Tag: uint16(rand.Uint32())}
	}
	batch := presence.Batch{Node: fmt.Sprint("n", i), Incarnation: 1, Process: 1, MaxRules: presence.LatestRules}
	for {
		batch.Seq++
		batch.Beats, batch.Viewers = batch.Beats[:0], batch.Viewers[:0]
		for range benchAnchors / int(beatInterval.Seconds()) / nodes {
			batch.Beats = append(batch.Beats, presence.Beat{Lease: randomLease(), Age: rand.Uint32N(1000)})
		}
		for range countsPerTick {
			batch.Viewers = append(batch.Viewers, presence.Count{Lease: randomLease(), N: int64(1 + rand.IntN(1000))})
		}
		start := time.Now()
		if err := l.Append(ctx, batch.Seal()); err != nil {
			if ctx.Err() == nil {
				b.Error(err)
			}
			return latencies
		}
		latencies = append(latencies, time.Since(start))
		select {
		case <-ctx.Done():
			return latencies
		case <-tick.C:
		}
	}
}
