package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// newReport returns the report of a failed run of five seconds.
func newReport() *Report {
	r := &Report{Verdict: Verdict{
		Result: Failed, Examples: []string{"an example with <b>markup</b>"}, Faults: map[string]int{"broken chains of positions": 2},
		Rows: []Row{{Check: "broken chains of positions", Got: "2", Want: "0", Result: Failed}},
	}}
	h := hdrhistogram.New(1, 600_000_000, 3)
	for i := range 2000 {
		_ = h.RecordValue(int64(i+1) * 100)
	}
	r.Latency, r.Server = NewLatencies(h), &ServerFigures{CPUCores: 0.5}
	for i := range 5 {
		r.Series = append(r.Series, SecondFigures{At: float64(i), Viewers: i * 100, P50: 1, P99: float64(i), Bytes: 1 << 20})
	}
	return r
}

// remoteReference matches what would make a browser load something.
var remoteReference = regexp.MustCompile(`(?i)(src|href)\s*=|url\(|@import|<script|<link|<iframe`)

func TestReportFiles(t *testing.T) {
	r := newReport()
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
	if found := remoteReference.Find(page); found != nil {
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
	if got.Result != Failed || got.Faults["broken chains of positions"] != 2 || len(got.Series) != 5 || got.Latency.P99 != r.Latency.P99 {
		t.Errorf("got %+v", got)
	}
}

// TestEmptyReport: a run without figures has a report, too.
func TestEmptyReport(t *testing.T) {
	r := &Report{Nodes: make([]NodeFigures, 2), DeliveryLatencies: DeliveryLatencies{
		Latency: NewLatencies(hdrhistogram.New(1, 10, 3)), Starts: StartLatencies{QuietOtherNode: &Latencies{}},
	}}
	var page bytes.Buffer
	if err := r.writeHTML(&page, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteText(&page); err != nil {
		t.Fatal(err)
	}
}
