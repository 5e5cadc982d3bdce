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

// BenchmarkViewsAtScale keeps many views of a long list, as a busy node does:
// 2,000 of them over 200 tags, three sorts and three limits, half with play
// URLs, and 5,000 changes a second in entries of 50. One operation is twenty
// seconds of real time, in which Apply and Run do what they do in a server and
// each view has viewers whose connections take everything; so give it
// -benchtime 1x. The other cases have more of one thing, or deflate.
//
// What is reported is CPU time of the process, the garbage collector's
// included and that of making the load left out: in all and in Apply (on its
// own thread, without the collector's), for each change. "met" and "touched"
// are views: whose filter a change meets, and whose window it is in.
func BenchmarkViewsAtScale(b *testing.B) {
	base := benchScale{streams: 100_000, views: 2000, viewers: 1, rate: 5000}
	for _, c := range []struct {
		name string
		edit func(*benchScale)
	}{
		{"base", func(*benchScale) {}},
		{"idle", func(s *benchScale) { s.rate = 0 }},
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

// benchScale is how much there is of everything.
type benchScale struct {
	streams, views, viewers int
	rate                    int // changes a second
	deflate                 bool
}

const (
	scaleSeconds = 20
	scaleEntry   = 50 // changes in an entry of the log
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
	entries := l.makeEntries(s.rate * scaleSeconds)
	time.Sleep(3 * time.Second) // snapshots go, and what the census has touched
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
	if s.rate == 0 {
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

const rusageThread = 1 // syscall has no name for it

// cpuTime is the CPU time of the process or of this thread.
func cpuTime(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// countingConn is a Conn that takes everything at once, and counts.
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

// workload makes a list and what happens to it. The streams have ranks: the higher
// one is, the more viewers it has, and the more often it changes.
type workload struct {
	hub        *Hub
	rand       *rand.Rand
	streams    []*presence.Stream // by rank
	ranks      zipf
	tags       zipf
	entryCount int // entries
	time       int64
	started    int
	ended      []int // ranks of streams that have ended
}

func newWorkload(s benchScale) *workload {
	l := &workload{
		hub:  New(Options{Signer: newRealSigner(), Limits: Limits{SnapshotsPerSecond: 1000}}),
		rand: rand.New(rand.NewPCG(1, 2)), ranks: newZipf(s.streams), tags: newZipf(200), time: testStart,
	}
	for rank := range s.streams {
		st := l.newStream(rank)
		st.StartedAt -= l.rand.Int64N(4 * 3600 * 1000)
		st.Viewers, st.Likes = l.viewerTarget(rank), 10*l.viewerTarget(rank)
		l.streams = append(l.streams, st)
	}
	l.hub.Load(slices.Values(l.streams), position(0), l.time)
	return l
}

// newStream makes a stream of two or three tags.
func (l *workload) newStream(rank int) *presence.Stream {
	l.started++
	st := &presence.Stream{
		Session: presence.Session{byte(l.started), byte(l.started >> 8), byte(l.started >> 16), 1},
		Code:    fmt.Sprintf("8888_%08x", uint32(l.started)*2654435761), Anchor: fmt.Sprint("user", l.started),
		List: "live", Details: presence.Details{Title: fmt.Sprintf("Live from stage %d, come and say hello", l.started), Cover: fmt.Sprintf("https://covers.example/%08x.jpg", l.started)},
		StartedAt: l.time,
		State:     presence.Live, Listed: true, Shown: true,
	}
	for len(st.Tags) < 2+rank%2 {
		if tag := tagName(l.tags.draw(l.rand)); !slices.Contains(st.Tags, tag) {
			st.Tags = append(st.Tags, tag)
		}
	}
	return st
}

func tagName(rank int) string { return fmt.Sprintf("tag%03d", rank) }

// viewerTarget is about what a rank has.
func (l *workload) viewerTarget(rank int) int64 {
	return int64(200_000 / math.Pow(float64(rank+1), 0.9) * (0.8 + 0.4*l.rand.Float64()))
}

// makeQueries are different ones. There are 3,618 with three limits.
func (l *workload) makeQueries(n int) (all []wire.Subscribe) {
	limits := []int{20, 100, 500, 50, 200, 350}
	if n <= 2000 {
		limits = limits[:3]
	}
	seen := map[string]bool{}
	for len(all) < n {
		q := wire.Subscribe{
			ID: "1", Tags: []string{tagName(l.tags.draw(l.rand))},
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

// makeEntries are some changes, of different streams within each entry: in a
// hundred 90 of counters, 8 of title, state or tags, a start and a stop.
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
		rank = l.ranks.draw(l.rand)
		c.Old = l.streams[rank]
	}
	next := *c.Old
	switch {
	case kind < 45 || kind >= 98: // towards what its rank has
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
		next.Tags = append(slices.Clone(next.Tags[:1]), tagName(l.tags.draw(l.rand)))
		next.Tags = slices.Compact(next.Tags)
	}
	l.streams[rank] = &next
	c.New = &next
	return c, rank
}

func (l *workload) applyEntry(changes []presence.Change) {
	l.entryCount++
	l.time += 10
	l.hub.Apply(position(l.entryCount), l.time, changes, time.Time{})
}

// countMatches applies some changes and counts the views that each meets, and those
// whose windows it is in.
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

// zipf draws ranks: each as often as its number, from one, has it.
type zipf []float64

func newZipf(n int) zipf {
	z, sum := make(zipf, n), 0.0
	for i := range z {
		sum += 1 / float64(i+1)
		z[i] = sum
	}
	return z
}

func (z zipf) draw(r *rand.Rand) int {
	i, _ := slices.BinarySearch(z, r.Float64()*z[len(z)-1])
	return min(i, len(z)-1)
}
