package main

import (
	"io"
	"maps"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"onair/loadtest/report"
	"onair/loadtest/scrape"
)

// writeReportAndCheckVerdict writes the verdict and the report files. It returns errVerdict when the
// verdict is FAIL.
func (t *loadTest) writeReportAndCheckVerdict(stdout io.Writer) error {
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
		Reasons: t.reasonCounts(), Series: t.series,
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
	return float64(d.Microseconds()) / float64(max(1, t.atEnd.viewers.Diffs-t.atStart.viewers.Diffs))
}

func (t *loadTest) measuredTime() time.Duration {
	return max(time.Millisecond, t.atEnd.at-t.atStart.at)
}

func (t *loadTest) clientFigures() report.ClientFigures {
	end, start := &t.atEnd.viewers.cpu, &t.atStart.viewers.cpu
	return report.ClientFigures{
		CPUPerDiff: t.microsecondsPerDiff(end.process - start.process), LoopPerDiff: t.microsecondsPerDiff(end.loop - start.loop),
		CPUCores: roundedRatio(end.process-start.process, t.measuredTime()), Busy: roundedRatio(end.busy-start.busy, t.measuredTime()),
		LagP99: report.Percentile(t.viewerLoop.lagHistogram, 99),
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
	return &report.ServerFigures{
		CPUCores: roundedRatio(end.CPU-start.CPU, t.measuredTime()), CPUPerDiff: t.microsecondsPerDiff(end.CPU - start.CPU),
		SlowViewers: end.SlowViewers - start.SlowViewers,
		PeakMemory:  t.peak(func(s report.SecondFigures) int { return s.ServerMemory }),
	}
}

// peak is the highest value of a figure in all seconds of the run.
func (t *loadTest) peak(figure func(report.SecondFigures) int) (highest int) {
	for _, s := range t.series {
		highest = max(highest, figure(s))
	}
	return highest
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
	out := t.viewerLoop.counters.ViewerFigures
	out.Peak = t.peak(func(s report.SecondFigures) int { return s.Viewers })
	out.Diffs, out.Bytes = t.atEnd.viewers.Diffs-t.atStart.viewers.Diffs, t.atEnd.viewers.Bytes-t.atStart.viewers.Bytes
	out.DiffsPerSecond = float64(out.Diffs) / t.measuredTime().Seconds()
	return out
}

func (t *loadTest) anchorFigures() report.AnchorFigures {
	out := t.anchorPool.figures
	out.Peak, out.Unjudged = t.peak(func(s report.SecondFigures) int { return s.Anchors }), t.ledger.unjudgedDepartures
	return out
}

func (t *loadTest) reasonCounts() map[string]int {
	out := maps.Clone(t.anchorPool.reasons)
	for reason, n := range t.viewerLoop.reasons {
		out[reason] += n
	}
	return out
}
