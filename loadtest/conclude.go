package main

import (
	"io"
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// conclude prints the verdict and writes the reports.
func (t *test) conclude(stdout io.Writer) error {
	r := t.outcome()
	if err := r.print(stdout); err != nil {
		return err
	}
	if t.o.Report != "" {
		if err := r.writeReports(t.o.Report, time.Now()); err != nil {
			return err
		}
	}
	if r.Result != passed {
		return errVerdict
	}
	return nil
}

// outcome is what the run came to. Nothing runs any more.
func (t *test) outcome() *outcome {
	counts, examples := t.faults.read()
	r := &outcome{
		Profile: t.o.Profile, Options: t.o.profile, Seed: t.o.Seed, Examples: examples, Compared: t.compared,
		Latency: latenciesOf(t.crowd.counts.measured), Client: t.client(), Server: t.server(), Nodes: t.nodes(),
		Viewers: t.viewers(), Anchors: t.broadcasters(),
		Reasons: t.reasons(), Series: t.seconds(),
	}
	t.split(r)
	r.judge(t.o, counts, t.interrupted)
	return r
}

// split fills in latencies by nodes, and those of starts.
func (t *test) split(r *outcome) {
	some := func(h *hdrhistogram.Histogram) *latencies {
		if h.TotalCount() == 0 {
			return nil
		}
		return new(latenciesOf(h))
	}
	c := &t.crowd.counts
	if t.o.many() {
		r.SameNode, r.OtherNode = some(c.commands.same), some(c.commands.other)
	}
	r.Starts = startFigures{some(c.quiet.same), some(c.quiet.other), some(c.busy.same), some(c.busy.other)}
}

// each is n over the diffs that were delivered while measuring, in microseconds.
func (t *test) each(n time.Duration) float64 {
	return float64(n.Microseconds()) / float64(max(1, t.after.crowd.diffs-t.before.crowd.diffs))
}

func (t *test) measured() time.Duration { return max(time.Millisecond, t.after.at-t.before.at) }

func (t *test) client() clientFigures {
	a, b := &t.after.crowd, &t.before.crowd
	return clientFigures{
		CPUPerDiff: t.each(a.process - b.process), LoopPerDiff: t.each(a.thread - b.thread),
		CPUCores: partOf(a.process-b.process, t.measured()), Busy: partOf(a.busy-b.busy, t.measured()),
		LagP99: ms(micros(t.crowd.counts.lag.ValueAtQuantile(99))),
	}
}

// partOf is a part of a time, to two digits.
func partOf(part, whole time.Duration) float64 {
	return float64(int(100*part.Seconds()/whole.Seconds()+0.5)) / 100
}

func (t *test) server() *serverFigures {
	a, b := together(t.after.nodes), together(t.before.nodes)
	if !a.Known || !b.Known {
		return nil
	}
	out := &serverFigures{CPUCores: partOf(a.CPU-b.CPU, t.measured()), CPUPerDiff: t.each(a.CPU - b.CPU), Slow: a.Slow - b.Slow}
	for _, s := range t.series.all() {
		out.Memory = max(out.Memory, s.Server.Memory)
	}
	return out
}

// nodes are the figures of each server whose metrics are known.
func (t *test) nodes() (out []nodeFigures) {
	for i, n := range t.o.metrics {
		a, b := t.after.nodes[i], t.before.nodes[i]
		if a.Known && b.Known {
			out = append(out, nodeFigures{n.url, partOf(a.CPU-b.CPU, t.measured()), a.Peak, a.Slow - b.Slow, a.Restarts - b.Restarts})
		}
	}
	return out
}

func (t *test) viewers() viewerFigures {
	all, diffs := t.crowd.tally, t.after.crowd.diffs-t.before.crowd.diffs
	out := viewerFigures{
		Diffs: diffs, DiffsPerSec: float64(diffs) / t.measured().Seconds(), Bytes: t.after.crowd.bytes - t.before.crowd.bytes,
		Snapshots: all.snapshots, Resumes: all.resumes, Strolls: all.strolls, Likes: all.likesSent, Liked: all.liked,
		Disconnects: all.disconnects, Refusals: all.refusals, Errors: all.errors, Drained: all.drained,
		Returns: all.returns.all, Returned: all.returns.resumed, Young: all.returns.young, YoungReturned: all.returns.youngResumed,
	}
	for _, s := range t.series.all() {
		out.Most = max(out.Most, s.Viewers)
	}
	return out
}

func (t *test) broadcasters() anchorFigures {
	a := t.anchors
	out := anchorFigures{
		Starts: a.starts.Load(), Stops: a.stops.Load(), Crashes: a.crashes.Load(), Resumes: a.resumes.Load(),
		Beats: a.beats.Load(), Updates: a.updates.Load(), Updated: a.updated.Load(),
		Disconnects: a.disconnects.Load(), Errors: a.errors.Load(), Unjudged: t.ledger.unjudged,
		Drained: a.drained.Load(), Refusals: a.refusals.Load(), Moves: a.moves.Load(), Expired: a.expired.Load(),
	}
	for _, s := range t.series.all() {
		out.Most = max(out.Most, s.Anchors)
	}
	return out
}

func (t *test) reasons() map[string]int {
	out := maps.Clone(t.anchors.reasons)
	for why, n := range t.crowd.tally.reasons {
		out[why] += n
	}
	return out
}

// seconds are the samples, in figures for people and machines.
func (t *test) seconds() (out []secondFigures) {
	var before sample
	for _, s := range t.series.all() {
		cpu := 0.0
		if before.Server.Known && s.Server.Known {
			cpu = partOf(s.Server.CPU-before.Server.CPU, s.At-before.At)
		}
		out = append(out, secondFigures{
			At: s.At.Seconds(), Viewers: s.Viewers, Anchors: s.Anchors, Diffs: s.Diffs, Bytes: s.Bytes,
			P50: ms(s.P50), P99: ms(s.P99), ClientCPU: partOf(s.ClientCPU, s.At-before.At), Busy: partOf(s.Busy, s.At-before.At),
			ServerCPU: cpu, ServerBytes: s.Server.Memory, Connections: s.Server.Connections,
		})
		before = s
	}
	return out
}
