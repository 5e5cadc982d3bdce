package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/go-analyze/charts"
)

//go:embed report.html
var reportHTML string

// chart is one plot, drawn.
type chart struct {
	Title string
	SVG   template.HTML
}

// percentile is a step of the ladder of latencies: so many percent are no later.
type percentile struct {
	percent      float64
	milliseconds float64
}

// newPercentiles goes to as many nines as there are samples for.
func newPercentiles(h *hdrhistogram.Histogram) (out []percentile) {
	rest := 1.0
	for _, p := range []float64{0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100} {
		if rest = (100 - p) / 100 * float64(h.TotalCount()); p < 100 && rest < 1 {
			continue
		}
		out = append(out, percentile{p, Milliseconds(microseconds(h.ValueAtQuantile(p)))})
	}
	return out
}

// WriteFiles writes base.html and base.json.
func (r *Report) WriteFiles(base string, now time.Time) error {
	if err := os.MkdirAll(filepath.Dir(base), 0o777); err != nil {
		return err
	}
	for ending, write := range map[string]func(io.Writer) error{
		".html": func(w io.Writer) error { return r.writeHTML(w, now) },
		".json": r.writeJSON,
	} {
		f, err := os.Create(base + ending)
		if err != nil {
			return err
		}
		err = write(f)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeHTML writes a page that loads nothing from elsewhere.
func (r *Report) writeHTML(w io.Writer, now time.Time) error {
	drawn, err := r.charts()
	if err != nil {
		return err
	}
	t, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*Report
		At     string
		Lines  [][2]string
		Charts []chart
	}{r, now.UTC().Format("2006-01-02 15:04 UTC"), r.figureLines(), drawn})
}

// plot is a chart before it is drawn: lines over the same labels.
type plot struct {
	title  string
	unit   string
	over   string // what the labels are
	labels []string
	names  []string
	values [][]float64
}

func (r *Report) charts() (out []chart, err error) {
	for _, p := range r.plots() {
		svg, err := p.draw()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.title, err)
		}
		out = append(out, chart{p.title, template.HTML(svg)}) // the library's own, of numbers and our words
	}
	return out, nil
}

func (r *Report) plots() []plot {
	ladder := plot{title: "Latency from command to viewer, by percentile", unit: "ms", over: "percentile", names: []string{"latency"}, values: [][]float64{nil}}
	for _, x := range r.Latency.percentiles {
		ladder.labels = append(ladder.labels, fmt.Sprintf("%g", x.percent))
		ladder.values[0] = append(ladder.values[0], x.milliseconds)
	}
	over := func(title, unit string, names []string, value ...func(SecondFigures) float64) plot {
		p := plot{title: title, unit: unit, over: "seconds", names: names, values: make([][]float64, len(value))}
		for _, s := range r.Series {
			p.labels = append(p.labels, fmt.Sprintf("%.0f", s.At))
			for i, f := range value {
				p.values[i] = append(p.values[i], f(s))
			}
		}
		return p
	}
	const mib = 1 << 20
	return []plot{
		ladder,
		over("Latency over time", "ms", []string{"p50", "p99"},
			func(s SecondFigures) float64 { return s.P50 }, func(s SecondFigures) float64 { return s.P99 }),
		over("Connections", "sockets", []string{"viewers with a list", "anchors live", "sockets, says the server"},
			func(s SecondFigures) float64 { return float64(s.Viewers) },
			func(s SecondFigures) float64 { return float64(s.Anchors) },
			func(s SecondFigures) float64 { return float64(s.Connections) }),
		over("CPU", "cores", []string{"server", "client"},
			func(s SecondFigures) float64 { return s.ServerCPU }, func(s SecondFigures) float64 { return s.ClientCPU }),
		over("Memory of the server", "MiB", []string{"resident"}, func(s SecondFigures) float64 { return float64(s.ServerBytes) / mib }),
		over("Bytes to viewers", "MiB/s", []string{"received"}, func(s SecondFigures) float64 { return float64(s.Bytes) / mib }),
		over("Diffs to viewers", "a second", []string{"delivered and checked"}, func(s SecondFigures) float64 { return float64(s.Diffs) }),
	}
}

func (p *plot) draw() ([]byte, error) {
	if len(p.labels) < 2 { // the library wants a line
		return []byte("<p>Too short for a plot.</p>"), nil
	}
	o := charts.NewLineChartOptionWithData(p.values)
	o.XAxis.Labels = p.labels
	o.XAxis.Title = p.over
	o.XAxis.BoundaryGap = new(false)
	o.YAxis = []charts.YAxisOption{{Title: p.unit, Min: new(0.0)}}
	o.Legend.SeriesNames = p.names
	o.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	o.LineStrokeWidth = 1.5
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 960, Height: 280})
	if err := painter.LineChart(o); err != nil {
		return nil, err
	}
	return painter.Bytes()
}
