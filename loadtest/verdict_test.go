package main

import (
	"strings"
	"testing"
	"time"

	"onair/loadtest/profile"
	"onair/loadtest/report"
)

// newPassingReport returns the figures of a run that passes, and its options.
func newPassingReport() (*report.Report, *options) {
	o := &options{Profile: profile.All[profile.Default], thresholds: thresholds{MaxP99: time.Second, MaxClientLag: 100 * time.Millisecond}}
	r := &report.Report{Compared: report.Comparison{Equal: o.Viewers}}
	r.Viewers.Peak, r.Anchors.Peak = o.Viewers, o.Anchors
	r.Latency = report.Latencies{Samples: 2000, P99: 198}
	return r, o
}

func TestVerdict(t *testing.T) {
	type faultCounts = [faultKindCount]int
	for name, test := range map[string]struct {
		change func(*report.Report, *faultCounts)
		want   string
		row    string
	}{
		"no fault":            {func(*report.Report, *faultCounts) {}, report.Passed, ""},
		"a fault":             {func(_ *report.Report, f *faultCounts) { f[faultEarlyDeparture] = 1 }, report.Failed, faultEarlyDeparture.String()},
		"one list differs":    {func(r *report.Report, _ *faultCounts) { r.Compared.Equal-- }, report.Failed, "equals a fresh snapshot"},
		"late":                {func(r *report.Report, _ *faultCounts) { r.Latency.P99 = 1000.1 }, report.Failed, "99th percentile"},
		"nothing received":    {func(r *report.Report, _ *faultCounts) { r.Latency.Samples = 0 }, report.Failed, "updates that viewers received"},
		"viewer disconnected": {func(r *report.Report, _ *faultCounts) { r.Viewers.Disconnects = 1 }, report.Failed, "disconnects"},
		"anchor disconnected": {func(r *report.Report, _ *faultCounts) { r.Anchors.Disconnects = 1 }, report.Failed, "disconnects"},
		"session expired":     {func(r *report.Report, _ *faultCounts) { r.Anchors.Expired = 1 }, report.Failed, "missed beats"},
		"few anchors":         {func(r *report.Report, _ *faultCounts) { r.Anchors.Peak-- }, report.Failed, "anchors at once"},
		"anchors retried":     {func(r *report.Report, _ *faultCounts) { r.Anchors.Refusals = 1 }, report.Passed, "handshakes"},
		"drained":             {func(r *report.Report, _ *faultCounts) { r.Anchors.Drained, r.Viewers.Drained = 9, 9 }, report.Passed, ""},
		"request refused":     {func(r *report.Report, _ *faultCounts) { r.Anchors.Errors = 1 }, report.Failed, "refused"},
		"few viewers":         {func(r *report.Report, _ *faultCounts) { r.Viewers.Peak = 10 }, report.Failed, "viewers at once"},
		"client overloaded":   {func(r *report.Report, _ *faultCounts) { r.Client.LagP99 = 101 }, report.Passed, "client overloaded"},
		"viewers retried":     {func(r *report.Report, _ *faultCounts) { r.Viewers.Refusals = 1 }, report.Passed, "handshakes"},
	} {
		r, o := newPassingReport()
		var counts faultCounts
		test.change(r, &counts)
		judgeRun(r, o, counts, false)
		if r.Result != test.want {
			t.Errorf("%s: %s, want %s", name, r.Result, test.want)
		}
		for _, row := range r.Rows {
			isExpected := test.row != "" && strings.Contains(row.Check, test.row)
			if hasFailed := row.Result != report.Passed; hasFailed != isExpected {
				t.Errorf("%s: %+v", name, row)
			}
		}
	}
}

// TestVerdictOnReconnects: the share of resumed reconnects is judged where a minimum is
// set, and that of restarted nodes by itself.
func TestVerdictOnReconnects(t *testing.T) {
	for name, test := range map[string]struct {
		minShare   float64
		reconnects report.Reconnects
		want       string
	}{
		"enough":                {0.9, report.Reconnects{All: 10, Resumed: 9}, report.Passed},
		"too few":               {0.9, report.Reconnects{All: 10, Resumed: 8}, report.Failed},
		"no reconnect":          {0.9, report.Reconnects{}, report.Failed},
		"no minimum":            {0, report.Reconnects{All: 10}, report.Passed},
		"restarted ones enough": {0.9, report.Reconnects{All: 100, Resumed: 99, Restarted: 10, RestartedResumed: 9}, report.Passed},
		"restarted ones worse":  {0.9, report.Reconnects{All: 100, Resumed: 98, Restarted: 10, RestartedResumed: 8}, report.Failed},
	} {
		r, o := newPassingReport()
		o.MinResumed, r.Viewers.Reconnects = test.minShare, test.reconnects
		if judgeRun(r, o, [faultKindCount]int{}, false); r.Result != test.want {
			t.Errorf("%s: %s, want %s: %+v", name, r.Result, test.want, r.Rows)
		}
	}
}
