package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// WriteText writes the verdict and the figures for people.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", row.Result, row.Check, row.Got, row.Want)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, example := range r.Examples {
		fmt.Fprintf(w, "  %s\n", example)
	}
	for _, line := range r.figureLines() {
		fmt.Fprintf(w, "%-10s %s\n", line[0], line[1])
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Result)
	return err
}

// figureLines are the figures as pairs of a label and a text.
func (r *Report) figureLines() (labelsAndTexts [][2]string) {
	v, a, c := &r.Viewers, &r.Anchors, &r.Client
	out := append(r.latencyLines(), [][2]string{
		{"viewers", fmt.Sprintf("%s at once, %s diffs checked (%.0f/s), %s received, %d snapshots, %d resumes",
			humanize.Comma(int64(v.Peak)), humanize.Comma(int64(v.Diffs)), v.DiffsPerSecond, humanize.IBytes(uint64(v.Bytes)), v.Snapshots, v.Resumes)},
		{"reconnects", fmt.Sprintf("%d viewers reconnected with a position, %d were resumed with a diff; to nodes restarted in the last minute: %d and %d",
			v.Reconnects.All, v.Resumed, v.Restarted, v.RestartedResumed)},
		{"anchors", fmt.Sprintf("%d starts, %d stops, %d crashes, %d resumes, %d beats, %d updates",
			a.Starts, a.Stops, a.Crashes, a.Resumes, a.Beats, a.Updates)},
		{"moves", fmt.Sprintf("%d viewers and %d anchors were drained, %d anchors failed over for a missing ack or a notice",
			v.Drained, a.Drained, a.Failovers)},
		{"client", fmt.Sprintf("%.2f cores, %.1f µs a diff (viewer loop %.1f µs), lag at the 99th percentile %.1f ms",
			c.CPUCores, c.CPUPerDiff, c.LoopPerDiff, c.LagP99)},
	}...)
	if s := r.Server; s != nil {
		out = append(out, [2]string{"server", fmt.Sprintf("%.2f cores, %.1f µs a diff, at most %s, viewers left behind %d times",
			s.CPUCores, s.CPUPerDiff, humanize.IBytes(uint64(s.PeakMemory)), s.SlowViewers)})
	}
	for _, n := range r.Nodes {
		if len(r.Nodes) > 1 {
			out = append(out, [2]string{"node", fmt.Sprintf("%s: %.2f cores, at most %s, %d restarts",
				n.MetricsURL, n.CPUCores, humanize.IBytes(uint64(n.PeakMemory)), n.Restarts)})
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		out = append(out, [2]string{"reason", fmt.Sprintf("%d × %s", r.Reasons[reason], reason)})
	}
	return out
}

// latencyLines are the latencies of all commands, and of the parts that are known.
func (r *Report) latencyLines() (labelsAndTexts [][2]string) {
	out := [][2]string{{"latency", r.Latency.String()}}
	for _, part := range []struct {
		name      string
		latencies *Latencies
	}{
		{"anchor at the viewer's node", r.SameNode},
		{"anchor at another node", r.OtherNode},
		{"start, quiet view, anchor at the viewer's node", r.Starts.QuietSameNode},
		{"start, quiet view, anchor at another node", r.Starts.QuietOtherNode},
		{"start, busy view, anchor at the viewer's node", r.Starts.BusySameNode},
		{"start, busy view, anchor at another node", r.Starts.BusyOtherNode},
	} {
		if part.latencies != nil {
			out = append(out, [2]string{"", part.name + ": " + part.latencies.String()})
		}
	}
	return out
}
