package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// anOutcome is that of a run of a few seconds.
func anOutcome() (*Report, *options) {
	o := &options{Profile: All[Default], MaxP99: time.Second, MaxClientLag: 100 * time.Millisecond}
	r := &Report{Profile: Default, Options: o.Profile, Compared: comparison{Equal: o.Viewers}}
	r.Viewers.Peak, r.Anchors.Peak = o.Viewers, o.Anchors
	h := newHistogram()
	for i := range 2000 {
		recordDuration(h, time.Duration(i+1)*time.Millisecond/10, 1)
	}
	r.Latency = Latencies{Samples: h.TotalCount(), P99: Milliseconds(microseconds(h.ValueAtQuantile(99))), percentiles: newPercentiles(h)}
	r.Server = &ServerFigures{CPUCores: 0.5}
	for i := range 5 {
		r.Series = append(r.Series, SecondFigures{At: float64(i), Viewers: i * 100, P50: 1, P99: float64(i), Bytes: 1 << 20})
	}
	return r, o
}

func TestVerdict(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Report, *[faultKindCount]int)
		want   string
		row    string
	}{
		"all well":        {func(*Report, *[faultKindCount]int) {}, Passed, ""},
		"a lie":           {func(_ *Report, f *[faultKindCount]int) { f[faultEarlyDeparture] = 1 }, Failed, faultEarlyDeparture.String()},
		"one differs":     {func(r *Report, _ *[faultKindCount]int) { r.Compared.Equal-- }, Failed, "equals a fresh snapshot"},
		"late":            {func(r *Report, _ *[faultKindCount]int) { r.Latency.P99 = 1000.1 }, Failed, "99th percentile"},
		"nothing seen":    {func(r *Report, _ *[faultKindCount]int) { r.Latency.Samples = 0 }, Failed, "updates that viewers saw"},
		"disconnected":    {func(r *Report, _ *[faultKindCount]int) { r.Viewers.Disconnects = 1 }, Failed, "disconnects"},
		"anchor lost":     {func(r *Report, _ *[faultKindCount]int) { r.Anchors.Disconnects = 1 }, Failed, "disconnects"},
		"anchor expired":  {func(r *Report, _ *[faultKindCount]int) { r.Anchors.Expired = 1 }, Failed, "missed beats"},
		"few anchors":     {func(r *Report, _ *[faultKindCount]int) { r.Anchors.Peak-- }, Failed, "anchors at once"},
		"anchors tried":   {func(r *Report, _ *[faultKindCount]int) { r.Anchors.Refusals = 1 }, Passed, "handshakes"},
		"all sent on":     {func(r *Report, _ *[faultKindCount]int) { r.Anchors.Drained, r.Viewers.Drained = 9, 9 }, Passed, ""},
		"refused":         {func(r *Report, _ *[faultKindCount]int) { r.Anchors.Errors = 1 }, Failed, "refused"},
		"few viewers":     {func(r *Report, _ *[faultKindCount]int) { r.Viewers.Peak = 10 }, Failed, "viewers at once"},
		"busy client":     {func(r *Report, _ *[faultKindCount]int) { r.Client.LagP99 = 101 }, Passed, "client overloaded"},
		"came back later": {func(r *Report, _ *[faultKindCount]int) { r.Viewers.Refusals = 1 }, Passed, "handshakes"},
	} {
		r, o := anOutcome()
		var counts [faultKindCount]int
		test.change(r, &counts)
		r.judge(o, counts, false)
		if r.Result != test.want {
			t.Errorf("%s: %s, want %s", name, r.Result, test.want)
		}
		for _, x := range r.Rows {
			told := test.row != "" && strings.Contains(x.Check, test.row)
			if bad := x.Result != Passed; bad != told {
				t.Errorf("%s: %+v", name, x)
			}
		}
	}
}

// TestVerdictOnReturns: the share of reconnects that were resumed is judged
// where it is wanted, and that of restarted nodes by itself.
func TestVerdictOnReturns(t *testing.T) {
	for name, test := range map[string]struct {
		least float64
		of    ViewerFigures
		want  string
	}{
		"enough":                {0.9, ViewerFigures{Reconnects: 10, ReconnectsResumed: 9}, Passed},
		"too few":               {0.9, ViewerFigures{Reconnects: 10, ReconnectsResumed: 8}, Failed},
		"none came back":        {0.9, ViewerFigures{}, Failed},
		"none wanted":           {0, ViewerFigures{Reconnects: 10}, Passed},
		"restarted ones enough": {0.9, ViewerFigures{Reconnects: 100, ReconnectsResumed: 99, ReconnectsToRestarted: 10, ReconnectsToRestartedResumed: 9}, Passed},
		"restarted ones worse":  {0.9, ViewerFigures{Reconnects: 100, ReconnectsResumed: 98, ReconnectsToRestarted: 10, ReconnectsToRestartedResumed: 8}, Failed},
	} {
		r, o := anOutcome()
		test.of.Peak = r.Viewers.Peak
		o.MinResumed, r.Viewers = test.least, test.of
		if r.judge(o, [faultKindCount]int{}, false); r.Result != test.want {
			t.Errorf("%s: %s, want %s: %+v", name, r.Result, test.want, r.Rows)
		}
	}
}

// elsewhere is what would have a browser load something.
var elsewhere = regexp.MustCompile(`(?i)(src|href)\s*=|url\(|@import|<script|<link|<iframe`)

func TestReports(t *testing.T) {
	r, o := anOutcome()
	r.Examples = []string{"an example with <b>markup</b>"}
	r.judge(o, [faultKindCount]int{faultBrokenChain: 2}, false)
	base := filepath.Join(t.TempDir(), "new", "report")
	if err := r.WriteFiles(base, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(base + ".html")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(page, []byte("<svg")); n != len(r.plots()) {
		t.Errorf("%d plots, want %d", n, len(r.plots()))
	}
	if found := elsewhere.Find(page); found != nil {
		t.Errorf("the page loads something: %s", found)
	}
	for _, want := range []string{Failed, "broken chains of positions", "&lt;b&gt;markup", "Memory of the server"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	data, err := os.ReadFile(base + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Result != Failed || got.Faults[faultBrokenChain.String()] != 2 || len(got.Series) != 5 || got.Latency.P99 != r.Latency.P99 {
		t.Errorf("got %+v", got)
	}
}

// TestReportOfNothing: a run that came to nothing has a report, too.
func TestReportOfNothing(t *testing.T) {
	r := &Report{Starts: StartLatencies{QuietOtherNode: &Latencies{}}, Nodes: make([]NodeFigures, 2), Latency: Latencies{percentiles: newPercentiles(newHistogram())}}
	var page bytes.Buffer
	if err := r.writeHTML(&page, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteText(&page); err != nil {
		t.Fatal(err)
	}
}
