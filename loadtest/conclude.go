package main

import (
	"io"
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// reportOutcome prints the verdict and writes the reports.
func (t *loadTest) reportOutcome(stdout io.Writer) error {
	r := t.outcome()
	if err := r.WriteText(stdout); err != nil {
		return err
	}
	if t.options.Report != "" {
		if err := r.WriteFiles(t.options.Report, time.Now()); err != nil {
			return err
		}
	}
	if r.Result != Passed {
		return errVerdict
	}
	return nil
}

// outcome is what the run came to. Nothing runs any more.
func (t *loadTest) outcome() *Report {
	counts, examples := t.faults.snapshot()
	r := &Report{
		Profile: t.options.ProfileName, Options: t.options.Profile, Seed: t.options.Seed, Examples: examples, Compared: t.comparison,
		Latency: NewLatencies(t.viewerLoop.latencies.measured), Client: t.clientFigures(), Server: t.serverFigures(), Nodes: t.nodeFigures(),
		Viewers: t.viewerFigures(), Anchors: t.anchorFigures(),
		Reasons: t.reasons(), Series: t.secondFigures(),
	}
	t.addNodeLatencies(r)
	r.judge(t.options, counts, t.wasInterrupted)
	return r
}

// addNodeLatencies fills in latencies by nodes, and those of starts.
func (t *loadTest) addNodeLatencies(r *Report) {
	some := func(h *hdrhistogram.Histogram) *Latencies {
		if h.TotalCount() == 0 {
			return nil
		}
		return new(NewLatencies(h))
	}
	c := &t.viewerLoop.latencies
	if t.options.hasManyNodes() {
		r.SameNode, r.OtherNode = some(c.all.same), some(c.all.other)
	}
	r.Starts = StartLatencies{some(c.quietStarts.same), some(c.quietStarts.other), some(c.busyStarts.same), some(c.busyStarts.other)}
}

// perDiff is n over the diffs that were delivered while measuring, in microseconds.
func (t *loadTest) perDiff(n time.Duration) float64 {
	return float64(n.Microseconds()) / float64(max(1, t.atEnd.viewers.diffs-t.atStart.viewers.diffs))
}

func (t *loadTest) measuredTime() time.Duration {
	return max(time.Millisecond, t.atEnd.at-t.atStart.at)
}

func (t *loadTest) clientFigures() ClientFigures {
	a, b := &t.atEnd.viewers, &t.atStart.viewers
	return ClientFigures{
		CPUPerDiff: t.perDiff(a.processCPU - b.processCPU), LoopPerDiff: t.perDiff(a.loopCPU - b.loopCPU),
		CPUCores: roundedRatio(a.processCPU-b.processCPU, t.measuredTime()), Busy: roundedRatio(a.busyTime-b.busyTime, t.measuredTime()),
		LagP99: Milliseconds(microseconds(t.viewerLoop.latencies.lag.ValueAtQuantile(99))),
	}
}

// roundedRatio is a part of a time, to two digits.
func roundedRatio(part, whole time.Duration) float64 {
	return float64(int(100*part.Seconds()/whole.Seconds()+0.5)) / 100
}

func (t *loadTest) serverFigures() *ServerFigures {
	a, b := SumSamples(t.atEnd.nodes), SumSamples(t.atStart.nodes)
	if !a.IsKnown || !b.IsKnown {
		return nil
	}
	out := &ServerFigures{CPUCores: roundedRatio(a.CPU-b.CPU, t.measuredTime()), CPUPerDiff: t.perDiff(a.CPU - b.CPU), Slow: a.SlowViewers - b.SlowViewers}
	for _, s := range t.series.all() {
		out.Memory = max(out.Memory, s.Server.Memory)
	}
	return out
}

// NodeFigures are the figures of each server whose metrics are known.
func (t *loadTest) nodeFigures() (out []NodeFigures) {
	for i, n := range t.options.metrics {
		a, b := t.atEnd.nodes[i], t.atStart.nodes[i]
		if a.IsKnown && b.IsKnown {
			out = append(out, NodeFigures{n.url, roundedRatio(a.CPU-b.CPU, t.measuredTime()), a.PeakMemory, a.SlowViewers - b.SlowViewers, a.Restarts - b.Restarts})
		}
	}
	return out
}

func (t *loadTest) viewerFigures() ViewerFigures {
	all, diffs := t.viewerLoop.counters, t.atEnd.viewers.diffs-t.atStart.viewers.diffs
	out := ViewerFigures{
		Diffs: diffs, DiffsPerSec: float64(diffs) / t.measuredTime().Seconds(), Bytes: t.atEnd.viewers.bytes - t.atStart.viewers.bytes,
		Snapshots: all.snapshots, Resumes: all.resumes, Absences: all.absences, Likes: all.likesSent, LikesAcknowledged: all.likesAcknowledged,
		Disconnects: all.disconnects, Refusals: all.refusals, Errors: all.errors, Drained: all.drained,
		Reconnects: all.reconnects.all, ReconnectsResumed: all.reconnects.resumed, ReconnectsToRestarted: all.reconnects.recent, ReconnectsToRestartedResumed: all.reconnects.recentResumed,
	}
	for _, s := range t.series.all() {
		out.Peak = max(out.Peak, s.Viewers)
	}
	return out
}

func (t *loadTest) anchorFigures() AnchorFigures {
	a := t.anchorPool
	out := AnchorFigures{
		Starts: a.starts.Load(), Stops: a.stops.Load(), Crashes: a.crashes.Load(), Resumes: a.resumes.Load(),
		Beats: a.beats.Load(), Updates: a.updates.Load(), UpdatesAcknowledged: a.updatesAcknowledged.Load(),
		Disconnects: a.disconnects.Load(), Errors: a.errors.Load(), Unjudged: t.ledger.unjudgedDepartures,
		Drained: a.drained.Load(), Refusals: a.refusals.Load(), Failovers: a.failovers.Load(), Expired: a.expired.Load(),
	}
	for _, s := range t.series.all() {
		out.Peak = max(out.Peak, s.Anchors)
	}
	return out
}

func (t *loadTest) reasons() map[string]int {
	out := maps.Clone(t.anchorPool.reasons)
	for why, n := range t.viewerLoop.counters.reasons {
		out[why] += n
	}
	return out
}

// SecondFigures are the samples, in figures for people and machines.
func (t *loadTest) secondFigures() (out []SecondFigures) {
	var before sample
	for _, s := range t.series.all() {
		cpu := 0.0
		if before.Server.IsKnown && s.Server.IsKnown {
			cpu = roundedRatio(s.Server.CPU-before.Server.CPU, s.At-before.At)
		}
		out = append(out, SecondFigures{
			At: s.At.Seconds(), Viewers: s.Viewers, Anchors: s.Anchors, Diffs: s.Diffs, Bytes: s.Bytes,
			P50: Milliseconds(s.P50), P99: Milliseconds(s.P99), ClientCPU: roundedRatio(s.ClientCPU, s.At-before.At), Busy: roundedRatio(s.Busy, s.At-before.At),
			ServerCPU: cpu, ServerBytes: s.Server.Memory, Connections: s.Server.Connections,
		})
		before = s
	}
	return out
}
