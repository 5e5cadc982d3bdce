//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const alertRules = "../deploy/prometheus/rules/onair.yaml"

// watch is a Prometheus that scrapes nodes and weighs the alert rules, each once
// a second.
type watch struct {
	testing.TB
	url    string
	client *http.Client
	began  time.Time // when it had all nodes
}

// watchOver starts one, which is ended with the test. Its rules are the real
// ones; their times (for, ranges) are divided by hurry, so that a test of seconds
// is to them what some minutes are to those who are called.
func watchOver(t testing.TB, hurry int, nodes ...*onair) *watch {
	t.Helper()
	dir := t.TempDir()
	rules, err := os.ReadFile(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, n := range nodes {
		targets = append(targets, strconv.Quote(n.ops))
	}
	for name, text := range map[string]string{
		"rules.yaml": hurried(string(rules), hurry),
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
	w := &watch{TB: t, url: "http://" + address, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	w.await("it scrapes", func() bool { return w.value("count(up == 1)") == float64(len(nodes)) })
	w.await("that is seen by the rules", func() bool { return w.firing("now") == nil })
	w.began = time.Now()
	return w
}

// durations are those of rules, and of no text in them.
var durations = regexp.MustCompile(`(for: |\[)(\d+)([mh])`)

// hurried divides the times of rules.
func hurried(rules string, by int) string {
	return durations.ReplaceAllStringFunc(rules, func(s string) string {
		m := durations.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2])
		seconds := map[string]int{"m": 60, "h": 3600}[m[3]] * n
		return m[1] + strconv.Itoa(seconds/by) + "s"
	})
}

// await waits until something is so.
func (w *watch) await(what string, so func() bool) {
	w.Helper()
	for late := time.Now().Add(soon); !so(); <-time.After(200 * time.Millisecond) {
		if time.Now().After(late) {
			w.Fatalf("%s: it does not come to that; firing: %v", what, w.firing("now"))
		}
	}
}

// value is what a query comes to, the first of its series; 0 for none.
func (w *watch) value(query string) float64 {
	for _, v := range w.ask(query) {
		return v
	}
	return 0
}

// firing are the alerts that fire now, or did ever since it had all nodes.
func (w *watch) firing(when string) (names []string) {
	query := `ALERTS{alertstate="firing"}`
	if when == "ever" {
		query = fmt.Sprintf("max_over_time(%s[%ds])", query, int(time.Since(w.began).Seconds()))
	}
	for series := range w.ask(query) {
		names = append(names, series)
	}
	return names
}

// ask gives what a query comes to, by series.
func (w *watch) ask(query string) map[string]float64 {
	res, err := w.client.PostForm(w.url+"/api/v1/query", map[string][]string{"query": {query}})
	if err != nil {
		return nil // it may not be there yet
	}
	defer res.Body.Close()
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
