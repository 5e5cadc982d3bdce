// Package prometheus has the alert rules, and the tests that hold them to the
// metrics that there are and to the runbooks. That they fire and stay quiet
// where they should is in tests/, for promtool; a real Prometheus weighs them in
// loadtest.
package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	rulesFile   = "rules/onair.yaml"
	casesFile   = "tests/onair.yaml"
	runbooks    = "../../docs/runbooks"
	metricsPage = "../../docs/metrics.md"
)

// rule is one of either kind.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	load(t, rulesFile, &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

func load(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestPromtool: rules, cases and configuration are as Prometheus wants them, and
// each case comes out as it says.
func TestPromtool(t *testing.T) {
	for _, args := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", rulesFile},
		{"test", "rules", casesFile},
		{"check", "config", "--lint=all", "--lint-fatal", "prometheus.yml"},
	} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v (.ci/install installs it)\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestEachAlertHasCases: one in which it fires, and beside it something that is
// not to have it fire.
func TestEachAlertHasCases(t *testing.T) {
	var cases struct {
		Tests []struct {
			Name  string
			Input []struct{ Series string } `yaml:"input_series"`
			Exprs []struct {
				Expr string
				Want []struct{ Labels string } `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	load(t, casesFile, &cases)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		var fired []source
		for _, e := range c.Exprs {
			if !strings.Contains(e.Expr, `alertname="`+c.Name+`"`) {
				t.Errorf("a case of %s asks for something else: %s", c.Name, e.Expr)
			}
			for _, w := range e.Want {
				fires[c.Name] = true
				fired = append(fired, sourceOf(w.Labels))
			}
		}
		for _, in := range c.Input {
			from := sourceOf(in.Series)
			if !slices.ContainsFunc(fired, func(f source) bool { return f.job == from.job && (f.instance == "" || f.instance == from.instance) }) {
				quiet[c.Name] = true
			}
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !quiet[a.Alert] {
			t.Errorf("%s: fires in a case: %v, is quiet in one: %v", a.Alert, fires[a.Alert], quiet[a.Alert])
		}
	}
}

// source is what a series is of.
type source struct{ job, instance string }

func sourceOf(series string) source {
	label := func(name string) string {
		_, rest, _ := strings.Cut(series, name+`="`)
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	return source{label("job"), label("instance")}
}

// TestEachAlertHasRunbook: and each page of a runbook is about an alert; who is
// called finds it by the alert's name.
func TestEachAlertHasRunbook(t *testing.T) {
	pages := map[string]bool{}
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		pages[strings.TrimSuffix(filepath.Base(f), ".md")] = true
	}
	index, err := os.ReadFile(runbooks + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	delete(pages, "README")
	for _, a := range alerts(t) {
		if !pages[a.Alert] {
			t.Errorf("%s has no runbook", a.Alert)
		}
		delete(pages, a.Alert)
		if !strings.Contains(string(index), "("+a.Alert+".md)") {
			t.Errorf("the index of the runbooks lacks %s", a.Alert)
		}
		if want := "docs/runbooks/" + a.Alert + ".md"; a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		if s := a.Labels["severity"]; s != "page" && s != "ticket" || a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s: severity %q, annotations %q", a.Alert, s, a.Annotations)
		}
	}
	for p := range pages {
		t.Errorf("%s.md is about no alert", p)
	}
}

// TestMetricsExist: rules and runbooks name metrics that there are.
func TestMetricsExist(t *testing.T) {
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`(job:)?onair_[a-z0-9_]+`)
	known := map[string]bool{}
	for _, n := range name.FindAllString(string(page), -1) {
		known[n] = true
	}
	texts := map[string]string{}
	for _, r := range rules(t) {
		if r.Record == "" {
			texts[r.Alert] = r.Expr
		} else {
			known[name.FindString(r.Record)] = true
			texts[r.Record] = r.Expr
		}
	}
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[f] = string(text)
	}
	for where, text := range texts {
		for _, n := range name.FindAllString(text, -1) {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(n, "_bucket"), "_sum"), "_count")
			if !known[n] && !known[base] {
				t.Errorf("%s names %s, which there is not", where, n)
			}
		}
	}
}
