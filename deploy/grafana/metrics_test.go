//go:build linux

package grafana

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// emptyPanels are the panels without data in normal operation.
var emptyPanels = map[string]string{
	"onair-overview: Firing alerts":   "no alert fires",
	"onair-redis: Time of a snapshot": "a node writes one every few minutes",
}

// The dashboards query metrics of real servers, a real Prometheus accepts each
// expression, and in normal operation each panel shows data.
func TestDashboardsShowMetricsOfServers(t *testing.T) {
	dir := buildPrograms(t)
	shared, alone := startFleet(t, filepath.Join(dir, "server"))
	nodes := append(shared, alone)
	var addresses []string
	for _, n := range nodes {
		addresses = append(addresses, n.ops)
	}
	prometheus := startPrometheus(t, addresses)
	for _, n := range nodes {
		n.exercise()
	}
	// Prometheus sees no increase in a new series, so everything is counted twice.
	waitUntil(t, "all nodes are scraped", func() bool {
		n, err := prometheus.countNumbers(t.Context(), `sum by (instance) (onair_callbacks_total{result="signature"}) == 1`)
		return err == nil && n == len(nodes)
	})
	runLoadTest(t, filepath.Join(dir, "loadtest"), shared)
	for _, n := range nodes {
		n.exercise()
	}
	t.Run("Names", func(t *testing.T) { checkMetricNames(t, nodes) })
	t.Run("Queries", func(t *testing.T) { checkQueries(t, prometheus, nodes) })
}

// checkMetricNames checks that each name is a metric of a server, and that each
// metric of a server is on a dashboard.
func checkMetricNames(t *testing.T, nodes []*node) {
	scraped, err := newScrape()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if err := scraped.addNode(t.Context(), n.ops); err != nil {
			t.Fatal(err)
		}
	}
	usedNames := stringSet{}
	for _, d := range loadDashboards(t) {
		for _, q := range d.queries() {
			var faults []string
			for _, n := range nodes { // with Redis and without
				r := exprChecker{scraped: scraped, usedNames: usedNames}
				r.checkExpr(replaceVariables(q.expr, job, n.ops), q.legend)
				if faults = r.faults; len(faults) == 0 {
					break
				}
			}
			for _, fault := range faults {
				t.Errorf("%s: %s\n%s", q.where, fault, q.expr)
			}
		}
	}
	shownMetrics := stringSet{}
	for name := range usedNames {
		shownMetrics[metricName(name)] = true
	}
	for name := range scraped {
		if strings.HasPrefix(name, "onair_") && !shownMetrics[metricName(name)] {
			t.Errorf("%s is on no dashboard", name)
		}
	}
}

// metricName returns the metric of a series.
func metricName(series string) string {
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, part); ok {
			return name
		}
	}
	return series
}

// checkQueries checks that Prometheus accepts each expression, and waits until each
// has data.
func checkQueries(t *testing.T, p *prometheus, nodes []*node) {
	var empty []query
	for _, d := range loadDashboards(t) {
		for _, q := range d.queries() {
			if n := countNumbers(t, p, q, nodes); n == 0 && emptyPanels[q.where] == "" && !strings.Contains(q.where, "annotation") {
				empty = append(empty, q)
			}
		}
	}
	for deadline := time.Now().Add(waitTimeout / 2); len(empty) > 0; <-time.After(time.Second) {
		empty = slices.DeleteFunc(empty, func(q query) bool { return countNumbers(t, p, q, nodes) > 0 })
		if time.Now().After(deadline) {
			break
		}
	}
	for _, q := range empty {
		t.Errorf("%s: no data\n%s", q.where, q.expr)
	}
}

// countNumbers evaluates an expression with each node in turn, until one has data.
func countNumbers(t *testing.T, p *prometheus, q query, nodes []*node) (numbers int) {
	t.Helper()
	for _, n := range nodes {
		expr := replaceVariables(q.expr, job, n.ops)
		numbers, err := p.countNumbers(t.Context(), expr)
		if err != nil {
			t.Fatalf("%s: %v\n%s", q.where, err, expr)
		}
		if numbers > 0 {
			return numbers
		}
	}
	return 0
}
