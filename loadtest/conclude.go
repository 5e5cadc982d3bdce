package main

import (
	"io"
	"maps"
	"time"
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
		Latency: t.latencies(), Client: t.client(), Server: t.server(), Viewers: t.viewers(), Anchors: t.broadcasters(),
		Reasons: t.reasons(), Series: t.seconds(),
	}
	r.judge(t.o, counts, t.interrupted)
	return r
}

func (t *test) latencies() latencies {
	h := t.crowd.counts.measured
	at := func(p float64) float64 { return ms(micros(h.ValueAtQuantile(p))) }
	return latencies{h.TotalCount(), at(50), at(90), at(99), at(99.9), ms(micros(h.Max())), ladderOf(h)}
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
	a, b := t.after.server, t.before.server
	if !a.Known || !b.Known {
		return nil
	}
	out := &serverFigures{CPUCores: partOf(a.CPU-b.CPU, t.measured()), CPUPerDiff: t.each(a.CPU - b.CPU), Slow: a.Slow - b.Slow}
	for _, s := range t.series.all() {
		out.Memory = max(out.Memory, s.Server.Memory)
	}
	return out
}

func (t *test) viewers() viewerFigures {
	all, diffs := t.crowd.tally, t.after.crowd.diffs-t.before.crowd.diffs
	out := viewerFigures{
		Diffs: diffs, DiffsPerSec: float64(diffs) / t.measured().Seconds(), Bytes: t.after.crowd.bytes - t.before.crowd.bytes,
		Snapshots: all.snapshots, Resumes: all.resumes, Strolls: all.strolls, Likes: all.likesSent, Liked: all.liked,
		Disconnects: all.disconnects, Refusals: all.refusals, Errors: all.errors,
	}
	for _, s := range t.series.all() {
		out.Most = max(out.Most, s.Viewers)
	}
	return out
}

func (t *test) broadcasters() anchorFigures {
	a := t.anchors
	return anchorFigures{
		Starts: a.starts.Load(), Stops: a.stops.Load(), Crashes: a.crashes.Load(), Resumes: a.resumes.Load(),
		Beats: a.beats.Load(), Updates: a.updates.Load(), Updated: a.updated.Load(),
		Disconnects: a.disconnects.Load(), Errors: a.errors.Load(), Unjudged: t.ledger.unjudged,
	}
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
