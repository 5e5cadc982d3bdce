//go:build linux

package grafana

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// quiet have nothing to show in normal work.
var quiet = map[string]string{
	"onair-overview: Firing alerts":   "nothing fires",
	"onair-redis: Time of a snapshot": "there is one every few minutes",
}

// TestServers: what dashboards ask for is what real servers tell, a real Prometheus
// takes each expression, and in normal work each panel shows something.
func TestServers(t *testing.T) {
	dir := build(t)
	shared, alone := startFleet(t, filepath.Join(dir, "server"))
	nodes := append(shared, alone)
	var addresses []string
	for _, n := range nodes {
		addresses = append(addresses, n.ops)
	}
	prometheus := startPrometheus(t, addresses)
	for _, n := range nodes {
		n.use()
	}
	// A series that begins is no rise: what has been counted once is counted again.
	await(t, "all nodes to be scraped", func() bool {
		n, err := prometheus.ask(t.Context(), `sum by (instance) (onair_callbacks_total{result="signature"}) == 1`)
		return err == nil && n == len(nodes)
	})
	load(t, filepath.Join(dir, "loadtest"), shared)
	for _, n := range nodes {
		n.use()
	}
	t.Run("Names", func(t *testing.T) { checkNames(t, nodes) })
	t.Run("Queries", func(t *testing.T) { checkQueries(t, prometheus, nodes) })
}

// checkNames: each name is that of something that a server tells, and all that
// servers tell is on a dashboard.
func checkNames(t *testing.T, nodes []*node) {
	told := newScrape()
	for _, n := range nodes {
		if err := told.take(t.Context(), n.ops); err != nil {
			t.Fatal(err)
		}
	}
	seen := set{}
	for _, d := range dashboards(t) {
		for _, q := range d.queries() {
			var faults []string
			for _, n := range nodes { // which are on Redis, or are not
				r := reader{told: told, seen: seen}
				r.read(filled(q.expr, job, n.ops), q.legend)
				if faults = r.faults; len(faults) == 0 {
					break
				}
			}
			for _, fault := range faults {
				t.Errorf("%s: %s\n%s", q.where, fault, q.expr)
			}
		}
	}
	shown := set{}
	for name := range seen {
		shown[family(name)] = true
	}
	for name := range told {
		if strings.HasPrefix(name, "onair_") && !shown[family(name)] {
			t.Errorf("%s is on no dashboard", name)
		}
	}
}

// family is the metric that a series is of.
func family(series string) string {
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, part); ok {
			return name
		}
	}
	return series
}

// checkQueries: Prometheus takes each expression, and sooner or later there is
// something to show.
func checkQueries(t *testing.T, p *prometheus, nodes []*node) {
	var waiting []query
	for _, d := range dashboards(t) {
		for _, q := range d.queries() {
			if n := ask(t, p, q, nodes); n == 0 && quiet[q.where] == "" && !strings.Contains(q.where, "annotation") {
				waiting = append(waiting, q)
			}
		}
	}
	for late := time.Now().Add(soon / 2); len(waiting) > 0; <-time.After(time.Second) {
		waiting = slices.DeleteFunc(waiting, func(q query) bool { return ask(t, p, q, nodes) > 0 })
		if time.Now().After(late) {
			break
		}
	}
	for _, q := range waiting {
		t.Errorf("%s: nothing to show\n%s", q.where, q.expr)
	}
}

// ask evaluates an expression for one node after the other, where it is of one.
func ask(t *testing.T, p *prometheus, q query, nodes []*node) (numbers int) {
	t.Helper()
	for _, n := range nodes {
		expr := filled(q.expr, job, n.ops)
		numbers, err := p.ask(t.Context(), expr)
		if err != nil {
			t.Fatalf("%s: %v\n%s", q.where, err, expr)
		}
		if numbers > 0 {
			return numbers
		}
	}
	return 0
}
