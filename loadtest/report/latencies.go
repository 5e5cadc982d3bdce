package report

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/dustin/go-humanize"
)

// Latencies are quantiles of a histogram.
type Latencies struct {
	Samples     int64   `json:"samples"`
	P50         float64 `json:"p50_ms"`
	P90         float64 `json:"p90_ms"`
	P99         float64 `json:"p99_ms"`
	P999        float64 `json:"p999_ms"`
	Max         float64 `json:"max_ms"`
	percentiles []percentile
}

// percentile is a point of the plot: percent of the samples are no later.
type percentile struct {
	percent      float64
	milliseconds float64
}

// NewLatencies returns the quantiles of a histogram of microseconds.
func NewLatencies(inMicroseconds *hdrhistogram.Histogram) Latencies {
	l := Latencies{
		Samples: inMicroseconds.TotalCount(), Max: float64(inMicroseconds.Max()) / 1000,
		P50: Percentile(inMicroseconds, 50), P90: Percentile(inMicroseconds, 90), P99: Percentile(inMicroseconds, 99), P999: Percentile(inMicroseconds, 99.9),
	}
	for _, p := range []float64{0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100} {
		if beyond := (100 - p) / 100 * float64(l.Samples); p == 100 || beyond >= 1 {
			l.percentiles = append(l.percentiles, percentile{p, Percentile(inMicroseconds, p)})
		}
	}
	return l
}

// Percentile returns a quantile of a histogram of microseconds.
func Percentile(inMicroseconds *hdrhistogram.Histogram, percent float64) (milliseconds float64) {
	return float64(inMicroseconds.ValueAtQuantile(percent)) / 1000
}

// String returns the quantiles in milliseconds.
func (l *Latencies) String() string {
	return fmt.Sprintf("p50 %.1f ms, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f (%s samples)",
		l.P50, l.P90, l.P99, l.P999, l.Max, humanize.Comma(l.Samples))
}

// Milliseconds returns d with three decimals.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
