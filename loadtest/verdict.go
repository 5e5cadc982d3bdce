package main

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"onair/loadtest/report"
)

// verdict adds the result of each check to a report.
type verdict struct{ *report.Report }

func (v verdict) addRow(isPassed bool, check, got, want string) {
	result := report.Passed
	if !isPassed {
		result, v.Result = report.Failed, report.Failed
	}
	v.Rows = append(v.Rows, report.Row{Check: check, Got: got, Want: want, Result: result})
}

func (v verdict) addMustBeZeroRow(check string, n int) { v.addRow(n == 0, check, withCommas(n), "0") }

func (v verdict) addAtLeastRow(check string, n, minimum int) {
	v.addRow(n >= minimum, check, withCommas(n), "≥ "+withCommas(minimum))
}

func withCommas(n int) string { return humanize.Comma(int64(n)) }

// judgeRun fills in the rows, the faults and the result.
func judgeRun(r *report.Report, o *options, faults [faultKindCount]int, wasInterrupted bool) {
	v := verdict{r}
	r.Result, r.Faults = report.Passed, map[string]int{}
	for kind, n := range faults {
		v.addMustBeZeroRow(faultKind(kind).String(), n)
		r.Faults[faultKind(kind).String()] = n
	}
	v.addRow(r.Compared.Equal == o.Viewers, "viewers whose list equals a fresh snapshot", withCommas(r.Compared.Equal), withCommas(o.Viewers))
	v.addAtLeastRow("viewers at once", r.Viewers.Peak, o.Viewers-o.maxViewersWithoutListAtOnce())
	v.addAtLeastRow("anchors at once", r.Anchors.Peak, o.minAnchorsAtOnce())
	disconnects := r.Viewers.Disconnects + int(r.Anchors.Disconnects)
	v.addRow(disconnects <= o.MaxDisconnects, "unexpected disconnects", withCommas(disconnects), "≤ "+withCommas(o.MaxDisconnects))
	v.addMustBeZeroRow("sessions that expired for missed beats although their anchor still beat", int(r.Anchors.Expired))
	v.addMustBeZeroRow("refused requests", r.Viewers.Errors+int(r.Anchors.Errors))
	v.judgeReconnects(o.MinResumed)
	if o.Updates > 0 || o.AnchorLife > 0 {
		v.addRow(r.Latency.Samples > 0, "starts and updates that viewers received", humanize.Comma(r.Latency.Samples), "> 0")
		v.addRow(r.Latency.P99 <= report.Milliseconds(o.MaxP99), "latency, 99th percentile", fmt.Sprintf("%.1fms", r.Latency.P99), "≤ "+o.MaxP99.String())
	}
	v.addWarnings(o, wasInterrupted)
}

// judgeReconnects checks the share of reconnects that were resumed with a diff, of
// all nodes and of those that had just restarted.
func (v verdict) judgeReconnects(requiredShare float64) {
	if requiredShare == 0 {
		return
	}
	judge := func(check string, resumed, all int) {
		v.addRow(all > 0 && float64(resumed) >= requiredShare*float64(all), check,
			withCommas(resumed)+" of "+withCommas(all), fmt.Sprintf("≥ %g%%", 100*requiredShare))
	}
	r := &v.Viewers.Reconnects
	judge("reconnects of viewers that were resumed with a diff", r.Resumed, r.All)
	if r.Restarted > 0 {
		judge("of those to nodes restarted in the last minute", r.RestartedResumed, r.Restarted)
	}
}

// addWarnings adds what puts the figures in doubt.
func (v verdict) addWarnings(o *options, wasInterrupted bool) {
	if v.ClientOverloaded = v.Client.LagP99 > report.Milliseconds(o.MaxClientLag); v.ClientOverloaded {
		v.addWarning("client overloaded: latencies include its own delay", fmt.Sprintf("%.1fms", v.Client.LagP99), "≤ "+o.MaxClientLag.String())
	}
	if wasInterrupted {
		v.addWarning("interrupted", "yes", "no")
	}
	if n := v.Viewers.Refusals + int(v.Anchors.Refusals); n > 0 {
		v.addWarning("handshakes and starts that needed a retry", withCommas(n), "0")
	}
}

func (v verdict) addWarning(check, got, want string) {
	v.Rows = append(v.Rows, report.Row{Check: check, Got: got, Want: want, Result: report.Warned})
}
