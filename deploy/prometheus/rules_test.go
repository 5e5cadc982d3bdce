// Package prometheus has the alert rules, and tests that compare them with the
// metrics and the runbooks. The promtool cases in tests/ show when alerts fire. The
// tests of loadtest evaluate the rules with a real Prometheus.
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

// rule is a recording rule or an alert.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func loadRules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	readYAML(t, rulesFile, &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func loadAlerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(loadRules(t), func(r rule) bool { return r.Alert == "" })
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// Rules, cases and configuration are valid, and each case has its expected result.
func TestPromtoolAcceptsRulesAndCases(t *testing.T) {
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

// Each alert has a case in which it fires for one source, and not for another.
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
	readYAML(t, casesFile, &cases)
	fires, isQuiet := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		var fired []source
		for _, e := range c.Exprs {
			if !strings.Contains(e.Expr, `alertname="`+c.Name+`"`) {
				t.Errorf("a case of %s has an expression for another alert: %s", c.Name, e.Expr)
			}
			for _, w := range e.Want {
				fires[c.Name] = true
				fired = append(fired, sourceOf(w.Labels))
			}
		}
		for _, in := range c.Input {
			from := sourceOf(in.Series)
			if !slices.ContainsFunc(fired, func(f source) bool { return f.job == from.job && (f.instance == "" || f.instance == from.instance) }) {
				isQuiet[c.Name] = true
			}
		}
	}
	for _, a := range loadAlerts(t) {
		if !fires[a.Alert] || !isQuiet[a.Alert] {
			t.Errorf("%s: fires in a case: %v, does not fire for a source: %v", a.Alert, fires[a.Alert], isQuiet[a.Alert])
		}
	}
}

// source is the job and the instance of a series.
type source struct{ job, instance string }

func sourceOf(series string) source {
	label := func(name string) string {
		_, rest, _ := strings.Cut(series, name+`="`)
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	return source{label("job"), label("instance")}
}

// Each alert has a runbook with the alert's name, and each runbook has an alert.
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
	for _, a := range loadAlerts(t) {
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
		t.Errorf("%s.md belongs to no alert", p)
	}
}

func TestRulesAndRunbooksNameExistingMetrics(t *testing.T) {
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
	for _, r := range loadRules(t) {
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
				t.Errorf("%s names the metric %s, which does not exist", where, n)
			}
		}
	}
}
