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

// What the benchmarks of a million anchors have: each beats once a minute, and
// every node reports as many counts as a tick takes.
const (
	millions   = 1_000_000
	beatEvery  = time.Minute
	countsTick = 512
	measureFor = 30 * time.Second
)

var minute = presence.Settings{Revision: 1, Interval: beatEvery.Milliseconds(), Missed: 3, Grace: 5_000}

func session(i int) (s presence.Session) {
	binary.LittleEndian.PutUint64(s[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(s[8:], uint64(i))
	return s
}

// population is a registry of so many live sessions.
func population(b *testing.B, n int) *presence.Registry {
	b.Helper()
	r := presence.NewRegistry()
	const each = 1000
	for at := 0; at < n; at += each {
		batch := presence.Batch{Node: "seed", Boot: 1, Origin: 1, No: uint64(at/each + 1), Knows: presence.Rules}
		if at == 0 {
			batch.Commands = append(batch.Commands, &presence.SetSettings{Settings: minute}, &presence.RaiseRules{Rules: presence.Rules})
		}
		for i := at; i < min(n, at+each); i++ {
			anchor := "anchor" + strconv.Itoa(i)
			batch.Commands = append(batch.Commands, &presence.Start{
				Session: session(i), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: "The title of " + anchor, Listed: true,
			})
		}
		num := uint64(at/each + 1)
		e := presence.Entry{ID: presence.ID{MS: num}, Num: num, Time: time.Now().UnixMilli(), Repl: "seed", Batch: batch.Seal().Bytes}
		if _, err := r.Apply(e); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

// bench is a log of one benchmark.
type bench struct {
	*testing.B
	redis *redistest.Server
}

func (b *bench) open() *Log {
	l := Open(Options{Client: Dial(Server{Addrs: []string{b.redis.Addr()}}), Logger: zerolog.Nop(), Metrics: prometheus.NewRegistry()})
	l.yields = 0
	b.Cleanup(func() { l.Close() })
	return l
}

// measured is what was used up in a while.
type measured struct {
	redis, own time.Duration
	out, in    int64
	at         time.Time
}

func (b *bench) measure() (m measured) {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	stat := func(field string) int64 {
		n, err := strconv.ParseInt(b.redis.Info("stats", field), 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return measured{
		redis: b.redis.CPU(), own: time.Duration(use.Utime.Nano() + use.Stime.Nano()), at: time.Now(),
		out: stat("total_net_output_bytes"), in: stat("total_net_input_bytes"),
	}
}

// report gives what was used up in between, of cores and of the network.
func (b *bench) report(was, is measured, nodes int, latency []time.Duration) {
	took := is.at.Sub(was.at).Seconds()
	percent := func(d time.Duration) float64 { return 100 * d.Seconds() / took }
	b.ReportMetric(percent(is.redis-was.redis), "redis-%core")
	b.ReportMetric(percent(is.own-was.own)/float64(nodes), "node-%core")
	b.ReportMetric(float64(is.out-was.out)/took/1e6, "redis-out-MB/s")
	b.ReportMetric(float64(is.in-was.in)/took/1e6, "redis-in-MB/s")
	b.ReportMetric(0, "ns/op")
	if len(latency) > 0 {
		slices.Sort(latency)
		b.ReportMetric(float64(latency[len(latency)*99/100].Microseconds())/1000, "append-p99-ms")
	}
}

// BenchmarkMillionAnchors: whole nodes, each with the whole list, share a million
// anchors that beat once a minute, and say what they count. node-%core is a
// node's share of this process.
func BenchmarkMillionAnchors(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			for range b.N {
				(&bench{b, redistest.Start(b)}).million(nodes)
			}
		})
	}
}

func (b *bench) million(nodes int) {
	if _, _, err := b.open().Load(b.Context(), population(b.B, millions)); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var ends atomic.Int64
	var running sync.WaitGroup
	crew := make([]*node.Node, nodes)
	for i := range crew {
		n, err := node.Join(ctx, b.open(), node.Config{
			Name: fmt.Sprint("n", i), Settings: minute, Shared: true,
			OnApplied: func(a node.Applied) {
				for _, c := range a.Changes {
					if c.Ended != nil {
						ends.Add(1)
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
		crew[i] = n
	}
	for i, n := range crew { // each anchor's first beat goes by its name
		<-n.Ready()
		for s := i; s < millions; s += nodes {
			n.Tell(&presence.Observe{Session: session(s), Source: presence.FromBeats, Sign: presence.Heard})
		}
		if err := n.Sync(ctx); err != nil {
			b.Fatal(err)
		}
	}
	for i, n := range crew {
		running.Go(func() { beatOn(ctx, n, i, nodes) })
	}
	<-time.After(3 * time.Second)
	was := b.measure()
	<-time.After(measureFor)
	is := b.measure()
	stop()
	running.Wait()
	b.report(was, is, nodes, nil)
	if n := ends.Load(); n > 0 {
		b.Errorf("%d sessions ended", n)
	}
}

// beatOn has every nodes-th anchor, from one on, beat once a minute, and the
// viewers of some come and go.
func beatOn(ctx context.Context, n *node.Node, from, nodes int) {
	leases := make([]presence.Lease, 0, millions/nodes+1)
	n.Read(func(r *presence.Registry) {
		for s := from; s < millions; s += nodes {
			leases = append(leases, r.Session(session(s)).Lease())
		}
	})
	const step = 10 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	began, done := time.Now(), 0
	for second := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(began) * time.Duration(len(leases)) / beatEvery); done < due; done++ {
			n.Beat(leases[done%len(leases)])
		}
		if s := int(time.Since(began).Seconds()); s > second {
			second = s
			for range countsTick {
				n.Viewers(session(rand.IntN(millions)), 1+rand.IntN(1000))
			}
		}
	}
}

// BenchmarkManyNodes: appenders and readers as those of so many nodes, which
// share a million anchors, with batches like theirs and nothing behind them. It
// is Redis that is measured.
func BenchmarkManyNodes(b *testing.B) {
	for _, nodes := range []int{3, 10, 30, 100} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			for range b.N {
				(&bench{b, redistest.Start(b)}).many(nodes)
			}
		})
	}
}

func (b *bench) many(nodes int) {
	if _, _, err := b.open().Load(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	var mu sync.Mutex
	var latency []time.Duration
	for i := range nodes {
		l := b.open()
		l.pause.Store(int64(nodes) * int64(time.Second) / readsPerSecond)
		running.Go(func() {
			for _, err := range l.Tail(ctx, presence.Entry{}) {
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		running.Go(func() {
			took := appendOn(ctx, b, l, i, nodes)
			mu.Lock()
			latency = append(latency, took...)
			mu.Unlock()
		})
	}
	<-time.After(3 * time.Second)
	was := b.measure()
	<-time.After(measureFor)
	is := b.measure()
	stop()
	running.Wait()
	b.report(was, is, nodes, latency)
}

// appendOn appends a node's batch each second, from a moment of its own on.
func appendOn(ctx context.Context, b *bench, l *Log, i, nodes int) (took []time.Duration) {
	if sleep(ctx, time.Duration(i)*time.Second/time.Duration(nodes)) != nil {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	batch := presence.Batch{Node: fmt.Sprint("n", i), Boot: 1, Origin: 1, Knows: presence.Rules}
	for {
		batch.No++
		batch.Beats, batch.Viewers = batch.Beats[:0], batch.Viewers[:0]
		for range millions / int(beatEvery.Seconds()) / nodes {
			lease := presence.Lease{Index: rand.Uint32N(millions), Tag: uint16(rand.Uint32())}
			batch.Beats = append(batch.Beats, presence.Beat{Lease: lease, Age: rand.Uint32N(1000)})
		}
		for range countsTick {
			lease := presence.Lease{Index: rand.Uint32N(millions), Tag: uint16(rand.Uint32())}
			batch.Viewers = append(batch.Viewers, presence.Count{Lease: lease, N: int64(1 + rand.IntN(1000))})
		}
		began := time.Now()
		if err := l.Append(ctx, batch.Seal()); err != nil {
			if ctx.Err() == nil {
				b.Error(err)
			}
			return took
		}
		took = append(took, time.Since(began))
		select {
		case <-ctx.Done():
			return took
		case <-tick.C:
		}
	}
}
