package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// How a row of the verdict came out.
const (
	Passed = "PASS"
	Failed = "FAIL"
	Warned = "WARN" // is said, and fails nothing
)

// Row is one line of the verdict.
type Row struct {
	Check  string `json:"what"`
	Got    string `json:"got"`
	Want   string `json:"want"`
	Result string `json:"result"`
}

func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// judge fills in the rows, and the result.
func (r *Report) judge(o *options, faults [faultKindCount]int, interrupted bool) {
	add := func(ok bool, what, want, got string) {
		x := Row{what, got, want, Passed}
		if !ok {
			x.Result = Failed
		}
		r.Rows = append(r.Rows, x)
	}
	none := func(what string, n int) { add(n == 0, what, "0", humanize.Comma(int64(n))) }
	r.Faults = map[string]int{}
	for kind, n := range faults {
		none(faultKind(kind).String(), n)
		r.Faults[faultKind(kind).String()] = n
	}
	add(r.Compared.Equal == o.Viewers, "viewers whose list equals a fresh snapshot",
		humanize.Comma(int64(o.Viewers)), humanize.Comma(int64(r.Compared.Equal)))
	add(r.Viewers.Peak >= o.Viewers-maxAwayViewers(o), "viewers at once", atLeast(o.Viewers-maxAwayViewers(o)), humanize.Comma(int64(r.Viewers.Peak)))
	add(r.Anchors.Peak >= o.minAnchorsAtOnce(), "anchors at once", atLeast(o.minAnchorsAtOnce()), humanize.Comma(int64(r.Anchors.Peak)))
	lost := r.Viewers.Disconnects + int(r.Anchors.Disconnects)
	add(lost <= o.MaxDisconnects, "disconnects that nobody asked for", atMost(o.MaxDisconnects), humanize.Comma(int64(lost)))
	none("sessions that ended for missed beats though their anchor was there", int(r.Anchors.Expired))
	none("requests that were refused", r.Viewers.Errors+int(r.Anchors.Errors))
	r.judgeReconnects(o.MinResumed, add)
	if o.Updates > 0 || o.AnchorLife > 0 {
		add(r.Latency.Samples > 0, "starts and updates that viewers saw", "> 0", humanize.Comma(r.Latency.Samples))
		add(r.Latency.P99 <= Milliseconds(o.MaxP99), "latency, 99th percentile", "≤ "+o.MaxP99.String(), fmt.Sprintf("%.1fms", r.Latency.P99))
	}
	r.addWarnings(o, interrupted)
	r.Result = Passed
	for _, x := range r.Rows {
		if x.Result == Failed {
			r.Result = Failed
		}
	}
}

// judgeReconnects judges how many viewers that came back were led on from where
// they had been, on all nodes and on those that had just been restarted.
func (r *Report) judgeReconnects(least float64, add func(ok bool, what, want, got string)) {
	if least == 0 {
		return
	}
	judge := func(what string, resumed, all int) {
		add(all > 0 && float64(resumed) >= least*float64(all), what,
			fmt.Sprintf("≥ %g%%", 100*least), fmt.Sprintf("%s of %s", humanize.Comma(int64(resumed)), humanize.Comma(int64(all))))
	}
	judge("viewers' reconnects that were resumed with a diff", r.Viewers.ReconnectsResumed, r.Viewers.Reconnects)
	if r.Viewers.ReconnectsToRestarted > 0 {
		judge("of those to nodes restarted in the last minute", r.Viewers.ReconnectsToRestartedResumed, r.Viewers.ReconnectsToRestarted)
	}
}

// addWarnings says what puts the figures in doubt.
func (r *Report) addWarnings(o *options, interrupted bool) {
	if r.ClientOverloaded = r.Client.LagP99 > Milliseconds(o.MaxClientLag); r.ClientOverloaded {
		r.Rows = append(r.Rows, Row{
			"client overloaded: latencies include its own delay", fmt.Sprintf("%.1fms", r.Client.LagP99), "≤ " + o.MaxClientLag.String(), Warned,
		})
	}
	if interrupted {
		r.Rows = append(r.Rows, Row{"interrupted", "yes", "no", Warned})
	}
	if n := r.Viewers.Refusals + int(r.Anchors.Refusals); n > 0 {
		r.Rows = append(r.Rows, Row{"handshakes and starts that did not succeed at once", humanize.Comma(int64(n)), "0", Warned})
	}
}

// maxAwayViewers is how many viewers may be away at any time. Slow ones may take the
// whole run for their first list.
func maxAwayViewers(o *options) int {
	return int(float64(o.Viewers)*min(1, o.AwayShare+o.SlowShare)) + o.Views
}

func atLeast(n int) string { return "≥ " + humanize.Comma(int64(n)) }

func atMost(n int) string { return "≤ " + humanize.Comma(int64(n)) }

// WriteText writes the verdict for people.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.Result, x.Check, x.Got, x.Want)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, e := range r.Examples {
		fmt.Fprintf(w, "  %s\n", e)
	}
	for _, line := range r.figureLines() {
		fmt.Fprintf(w, "%-9s %s\n", line[0], line[1])
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Result)
	return err
}

// latencyLines are those of all, and what is known of parts.
func (r *Report) latencyLines() [][2]string {
	out := [][2]string{{"latency", r.Latency.String()}}
	for _, x := range []struct {
		what string
		of   *Latencies
	}{
		{"told at the viewer's node", r.SameNode},
		{"told at another", r.OtherNode},
		{"start, on a quiet view, at the viewer's node", r.Starts.QuietSameNode},
		{"start, on a quiet view, at another", r.Starts.QuietOtherNode},
		{"start, on a busy view, at the viewer's node", r.Starts.BusySameNode},
		{"start, on a busy view, at another", r.Starts.BusyOtherNode},
	} {
		if x.of != nil {
			out = append(out, [2]string{"", x.what + ": " + x.of.String()})
		}
	}
	return out
}

// figureLines are the figures, in words.
func (r *Report) figureLines() [][2]string {
	out := append(r.latencyLines(), [][2]string{
		{"viewers", fmt.Sprintf("%s at once, %s diffs checked (%.0f/s), %s received, %d snapshots, %d resumes",
			humanize.Comma(int64(r.Viewers.Peak)), humanize.Comma(int64(r.Viewers.Diffs)), r.Viewers.DiffsPerSec,
			humanize.IBytes(uint64(r.Viewers.Bytes)), r.Viewers.Snapshots, r.Viewers.Resumes)},
		{"returns", fmt.Sprintf("%d viewers came back with a position, %d were resumed with a diff; to nodes restarted in the last minute: %d and %d",
			r.Viewers.Reconnects, r.Viewers.ReconnectsResumed, r.Viewers.ReconnectsToRestarted, r.Viewers.ReconnectsToRestartedResumed)},
		{"anchors", fmt.Sprintf("%d starts, %d stops, %d crashes, %d resumes, %d beats, %d updates",
			r.Anchors.Starts, r.Anchors.Stops, r.Anchors.Crashes, r.Anchors.Resumes, r.Anchors.Beats, r.Anchors.Updates)},
		{"moves", fmt.Sprintf("%d viewers and %d anchors were sent on by a drain, %d anchors went for want of an ack or because of a notice",
			r.Viewers.Drained, r.Anchors.Drained, r.Anchors.Failovers)},
		{"client", fmt.Sprintf("%.2f cores, %.1f µs a diff (the viewers' loop %.1f µs), its lag at the 99th percentile %.1f ms",
			r.Client.CPUCores, r.Client.CPUPerDiff, r.Client.LoopPerDiff, r.Client.LagP99)},
	}...)
	if s := r.Server; s != nil {
		out = append(out, [2]string{"server", fmt.Sprintf("%.2f cores, %.1f µs a diff, %s at most, %d times a viewer was left behind",
			s.CPUCores, s.CPUPerDiff, humanize.IBytes(uint64(s.Memory)), s.Slow)})
	}
	for _, n := range r.Nodes {
		if len(r.Nodes) > 1 {
			out = append(out, [2]string{"node", fmt.Sprintf("%s: %.2f cores, %s at most, %d restarts", n.URL, n.CPUCores, humanize.IBytes(uint64(n.Memory)), n.Restarts)})
		}
	}
	for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
		out = append(out, [2]string{"why", fmt.Sprintf("%d × %s", r.Reasons[why], why)})
	}
	return out
}
