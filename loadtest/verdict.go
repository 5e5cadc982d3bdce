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
	passed = "PASS"
	failed = "FAIL"
	warned = "WARN" // is said, and fails nothing
)

// row is one line of the verdict.
type row struct {
	What   string `json:"what"`
	Got    string `json:"got"`
	Want   string `json:"want"`
	Result string `json:"result"`
}

// outcome is all that a run came to. Its JSON is for machines.
type outcome struct {
	Result     string   `json:"result"`
	Overloaded bool     `json:"client_overloaded"` // so that latencies are too high
	Profile    string   `json:"profile"`
	Options    profile  `json:"options"`
	Seed       uint64   `json:"seed"`
	Rows       []row    `json:"rows"`
	Examples   []string `json:"examples,omitempty"`

	Latency  latencies       `json:"latency"`
	Client   clientFigures   `json:"client"`
	Server   *serverFigures  `json:"server,omitempty"`
	Viewers  viewerFigures   `json:"viewers"`
	Anchors  anchorFigures   `json:"anchors"`
	Compared comparison      `json:"compared"`
	Faults   map[string]int  `json:"faults"`
	Reasons  map[string]int  `json:"reasons,omitempty"` // why sockets ended and requests were refused
	Series   []secondFigures `json:"series"`
}

type latencies struct {
	Samples int64   `json:"samples"`
	P50     float64 `json:"p50_ms"`
	P90     float64 `json:"p90_ms"`
	P99     float64 `json:"p99_ms"`
	P999    float64 `json:"p999_ms"`
	Max     float64 `json:"max_ms"`
	ladder  []rung
}

type clientFigures struct {
	CPUPerDiff  float64 `json:"cpu_us_per_diff"`      // of the whole program
	LoopPerDiff float64 `json:"loop_cpu_us_per_diff"` // of the viewers' loop alone
	CPUCores    float64 `json:"cpu_cores"`
	LagP99      float64 `json:"lag_p99_ms"`
	Busy        float64 `json:"loop_busy"` // share of the time
}

type serverFigures struct {
	CPUCores   float64 `json:"cpu_cores"`
	CPUPerDiff float64 `json:"cpu_us_per_diff"`
	Memory     int     `json:"memory_peak_bytes"`
	Slow       int     `json:"slow_viewers"` // times that one was left behind
}

type viewerFigures struct {
	Most        int     `json:"most"` // that had a list at once
	Diffs       int     `json:"diffs"`
	DiffsPerSec float64 `json:"diffs_per_second"`
	Bytes       int     `json:"bytes"`
	Snapshots   int     `json:"snapshots"`
	Resumes     int     `json:"resumes"`
	Strolls     int     `json:"strolls"`
	Likes       int     `json:"likes"`
	Liked       int     `json:"likes_acknowledged"`
	Disconnects int     `json:"disconnects"`
	Refusals    int     `json:"refusals"`
	Errors      int     `json:"errors"`
}

type anchorFigures struct {
	Starts      int64 `json:"starts"`
	Stops       int64 `json:"stops"`
	Crashes     int64 `json:"crashes"`
	Resumes     int64 `json:"resumes"`
	Beats       int64 `json:"beats"`
	Updates     int64 `json:"updates"`
	Updated     int64 `json:"updates_acknowledged"`
	Disconnects int64 `json:"disconnects"`
	Errors      int64 `json:"errors"`
	Unjudged    int   `json:"departures_unjudged"` // of streams that are not this run's
}

type secondFigures struct {
	At          float64 `json:"t"` // seconds of the run
	Viewers     int     `json:"viewers"`
	Anchors     int     `json:"anchors"`
	Diffs       int     `json:"diffs"`
	Bytes       int     `json:"bytes"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	ClientCPU   float64 `json:"client_cores"`
	Busy        float64 `json:"loop_busy"`
	ServerCPU   float64 `json:"server_cores"`
	ServerBytes int     `json:"server_memory_bytes"`
	Connections int     `json:"server_connections"`
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// judge fills in the rows, and the result.
func (r *outcome) judge(o *options, faults [faultKinds]int, interrupted bool) {
	add := func(ok bool, what, want, got string) {
		x := row{what, got, want, passed}
		if !ok {
			x.Result = failed
		}
		r.Rows = append(r.Rows, x)
	}
	none := func(what string, n int) { add(n == 0, what, "0", humanize.Comma(int64(n))) }
	r.Faults = map[string]int{}
	for kind, n := range faults {
		none(fault(kind).String(), n)
		r.Faults[fault(kind).String()] = n
	}
	add(r.Compared.Equal == o.Viewers, "viewers whose list equals a fresh snapshot",
		humanize.Comma(int64(o.Viewers)), humanize.Comma(int64(r.Compared.Equal)))
	add(r.Viewers.Most >= o.Viewers-roaming(o), "viewers at once", atLeast(o.Viewers-roaming(o)), humanize.Comma(int64(r.Viewers.Most)))
	lost := r.Viewers.Disconnects + int(r.Anchors.Disconnects)
	add(lost <= o.MaxDisconnects, "disconnects that nobody asked for", atMost(o.MaxDisconnects), humanize.Comma(int64(lost)))
	none("requests that were refused", r.Viewers.Errors+int(r.Anchors.Errors))
	if o.Updates > 0 {
		add(r.Latency.Samples > 0, "updates that viewers saw", "> 0", humanize.Comma(r.Latency.Samples))
		add(r.Latency.P99 <= ms(o.MaxP99), "latency, 99th percentile", "≤ "+o.MaxP99.String(), fmt.Sprintf("%.1fms", r.Latency.P99))
	}
	r.warn(o, interrupted)
	r.Result = passed
	for _, x := range r.Rows {
		if x.Result == failed {
			r.Result = failed
		}
	}
}

// warn says what puts the figures in doubt.
func (r *outcome) warn(o *options, interrupted bool) {
	if r.Overloaded = r.Client.LagP99 > ms(o.MaxLag); r.Overloaded {
		r.Rows = append(r.Rows, row{
			"client overloaded: latencies include its own delay", fmt.Sprintf("%.1fms", r.Client.LagP99), "≤ " + o.MaxLag.String(), warned,
		})
	}
	if interrupted {
		r.Rows = append(r.Rows, row{"interrupted", "yes", "no", warned})
	}
	if r.Viewers.Refusals > 0 {
		r.Rows = append(r.Rows, row{"handshakes that did not succeed at once", humanize.Comma(int64(r.Viewers.Refusals)), "0", warned})
	}
}

// roaming is how many viewers may be away at any time. Slow ones may take the
// whole run for their first list.
func roaming(o *options) int {
	return int(float64(o.Viewers)*min(1, o.AwayShare+o.SlowShare)) + o.Views
}

func atLeast(n int) string { return "≥ " + humanize.Comma(int64(n)) }

func atMost(n int) string { return "≤ " + humanize.Comma(int64(n)) }

// print writes the verdict for people.
func (r *outcome) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.Result, x.What, x.Got, x.Want)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, e := range r.Examples {
		fmt.Fprintf(w, "  %s\n", e)
	}
	for _, line := range r.lines() {
		fmt.Fprintf(w, "%-9s %s\n", line[0], line[1])
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Result)
	return err
}

// lines are the figures, in words.
func (r *outcome) lines() [][2]string {
	out := [][2]string{
		{"latency", fmt.Sprintf("p50 %.1f ms, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f (%s samples)",
			r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.P999, r.Latency.Max, humanize.Comma(r.Latency.Samples))},
		{"viewers", fmt.Sprintf("%s at once, %s diffs checked (%.0f/s), %s received, %d snapshots, %d resumes",
			humanize.Comma(int64(r.Viewers.Most)), humanize.Comma(int64(r.Viewers.Diffs)), r.Viewers.DiffsPerSec,
			humanize.IBytes(uint64(r.Viewers.Bytes)), r.Viewers.Snapshots, r.Viewers.Resumes)},
		{"anchors", fmt.Sprintf("%d starts, %d stops, %d crashes, %d resumes, %d beats, %d updates",
			r.Anchors.Starts, r.Anchors.Stops, r.Anchors.Crashes, r.Anchors.Resumes, r.Anchors.Beats, r.Anchors.Updates)},
		{"client", fmt.Sprintf("%.2f cores, %.1f µs a diff (the viewers' loop %.1f µs), its lag at the 99th percentile %.1f ms",
			r.Client.CPUCores, r.Client.CPUPerDiff, r.Client.LoopPerDiff, r.Client.LagP99)},
	}
	if s := r.Server; s != nil {
		out = append(out, [2]string{"server", fmt.Sprintf("%.2f cores, %.1f µs a diff, %s at most, %d times a viewer was left behind",
			s.CPUCores, s.CPUPerDiff, humanize.IBytes(uint64(s.Memory)), s.Slow)})
	}
	for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
		out = append(out, [2]string{"why", fmt.Sprintf("%d × %s", r.Reasons[why], why)})
	}
	return out
}
