package node_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"onair/hub/wire"
	"onair/presence"
	"onair/presence/presencetest"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/rest"
)

// TestEveryMetric: each metric of ours moves when what it counts happens, is
// named as the field names metrics, and has no label that names a user.
func TestEveryMetric(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var step atomic.Int64
		log := presencetest.NewFaultyLog(presencetest.WithClockSteps(nodetest.OpenMemoryStore(t), func() time.Duration { return time.Duration(step.Load()) }))
		s := nodetest.ServeLog(t, log, "--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "s3cret", "--limits.sockets-per-address", "20")
		happen(s, log)
		step.Store(int64(time.Hour))
		time.Sleep(5 * time.Second)
		families, err := s.Node.Metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("promlint: %+v, %v", problems, err)
		}
		for _, f := range families {
			name := f.GetName()
			if !strings.HasPrefix(name, "onair_") || slices.Contains(elsewhere, name) {
				continue
			}
			if total(f) == 0 {
				t.Errorf("%s was not moved by anything", name)
			}
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if regexp.MustCompile(`alice|bob|8888|127\.0|txSecret|s3cret`).MatchString(l.GetValue()) {
						t.Errorf("%s has the label %s=%q", name, l.GetName(), l.GetValue())
					}
				}
			}
		}
		for _, want := range []string{
			`onair_connections{kind="viewer",role="anonymous"} 1`, `onair_connections{kind="viewer",role="viewer"} 1`,
			`onair_closes_total{code="4208",kind="anchor"} 1`, `onair_ends_total{list="live",reason="missed_beats"} 1`,
			`onair_ends_total{list="live",reason="stream_lost"} 1`, `onair_ends_total{list="live",reason="kicked"} 1`,
			`onair_false_expiries_total 1`, `onair_tokens_total{result="malformed"} 1`, `onair_panics_total 1`,
			`onair_push_verifications_total{result="good"} 2`, `onair_push_verifications_total{result="mismatch"} 1`,
			`onair_callbacks_total{event="publish",provider="nginx-rtmp",result="signature"} 1`,
			`onair_config_reloads_total{result="failed"} 1`,
			`onair_anchor_resumes_total{outcome="session_gone"} 1`, `onair_evidence_conflicts_total{conflict="media_end_against_beats"} 1`,
			`onair_ready 1`, `onair_opens_total{kind="anchor"} 2`,
			`onair_resumes_total{outcome="diff"} 1`, `onair_resumes_total{outcome="snapshot"} 1`,
		} {
			name, value, _ := strings.Cut(want, " ")
			if got := metricOf(s, families, name); got != value {
				t.Errorf("%s is %s, want %s", name, got, value)
			}
		}
	})
}

// elsewhere are metrics that cannot move in memory, or have tests of their own.
var elsewhere = []string{
	"onair_store_errors_total", "onair_tls_certificate_expiry_timestamp_seconds", "onair_jwks_fetches_total", "onair_jwks_last_fetch_timestamp_seconds",
	"onair_jwks_unusable_keys",
	"onair_append_retries_total", "onair_rebuilds_total", "onair_restores_total", "onair_outbox_events", "onair_dead_letters_total",
	"onair_draining", "onair_flight_recordings_total",
}

// happen makes everything happen that is counted.
func happen(s *nodetest.Server, log *presencetest.FaultyLog) {
	t := s.T
	t.Helper()
	back := s.DayToken(auth.Backend, "app")
	viewer := s.DialViewer("")
	known := s.DialViewer(s.DayToken(auth.Viewer, "bob"))
	first := nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID(), Play: []string{"flv"}})
	alice := s.DialAnchor("alice")
	b := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
	stats := wire.EncoderStats{BitrateKbps: wire.Some(2500.0), FPS: wire.Some(30.0)}
	nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1, Stats: stats})
	nodetest.RequestReply[*wire.Watching](known, &wire.Watch{ID: known.NextID(), Code: "8888_alice"})
	query := nodetest.URLQuery(b.Push.RTMP)
	s.SendNginxCallback("publish", "1", "8888_alice", query).RequireStatus(204)
	s.SendNginxCallback("publish", "2", "8888_alice", query[:len("txSecret=")]+strings.Repeat("0", 32)+query[len("txSecret=")+32:]).RequireStatus(403)
	resumed := s.DialViewer("")
	nodetest.RequestReply[*wire.Diff](resumed, &wire.Subscribe{ID: resumed.NextID(), Play: []string{"flv"}, Pos: first.Pos})
	nodetest.RequestReply[*wire.Snapshot](resumed, &wire.Subscribe{ID: resumed.NextID(), Pos: "1-0.00000001"})
	resumed.Conn.CloseNow()

	// A slow viewer is left behind.
	slow, gate := s.DialSlowViewer()
	nodetest.RequestReply[*wire.Snapshot](slow, &wire.Subscribe{ID: slow.NextID()})
	gate.Lock()
	for i := range 3 {
		s.Call("PATCH", "/v1/streams/8888_alice", back, fmt.Sprintf(`{"title":"%d"}`, i)).RequireStatus(200)
		time.Sleep(time.Second)
	}
	gate.Unlock()
	slow.AwaitView("the last title", func(l *wire.ClientView) bool { e, _ := l.Entry("8888_alice"); return e.Title == "2" })
	slow.Conn.CloseNow()

	// A late beat, an end by silence, and somebody who comes back right after it.
	time.Sleep(100 * time.Second)
	nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 2})
	alice.AwaitClose()
	again := s.DialAnchor("alice")
	nodetest.RequestReply[*wire.Error](again, &wire.Resume{ID: again.NextID(), Session: b.Session})

	// A picture that is lost, a stray beat, a kick.
	nodetest.RequestReply[*wire.Started](again, &wire.Start{ID: again.NextID(), Title: ""})
	s.SendNginxCallback("update_publish", "7", "8888_alice", query).RequireStatus(204)
	s.SendNginxCallback("publish_done", "7", "8888_alice", "").RequireStatus(204)
	time.Sleep(33 * time.Second)
	other := presence.Batch{Node: "other", Incarnation: 1, Process: 1, Seq: 1, MaxRules: presence.LatestRules, Beats: []presence.Beat{{Lease: presence.Lease{Index: 99}}}}
	s.Node.Presence.Read(func(r *presence.Registry) { other.Digest = &presence.Digest{Position: r.Position(), Sum: 1} })
	if err := log.Append(s.T.Context(), other.Seal()); err != nil {
		s.T.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	s.StartStream(s.DayToken(auth.Anchor, "carol"), `{"title":""}`)
	s.Call("POST", "/v1/streams/8888_carol/kick", back, "").RequireStatus(200)

	// A log that is away, tokens and handlers that fail, a bad configuration.
	log.SetTailBlocked(true)
	time.Sleep(10 * time.Second)
	log.SetTailBlocked(false)
	time.Sleep(5 * time.Second)
	s.Call("GET", "/v1/streams", "nonsense", "").RequireStatus(401)
	panicOnce(s)
	s.Node.ReloadConfig(t.Context(), nodetest.FailLoadConfig)
	nodetest.RequestReply[*wire.Started](again, &wire.Start{ID: again.NextID(), Title: ""})
	again.Conn.CloseNow()
	time.Sleep(10 * time.Second)
	limits := s.Node.Runtime.Current().Limits
	none := limits
	none.Sockets = 0
	s.Node.Admission.SetLimits(&none)
	if status := s.GetStatus("/v1/viewer", ""); status != http.StatusServiceUnavailable {
		t.Errorf("a full node answers %d", status)
	}
	s.Node.Admission.SetLimits(&limits)
}

// TestNodeMetrics: who operates reads a node's metrics with a token, too; nobody
// else does.
func TestNodeMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		a := s.Call("GET", "/v1/metrics", s.DayToken(auth.Admin, "op"), "").RequireStatus(200)
		if node := a.Header.Get(rest.NodeHeader); node != s.Node.Config.Node || !strings.Contains(string(a.Body), "\nonair_ready 1\n") {
			t.Errorf("of node %q: %s", node, a.Body)
		}
		s.Call("GET", "/v1/metrics", s.DayToken(auth.Backend, "app"), "").RequireProblem(403, wire.CodeForbidden)
		s.Call("GET", "/v1/metrics", "", "").RequireProblem(401, wire.CodeUnauthorized)
	})
}

// total adds up a metric, whatever its labels.
func total(f *dto.MetricFamily) (sum float64) {
	for _, m := range f.GetMetric() {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum
}

// metricOf is the value of one of the metrics that were gathered.
func metricOf(s *nodetest.Server, families []*dto.MetricFamily, name string) string {
	base, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			slices.Sort(have)
			if f.GetName() == base && strings.Join(have, ",") == labels {
				return fmt.Sprint(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			}
		}
	}
	return "absent"
}

// panicOnce has a handler panic.
func panicOnce(s *nodetest.Server) {
	s.T.Helper()
	h := s.Node.Recovery.AbortOnPanic(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") }))
	defer func() { recover() }()
	h.ServeHTTP(nil, &http.Request{})
}
