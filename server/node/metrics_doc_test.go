package node

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"onair/server/admission"
	"onair/server/config"
	"onair/server/logging"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

const (
	metricsPage = "../../docs/metrics.md"
	metricsMark = "<!-- From here on it is written by: go test ./server/node -run TestMetricsPage -update -->\n"
)

// sections are those of the page, each with how the names begin that are in it.
var sections = []struct {
	title, about string
	names        []string
}{
	{"The list", "", []string{
		"streams", "starts", "ends", "missed_beats", "beats", "beat_gap", "late_beats", "stray_beats", "false_expiries",
		"expiry_lag", "clock_stalls", "evidence", "anchor_",
	}},
	{"What viewers get", "", []string{"list_latency", "views", "view_", "diff", "frames", "fanout", "hub_tick", "resumes", "slow_viewers"}},
	{"Connections and calls", "", []string{"connections", "opens", "closes", "tokens", "jwks", "http_", "panics", "tls_"}},
	{"The node", "", []string{"ready", "draining", "build_info", "config_reloads", "flight"}},
	{"The log and the nodes", "", []string{
		"entries", "append_retries", "rebuilds", "restores", "digest", "nodes", "leader", "outbox", "dead_letters",
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
		t.Error("docs/metrics.md is not true any more: go test ./server/node -run TestMetricsPage -update")
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
		countOnce(t, s)
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
func everything(t *testing.T, reg *prometheus.Registry, home []string) *Node {
	flags := config.NewFlagSet()
	if err := flags.Parse(append(home,
		"--webhooks.url", "http://127.0.0.1:1/", "--webhooks.secret", "whsec_"+strings.Repeat("c2Vj", 8),
		"--poll.provider", "tencent", "--moderation.provider", "tencent", "--cloud.secret-id", "id", "--cloud.secret-key", "key", "--auth.secret", strings.Repeat("a", 32), "--push.key", "p", "--play.key", "q",
	)); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadWithFlags(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	store, shared, err := OpenStore(cfg, reg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	_, level := logging.New(cfg, t.Output())
	s, err := New(ctx, Options{Config: cfg, Store: store, IsShared: shared, Metrics: reg, Log: zerolog.Nop(), Level: level})
	if err != nil {
		t.Fatal(err)
	}
	if !shared { // the other waits for Redis
		if err := s.joinLogAndBuildParts(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// countOnce counts, once, what has no series before something happens: a connection
// and, where the node has joined the log, a call and a callback.
func countOnce(t *testing.T, n *Node) {
	reservation, err := n.Admission.Reserve("")
	if err != nil {
		t.Fatal(err)
	}
	conn := &admission.Conn{Kind: admission.KindViewer}
	n.Admission.Admit(reservation, conn, admission.RoleUnknown)
	n.Admission.CountClose(conn.Kind, 0)
	if n.API == nil {
		return
	}
	w := httptest.NewRecorder()
	n.PublicHandler().ServeHTTP(w, httptest.NewRequest("POST", "/v1/hooks/srs", nil))
	if w.Code != http.StatusNotFound {
		t.Fatalf("status %d", w.Code)
	}
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
	help, alike := strings.CutSuffix(f.GetHelp(), " Equal on all nodes.")
	of := "node"
	if alike {
		of = "list"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, of, help)
}
