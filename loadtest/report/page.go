package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/go-analyze/charts"
)

//go:embed report.html
var pageTemplate string

// WriteFiles writes base.html and base.json, and creates their directory.
func (r *Report) WriteFiles(base string, now time.Time) error {
	var page bytes.Buffer
	if err := r.writeHTML(&page, now); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(base), 0o777); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(base+".html", page.Bytes(), 0o666), os.WriteFile(base+".json", append(data, '\n'), 0o666))
}

// writeHTML writes a page that loads nothing from other servers.
func (r *Report) writeHTML(w io.Writer, now time.Time) error {
	t, err := template.New("report").Parse(pageTemplate)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*Report
		At    string
		Lines [][2]string
		Plots []plot
	}{r, now.UTC().Format("2006-01-02 15:04 UTC"), r.figureLines(), r.plots()})
}

// plot is a chart before it is drawn: series over the same labels.
type plot struct {
	Title  string
	unit   string
	xAxis  string
	labels []string
	names  []string
	values [][]float64
}

func (r *Report) plots() []plot {
	percentiles := plot{Title: "Latency from command to viewer, by percentile", unit: "ms", xAxis: "percentile", names: []string{"latency"}, values: [][]float64{nil}}
	for _, p := range r.Latency.percentiles {
		percentiles.labels = append(percentiles.labels, fmt.Sprintf("%g", p.percent))
		percentiles.values[0] = append(percentiles.values[0], p.milliseconds)
	}
	overTime := func(title, unit string, names []string, value ...func(SecondFigures) float64) plot {
		p := plot{Title: title, unit: unit, xAxis: "seconds", names: names, values: make([][]float64, len(value))}
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
		percentiles,
		overTime("Latency over time", "ms", []string{"p50", "p99"},
			func(s SecondFigures) float64 { return s.P50 }, func(s SecondFigures) float64 { return s.P99 }),
		overTime("Connections", "sockets", []string{"viewers with a list", "anchors on air", "sockets of the server"},
			func(s SecondFigures) float64 { return float64(s.Viewers) },
			func(s SecondFigures) float64 { return float64(s.Anchors) },
			func(s SecondFigures) float64 { return float64(s.Connections) }),
		overTime("CPU", "cores", []string{"server", "client"},
			func(s SecondFigures) float64 { return s.ServerCPU }, func(s SecondFigures) float64 { return s.ClientCPU }),
		overTime("Memory of the server", "MiB", []string{"resident"}, func(s SecondFigures) float64 { return float64(s.ServerMemory) / mib }),
		overTime("Bytes to viewers", "MiB/s", []string{"received"}, func(s SecondFigures) float64 { return float64(s.Bytes) / mib }),
		overTime("Diffs to viewers", "a second", []string{"delivered and checked"}, func(s SecondFigures) float64 { return float64(s.Diffs) }),
	}
}

// HTML returns the plot as SVG, or a note that there are too few points. The template calls it.
func (p plot) HTML() (template.HTML, error) {
	if len(p.labels) < 2 { // the library needs two points
		return "<p>Too short for a plot.</p>", nil
	}
	o := charts.NewLineChartOptionWithData(p.values)
	o.XAxis.Labels = p.labels
	o.XAxis.Title = p.xAxis
	o.XAxis.BoundaryGap = new(false)
	o.YAxis = []charts.YAxisOption{{Title: p.unit, Min: new(0.0)}}
	o.Legend.SeriesNames = p.names
	o.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	o.LineStrokeWidth = 1.5
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 960, Height: 280})
	if err := painter.LineChart(o); err != nil {
		return "", fmt.Errorf("draw %s: %w", p.Title, err)
	}
	svg, err := painter.Bytes()
	return template.HTML(svg), err // the library's own markup
}
