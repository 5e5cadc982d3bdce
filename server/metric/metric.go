// Package metric registers metrics of the server by name and help.
package metric

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Factory makes metrics and registers them. With a nil registry it only makes them.
type Factory struct{ promauto.Factory }

// With returns a factory for a registry, which may be nil.
func With(reg prometheus.Registerer) Factory { return Factory{promauto.With(reg)} }

// Counter makes a counter.
func (f Factory) Counter(name, help string) prometheus.Counter {
	return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// CounterVec makes a counter with labels.
func (f Factory) CounterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// CounterBy makes a counter with one label. The series of the given values begin with 0, so
// that the first event of each is an increase: rate() and increase() need a first sample.
func CounterBy[V ~string](f Factory, label, name, help string, values ...V) *prometheus.CounterVec {
	counter := f.CounterVec(name, help, label)
	for _, value := range values {
		counter.WithLabelValues(string(value))
	}
	return counter
}

// Gauge makes a gauge.
func (f Factory) Gauge(name, help string) prometheus.Gauge {
	return f.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// GaugeFunc makes a gauge with the value of a function, which is called at each scrape.
func (f Factory) GaugeFunc(name, help string, value func() float64) {
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// Histogram makes a histogram with the given upper bounds of buckets.
func (f Factory) Histogram(name, help string, buckets ...float64) prometheus.Histogram {
	return f.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}
