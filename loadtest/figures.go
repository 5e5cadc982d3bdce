package main

import (
	"io"
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"onair/loadtest/report"
	"onair/loadtest/scrape"
)

// writeReport writes the verdict and the report files. It returns errVerdict when the
// verdict is FAIL.
func (t *loadTest) writeReport(stdout io.Writer) error {
	r := t.newReport()
	if err := r.WriteText(stdout); err != nil {
		return err
	}
	if t.options.Report != "" {
		if err := r.WriteFiles(t.options.Report, time.Now()); err != nil {
			return err
		}
	}
	if r.Result != report.Passed {
		return errVerdict
	}
	return nil
}

// newReport returns the result of a run that has ended.
func (t *loadTest) newReport() *report.Report {
	counts, examples := t.faults.countsAndExamples()
	r := &report.Report{
		Verdict:           report.Verdict{Examples: examples},
		Setup:             report.Setup{Profile: t.options.ProfileName, Options: t.options.Profile, Seed: t.options.Seed},
		DeliveryLatencies: t.deliveryLatencies(),
		Client:            t.clientFigures(), Server: t.serverFigures(), Nodes: t.nodeFigures(),
		Viewers: t.viewerFigures(), Anchors: t.anchorFigures(), Compared: t.comparison.Comparison,
		Reasons: t.reasonCounts(), Series: t.secondFigures(),
	}
	judgeRun(r, t.options, counts, t.wasInterrupted)
	return r
}

func (t *loadTest) deliveryLatencies() report.DeliveryLatencies {
	ifAny := func(h *hdrhistogram.Histogram) *report.Latencies {
		if h.TotalCount() == 0 {
			return nil
		}
		return new(report.NewLatencies(h))
	}
	h := &t.viewerLoop.latencies
	out := report.DeliveryLatencies{Latency: report.NewLatencies(h.measured), Starts: report.StartLatencies{
		QuietSameNode: ifAny(h.quietStarts.same), QuietOtherNode: ifAny(h.quietStarts.other),
		BusySameNode: ifAny(h.busyStarts.same), BusyOtherNode: ifAny(h.busyStarts.other),
	}}
	if t.options.hasManyNodes() {
		out.SameNode, out.OtherNode = ifAny(h.all.same), ifAny(h.all.other)
	}
	return out
}

// microsecondsPerDiff is d over the diffs of the measured phase, in microseconds.
func (t *loadTest) microsecondsPerDiff(d time.Duration) float64 {
	return float64(d.Microseconds()) / float64(max(1, t.atEnd.viewers.diffs-t.atStart.viewers.diffs))
}

func (t *loadTest) measuredTime() time.Duration {
	return max(time.Millisecond, t.atEnd.at-t.atStart.at)
}

func (t *loadTest) clientFigures() report.ClientFigures {
	end, start := &t.atEnd.viewers.cpu, &t.atStart.viewers.cpu
	return report.ClientFigures{
		CPUPerDiff: t.microsecondsPerDiff(end.process - start.process), LoopPerDiff: t.microsecondsPerDiff(end.loop - start.loop),
		CPUCores: roundedRatio(end.process-start.process, t.measuredTime()), Busy: roundedRatio(end.busy-start.busy, t.measuredTime()),
		LagP99: float64(t.viewerLoop.lagHistogram.ValueAtQuantile(99)) / 1000,
	}
}

// roundedRatio is part/whole with two decimals.
func roundedRatio(part, whole time.Duration) float64 {
	return float64(int(100*part.Seconds()/whole.Seconds()+0.5)) / 100
}

// serverFigures are nil where the metrics of a server are unknown.
func (t *loadTest) serverFigures() *report.ServerFigures {
	end, start := scrape.Sum(t.atEnd.nodes), scrape.Sum(t.atStart.nodes)
	if !end.IsKnown || !start.IsKnown {
		return nil
	}
	out := &report.ServerFigures{
		CPUCores: roundedRatio(end.CPU-start.CPU, t.measuredTime()), CPUPerDiff: t.microsecondsPerDiff(end.CPU - start.CPU),
		SlowViewers: end.SlowViewers - start.SlowViewers,
	}
	for _, s := range t.samples.allSamples() {
		out.PeakMemory = max(out.PeakMemory, s.server.Memory)
	}
	return out
}

// nodeFigures are those of each server whose metrics are known.
func (t *loadTest) nodeFigures() (out []report.NodeFigures) {
	for i, n := range t.options.metrics {
		end, start := t.atEnd.nodes[i], t.atStart.nodes[i]
		if end.IsKnown && start.IsKnown {
			out = append(out, report.NodeFigures{
				MetricsURL: n.url, CPUCores: roundedRatio(end.CPU-start.CPU, t.measuredTime()), PeakMemory: end.PeakMemory,
				SlowViewers: end.SlowViewers - start.SlowViewers, Restarts: end.Restarts - start.Restarts,
			})
		}
	}
	return out
}

func (t *loadTest) viewerFigures() report.ViewerFigures {
	c, diffs := &t.viewerLoop.counters, t.atEnd.viewers.diffs-t.atStart.viewers.diffs
	out := report.ViewerFigures{
		Diffs: diffs, DiffsPerSecond: float64(diffs) / t.measuredTime().Seconds(), Bytes: t.atEnd.viewers.bytes - t.atStart.viewers.bytes,
		Snapshots: c.snapshots, Resumes: c.resumes, Absences: c.absences, Likes: c.likesSent, LikesAcknowledged: c.likesAcknowledged,
		Disconnects: c.disconnects, Refusals: c.refusals, Errors: c.errors, Drained: c.drained, Reconnects: c.reconnects,
	}
	for _, s := range t.samples.allSamples() {
		out.Peak = max(out.Peak, s.viewers)
	}
	return out
}

func (t *loadTest) anchorFigures() report.AnchorFigures {
	c := &t.anchorPool.counters
	out := report.AnchorFigures{
		Starts: c.starts.Load(), Stops: c.stops.Load(), Crashes: c.crashes.Load(), Resumes: c.resumes.Load(),
		Beats: c.beats.Load(), Updates: c.updates.Load(), UpdatesAcknowledged: c.updatesAcknowledged.Load(),
		Disconnects: c.disconnects.Load(), Errors: c.errors.Load(), Unjudged: t.ledger.unjudgedDepartures,
		Drained: c.drained.Load(), Refusals: c.refusals.Load(), Failovers: c.failovers.Load(), Expired: c.expired.Load(),
	}
	for _, s := range t.samples.allSamples() {
		out.Peak = max(out.Peak, s.anchors)
	}
	return out
}

func (t *loadTest) reasonCounts() map[string]int {
	out := maps.Clone(t.anchorPool.reasons)
	for reason, n := range t.viewerLoop.counters.reasons {
		out[reason] += n
	}
	return out
}

func (t *loadTest) secondFigures() (out []report.SecondFigures) {
	var before sample
	for _, s := range t.samples.allSamples() {
		serverCPU := 0.0
		if before.server.IsKnown && s.server.IsKnown {
			serverCPU = roundedRatio(s.server.CPU-before.server.CPU, s.at-before.at)
		}
		out = append(out, report.SecondFigures{
			At: s.at.Seconds(), Viewers: s.viewers, Anchors: s.anchors, Diffs: s.diffs, Bytes: s.bytes,
			P50: report.Milliseconds(s.p50), P99: report.Milliseconds(s.p99),
			ClientCPU: roundedRatio(s.clientCPU, s.at-before.at), Busy: roundedRatio(s.loopBusy, s.at-before.at),
			ServerCPU: serverCPU, ServerMemory: s.server.Memory, Connections: s.server.Connections,
		})
		before = s
	}
	return out
}
