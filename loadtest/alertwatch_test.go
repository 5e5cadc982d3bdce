//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const alertRules = "../deploy/prometheus/rules/onair.yaml"

// alertWatcher is a Prometheus that scrapes nodes and evaluates the alert rules, each
// once a second.
type alertWatcher struct {
	testing.TB
	url       string
	client    *http.Client
	startedAt time.Time // when it had scraped all nodes
}

// startAlertWatcher starts Prometheus until the end of the test, with the real rules.
// Their times (for, ranges) are divided by speedup, so that a test of seconds counts as
// some minutes.
func startAlertWatcher(t testing.TB, speedup int, nodes ...*serverProcess) *alertWatcher {
	t.Helper()
	dir := t.TempDir()
	rules, err := os.ReadFile(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, n := range nodes {
		targets = append(targets, strconv.Quote(n.opsAddress))
	}
	for name, text := range map[string]string{
		"rules.yaml": divideDurations(string(rules), speedup),
		"prometheus.yml": "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yaml]\n" +
			"scrape_configs: [{job_name: onair, static_configs: [{targets: [" + strings.Join(targets, ", ") + "]}]}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=error")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatalf("prometheus: %v; .ci/install installs it", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	w := &alertWatcher{TB: t, url: "http://" + address, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	w.awaitCondition("Prometheus scrapes", func() bool { return w.query("count(up == 1)") == float64(len(nodes)) })
	w.awaitCondition("no alert fires", func() bool { return w.areFiring() == nil })
	w.startedAt = time.Now()
	return w
}

// ruleDurations matches durations of rules, and none in their texts.
var ruleDurations = regexp.MustCompile(`(for: |\[|offset )(\d+)([mh])`)

// divideDurations divides the durations of rules.
func divideDurations(rules string, divisor int) string {
	return ruleDurations.ReplaceAllStringFunc(rules, func(s string) string {
		m := ruleDurations.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2])
		seconds := map[string]int{"m": 60, "h": 3600}[m[3]] * n
		return m[1] + strconv.Itoa(seconds/divisor) + "s"
	})
}

// awaitCondition waits until isMet reports true.
func (w *alertWatcher) awaitCondition(condition string, isMet func() bool) {
	w.Helper()
	for deadline := time.Now().Add(testTimeout); !isMet(); <-time.After(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("%s: not within %v; firing: %v", condition, testTimeout, w.areFiring())
		}
	}
}

// query returns the first value of a query; 0 for none.
func (w *alertWatcher) query(query string) float64 {
	for _, v := range w.querySeries(query) {
		return v
	}
	return 0
}

const firingAlerts = `ALERTS{alertstate="firing"}`

// areFiring returns the alerts that fire now.
func (w *alertWatcher) areFiring() []string { return w.seriesOf(firingAlerts) }

// haveFired returns the alerts that have fired since Prometheus had scraped all nodes.
func (w *alertWatcher) haveFired() []string {
	return w.seriesOf(fmt.Sprintf("max_over_time(%s[%ds])", firingAlerts, int(time.Since(w.startedAt).Seconds())))
}

func (w *alertWatcher) seriesOf(query string) []string {
	return slices.Collect(maps.Keys(w.querySeries(query)))
}

// querySeries returns the values of a query by series.
func (w *alertWatcher) querySeries(query string) map[string]float64 {
	res, err := w.client.PostForm(w.url+"/api/v1/query", map[string][]string{"query": {query}})
	if err != nil {
		return nil // Prometheus may not listen yet
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable {
		return nil // Prometheus is not ready yet
	}
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Error != "" {
		w.Errorf("%s: %v %s", query, err, answer.Error)
		return nil
	}
	all := map[string]float64{}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			w.Errorf("%s: %v", query, err)
		}
		all[fmt.Sprint(r.Metric)] = v
	}
	return all
}
