package hub

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
)

// BenchmarkViewsAtScale measures many views of a long list, as on a busy node: 2,000
// views over 200 tags, three sorts and three limits, half of them with play URLs,
// and 5,000 changes a second in entries of 50. Apply and Run work as in a server.
// Viewers' connections accept all messages. One operation takes twenty seconds of
// real time: use -benchtime 1x. The other cases have more of one kind, or deflate.
//
// It reports CPU time for each change: of the process, with the garbage collector
// and without the workload, and of Apply, on its own thread without the collector.
// "met" and "touched" count the views for each change: those whose filter it
// matches, and those whose window it changes.
func BenchmarkViewsAtScale(b *testing.B) {
	base := benchScale{streams: 100_000, views: 2000, viewers: 1, changesPerSecond: 5000}
	for _, c := range []struct {
		name string
		edit func(*benchScale)
	}{
		{"base", func(*benchScale) {}},
		{"idle", func(s *benchScale) { s.changesPerSecond = 0 }},
		{"streams=2x", func(s *benchScale) { s.streams *= 2 }},
		{"views=2x", func(s *benchScale) { s.views *= 2 }},
		{"viewers=2x", func(s *benchScale) { s.viewers *= 2 }},
		{"viewers=8x", func(s *benchScale) { s.viewers *= 8 }},
		{"deflate", func(s *benchScale) { s.deflate = true }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := base
			c.edit(&s)
			for b.Loop() {
				s.measure(b)
			}
		})
	}
}

// benchScale is the size of a workload.
type benchScale struct {
	streams, views, viewers int
	changesPerSecond        int
	deflate                 bool
}

const (
	scaleSeconds = 20
	scaleEntry   = 50 // changes of one log entry
)

func (s benchScale) measure(b *testing.B) {
	l := newWorkload(s)
	counts := &countingConn{deflate: s.deflate}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	done.Go(func() { l.hub.Run(ctx) })
	for _, q := range l.makeQueries(s.views) {
		for range s.viewers {
			socket := l.hub.Attach(counts)
			defer socket.Close()
			if e := l.hub.Subscribe(socket, &q); e != nil {
				b.Fatal(e)
			}
		}
	}
	met, touched := l.countMatches(100)
	entries := l.makeEntries(s.changesPerSecond * scaleSeconds)
	time.Sleep(3 * time.Second) // flush snapshots and the changes of countMatches
	runtime.GC()

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	frames, bytes := counts.frames.Load(), counts.bytes.Load()
	l.hub.mu.Lock()
	encoded := l.hub.encoder.encoded
	l.hub.mu.Unlock()
	all, own, start := cpuTime(syscall.RUSAGE_SELF), cpuTime(rusageThread), time.Now()
	var apply time.Duration
	for i, changes := range entries {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second * scaleSeconds / time.Duration(len(entries)))))
		before := cpuTime(rusageThread)
		l.applyEntry(changes)
		apply += cpuTime(rusageThread) - before
	}
	time.Sleep(time.Until(start.Add(scaleSeconds * time.Second)))
	own = cpuTime(rusageThread) - own
	all = cpuTime(syscall.RUSAGE_SELF) - all - (own - apply)
	elapsed := time.Since(start)
	frames, bytes = counts.frames.Load()-frames, counts.bytes.Load()-bytes
	l.hub.mu.Lock()
	encoded = l.hub.encoder.encoded - encoded
	l.hub.mu.Unlock()

	n := float64(max(1, len(entries)*scaleEntry))
	b.ReportMetric(100*all.Seconds()/elapsed.Seconds(), "%core")
	b.ReportMetric(0, "ns/op")
	if s.changesPerSecond == 0 {
		return
	}
	b.ReportMetric(float64(all.Microseconds())/n, "cpu-µs/change")
	b.ReportMetric(float64(apply.Microseconds())/n, "apply-µs/change")
	b.ReportMetric(met, "met/change")
	b.ReportMetric(touched, "touched/change")
	b.ReportMetric(float64(encoded)/elapsed.Seconds(), "frames/s")
	b.ReportMetric(float64(frames)/elapsed.Seconds(), "writes/s")
	b.ReportMetric(float64(bytes)/max(1, float64(frames)), "B/write")
}

const rusageThread = 1 // RUSAGE_THREAD, which package syscall lacks

// cpuTime is the CPU time of the process or of this thread.
func cpuTime(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// countingConn is a Conn that accepts and counts all messages.
type countingConn struct {
	discardConn
	deflate       bool
	frames, bytes atomic.Int64
}

func (c *countingConn) Write(m socket.Message) (full bool, err error) {
	n := len(m.Head)
	if m.Body != nil {
		n += m.Body.Len()
	}
	if c.deflate {
		n = len(m.AppendFrame(nil, true))
	}
	c.frames.Add(1)
	c.bytes.Add(int64(n))
	return false, nil
}

// workload makes a list and its changes. A stream of a higher rank has more viewers
// and changes more often.
type workload struct {
	hub        *Hub
	rand       *rand.Rand
	streams    []*presence.Stream // by rank
	ranks      zipf
	tags       zipf
	entryCount int
	logTime    int64
	sessions   int
	ended      []int // ranks of streams that have ended
}

func newWorkload(s benchScale) *workload {
	l := &workload{
		hub:  New(Options{Signer: newRealSigner(), Limits: Limits{SnapshotsPerSecond: 1000}}),
		rand: rand.New(rand.NewPCG(1, 2)), ranks: newZipf(s.streams), tags: newZipf(200), logTime: testStart,
	}
	for rank := range s.streams {
		st := l.newStream(rank)
		st.StartedAt -= l.rand.Int64N(4 * 3600 * 1000)
		st.Viewers, st.Likes = l.viewerTarget(rank), 10*l.viewerTarget(rank)
		l.streams = append(l.streams, st)
	}
	l.hub.Load(slices.Values(l.streams), position(0), l.logTime)
	return l
}

// newStream makes a stream with two or three tags.
func (l *workload) newStream(rank int) *presence.Stream {
	l.sessions++
	st := &presence.Stream{
		Session: presence.Session{byte(l.sessions), byte(l.sessions >> 8), byte(l.sessions >> 16), 1},
		Code:    fmt.Sprintf("8888_%08x", uint32(l.sessions)*2654435761), Anchor: fmt.Sprint("user", l.sessions),
		List: "live", Details: presence.Details{Title: fmt.Sprintf("Live from stage %d, come and say hello", l.sessions), Cover: fmt.Sprintf("https://covers.example/%08x.jpg", l.sessions)},
		StartedAt: l.logTime,
		State:     presence.Live, Listed: true, Shown: true,
	}
	for len(st.Tags) < 2+rank%2 {
		if tag := tagName(l.tags.randomRank(l.rand)); !slices.Contains(st.Tags, tag) {
			st.Tags = append(st.Tags, tag)
		}
	}
	return st
}

func tagName(rank int) string { return fmt.Sprintf("tag%03d", rank) }

// viewerTarget is the usual number of viewers at a rank, with noise.
func (l *workload) viewerTarget(rank int) int64 {
	return int64(200_000 / math.Pow(float64(rank+1), 0.9) * (0.8 + 0.4*l.rand.Float64()))
}

// makeQueries makes n different queries. With three limits there are 3,618.
func (l *workload) makeQueries(n int) (all []wire.Subscribe) {
	limits := []int{20, 100, 500, 50, 200, 350}
	if n <= 2000 {
		limits = limits[:3]
	}
	seen := map[string]bool{}
	for len(all) < n {
		q := wire.Subscribe{
			ID: "1", Tags: []string{tagName(l.tags.randomRank(l.rand))},
			Sort:  []string{wire.SortViewers, wire.SortLikes, wire.SortStarted}[l.rand.IntN(3)],
			Limit: limits[l.rand.IntN(len(limits))],
		}
		if l.rand.IntN(10) == 0 {
			q.Tags = nil // the whole list
		}
		if l.rand.IntN(2) == 0 {
			q.Play = []string{"flv", "hls"}
		}
		if id, _ := l.hub.ViewID(&q); !seen[id] {
			seen[id] = true
			all = append(all, q)
		}
	}
	return all
}

// makeEntries makes entries of changes; streams differ within an entry. Of a hundred
// changes, 90 are of counters, 8 of title, state or tags, one starts and one ends.
func (l *workload) makeEntries(changes int) (all [][]presence.Change) {
	for len(all) < changes/scaleEntry {
		var entry []presence.Change
		used := map[int]bool{}
		for len(entry) < scaleEntry {
			if c, rank := l.nextChange(used); !used[rank] {
				used[rank] = true
				entry = append(entry, c)
			}
		}
		all = append(all, entry)
	}
	return all
}

func (l *workload) nextChange(used map[int]bool) (c presence.Change, rank int) {
	kind := l.rand.IntN(100)
	if kind == 98 {
		rank = l.rand.IntN(len(l.streams))
		c.Old = l.streams[rank]
		if c.Old != nil && !used[rank] {
			l.streams[rank] = nil
			l.ended = append(l.ended, rank)
			return c, rank
		}
	}
	if last := len(l.ended) - 1; kind == 99 && last >= 0 && !used[l.ended[last]] {
		rank = l.ended[last]
		l.ended = l.ended[:last]
		l.streams[rank] = l.newStream(rank)
		c.New = l.streams[rank]
		return c, rank
	}
	for c.Old == nil || used[rank] {
		rank = l.ranks.randomRank(l.rand)
		c.Old = l.streams[rank]
	}
	next := *c.Old
	switch {
	case kind < 45 || kind >= 98: // towards its rank's usual number
		next.Viewers += (l.viewerTarget(rank)-next.Viewers)/4 + l.rand.Int64N(3) - 1
		next.Viewers = max(0, next.Viewers)
	case kind < 90:
		next.Likes += 1 + l.rand.Int64N(1+next.Viewers/100)
	case kind < 94:
		next.State, next.Away = presence.Away, presence.MissedBeat
		if c.Old.State == presence.Away {
			next.State, next.Away = presence.Live, presence.NotAway
		}
	case kind < 97:
		next.Title = fmt.Sprintf("Song %d, by request", l.rand.IntN(1000))
	case kind < 98:
		next.Tags = append(slices.Clone(next.Tags[:1]), tagName(l.tags.randomRank(l.rand)))
		next.Tags = slices.Compact(next.Tags)
	}
	l.streams[rank] = &next
	c.New = &next
	return c, rank
}

func (l *workload) applyEntry(changes []presence.Change) {
	l.entryCount++
	l.logTime += 10
	l.hub.Apply(position(l.entryCount), l.logTime, changes, time.Time{})
}

// countMatches applies some entries. It counts the views that match each change, and
// those whose window it changes, on average.
func (l *workload) countMatches(entries int) (met, touched float64) {
	changes := 0
	for _, e := range l.makeEntries(entries) {
		l.hub.mu.Lock()
		for _, c := range e {
			changes++
			for _, v := range l.hub.views {
				old, new := v.order.rankedIfMatching(c.Old), v.order.rankedIfMatching(c.New)
				if old.stream != nil || new.stream != nil {
					met++
				}
				if v.isInWindow(old) || v.isInWindow(new) {
					touched++
				}
			}
		}
		l.hub.mu.Unlock()
		l.applyEntry(e)
	}
	return met / float64(changes), touched / float64(changes)
}

// zipf has the cumulative weights of ranks by Zipf's law.
type zipf []float64

func newZipf(n int) zipf {
	z, sum := make(zipf, n), 0.0
	for i := range z {
		sum += 1 / float64(i+1)
		z[i] = sum
	}
	return z
}

func (z zipf) randomRank(r *rand.Rand) int {
	i, _ := slices.BinarySearch(z, r.Float64()*z[len(z)-1])
	return min(i, len(z)-1)
}
