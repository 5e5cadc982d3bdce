package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"onair/server/config"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

const (
	metricsPage = "../docs/metrics.md"
	metricsMark = "<!-- From here on it is written by: go test ./server -run TestMetricsPage -update -->\n"
)

// sections are those of the page, each with how the names begin that are in it.
var sections = []struct {
	title, about string
	names        []string
}{
	{"The list", "", []string{
		"streams", "starts", "ends", "missed_beats", "beats", "beat_gap", "late_beats", "stray_beats", "false_expirations",
		"expiry_lag", "clock_stalls", "evidence", "anchor_",
	}},
	{"What viewers get", "", []string{"list_latency", "views", "view_", "diff", "frames", "fanout", "hub_tick", "resumes", "slow_viewers"}},
	{"Connections and calls", "", []string{"connections", "opens", "closes", "turned_away", "tokens_refused", "jwks", "http_", "panics", "tls_"}},
	{"The node", "", []string{"ready", "draining", "build_info", "config_reloads", "flight"}},
	{"The log and the nodes", "", []string{
		"entries", "append_retries", "rebuilds", "mended", "digest", "nodes", "keeper", "effects", "dead_letters",
	}},
	{"The embedded store", "With `data`.", []string{"store_"}},
	{"Redis", "With `redis.addrs`.", []string{"redis_", "append", "tail_", "snapshot", "epochs"}},
	{"The cloud and media servers", "", []string{"signed", "push_verifications", "callbacks", "moderations"}},
	{"Status polls", "With `poll.provider`.", []string{"poll_"}},
	{"Webhooks", "With `webhooks.url`.", []string{"webhook"}},
}

// TestMetricsPage: docs/metrics.md has each metric there is, as it is.
func TestMetricsPage(t *testing.T) {
	was, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	head, _, marked := strings.Cut(string(was), metricsMark)
	if !marked {
		t.Fatal("docs/metrics.md has lost its mark")
	}
	is := head + metricsMark + describe(t, everyMetric(t))
	if *update {
		if err := os.WriteFile(metricsPage, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if is != string(was) {
		t.Error("docs/metrics.md is not true any more: go test ./server -run TestMetricsPage -update")
	}
	for name := range strings.FieldsFuncSeq(head, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		name = strings.TrimSuffix(name, "_bucket")
		if strings.HasPrefix(name, "onair_") && !strings.Contains(is[len(head):], "`"+name) {
			t.Errorf("docs/metrics.md speaks of %s, which there is not", name)
		}
	}
}

// everyMetric are those of two nodes that have all that can be configured, by
// their names: one with the embedded store, the other with Redis.
func everyMetric(t *testing.T) []*dto.MetricFamily {
	all := map[string]*dto.MetricFamily{}
	for _, home := range [][]string{{"--data", "memory"}, {"--redis.addrs", "127.0.0.1:1"}} {
		reg := prometheus.NewRegistry()
		s := everything(t, reg, home)
		for _, v := range []*prometheus.CounterVec{s.metrics.closes, s.metrics.verifications, s.metrics.callbacks, s.metrics.moderations} {
			v.WithLabelValues(make([]string, labelsOf(v))...)
		}
		s.metrics.connections.WithLabelValues("", "")
		s.metrics.requests.WithLabelValues("", "")
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			all[f.GetName()] = f
		}
	}
	var list []*dto.MetricFamily
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), "onair_") {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return list
}

// everything makes a node with all that has metrics of its own.
func everything(t *testing.T, reg *prometheus.Registry, home []string) *server {
	flags := config.Flags()
	if err := flags.Parse(append(home,
		"--webhooks.url", "http://127.0.0.1:1/", "--webhooks.secret", "whsec_"+strings.Repeat("c2Vj", 8),
		"--poll.provider", "tencent", "--cloud.secret-id", "id", "--cloud.secret-key", "key", "--auth.secret", strings.Repeat("a", 32), "--push.key", "p", "--play.key", "q",
	)); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.FromFlags(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	store, shared, err := openStore(cfg, reg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	_, level := newLogger(cfg, t.Output())
	s, err := newServer(ctx, cfg, store, shared, reg, zerolog.Nop(), level)
	if err != nil {
		t.Fatal(err)
	}
	if !shared { // the other waits for Redis
		if err := s.join(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// labelsOf is how many labels a vector has.
func labelsOf(v *prometheus.CounterVec) int {
	descs := make(chan *prometheus.Desc, 1)
	v.Describe(descs)
	_, labels, _ := strings.Cut((<-descs).String(), "variableLabels: {")
	return strings.Count(labels, ",") + 1
}

// describe writes the tables.
func describe(t *testing.T, all []*dto.MetricFamily) string {
	rows := make([][]string, len(sections))
	for _, f := range all {
		at := sectionOf(strings.TrimPrefix(f.GetName(), "onair_"))
		if at < 0 {
			t.Fatalf("%s is in no section of docs/metrics.md", f.GetName())
		}
		rows[at] = append(rows[at], row(f))
	}
	var out strings.Builder
	for i, s := range sections {
		fmt.Fprintf(&out, "\n## %s\n\n", s.title)
		if s.about != "" {
			fmt.Fprintf(&out, "%s\n\n", s.about)
		}
		out.WriteString("| name | kind | of | what |\n|---|---|---|---|\n" + strings.Join(rows[i], ""))
	}
	return out.String()
}

// sectionOf is the section that names a metric most closely, -1 for none.
func sectionOf(name string) int {
	at, most := -1, 0
	for i, s := range sections {
		for _, begin := range s.names {
			if strings.HasPrefix(name, begin) && len(begin) > most {
				at, most = i, len(begin)
			}
		}
	}
	return at
}

// row is a metric's line.
func row(f *dto.MetricFamily) string {
	var labels []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		labels = append(labels, l.GetName())
	}
	name := f.GetName()
	if labels != nil {
		name += "{" + strings.Join(labels, ",") + "}"
	}
	kind := strings.ToLower(f.GetType().String())
	if h := f.GetMetric()[0].GetHistogram(); h != nil {
		b := h.GetBucket()
		last := b[len(b)-1]
		if len(b) > 1 && last.GetUpperBound() > 1e300 {
			last = b[len(b)-2]
		}
		kind += fmt.Sprintf(", %d buckets from %g to %g", len(b), b[0].GetUpperBound(), last.GetUpperBound())
	}
	help, alike := strings.CutSuffix(f.GetHelp(), " All nodes count the same.")
	of := "node"
	if alike {
		of = "list"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, of, help)
}
