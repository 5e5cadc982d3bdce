package poll

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/server/cloud"
	"onair/server/cloud/cloudtest"
)

// newTencent returns a simulated cloud and its client, with a budget of 50 per second.
func newTencent(t *testing.T) (*cloudtest.Tencent, Provider) {
	t.Helper()
	sim := &cloudtest.Tencent{ID: "id", Key: "key", Domain: "8888.livepush.myqcloud.com", App: "live", Latency: 300 * time.Millisecond}
	budget := cloud.NewBudget(50)
	client, err := cloud.NewTencent(cloud.TencentConfig{SecretID: "id", SecretKey: "key", Domain: sim.Domain, App: sim.App}, cloud.Options{Budget: budget, Transport: sim})
	if err != nil {
		t.Fatal(err)
	}
	return sim, Provider{ForEachOnline: client.ForEachOnline, IsOnline: client.IsOnline, Budget: budget}
}

// requireWithinBudget checks that no period has more calls than the budget permits.
func requireWithinBudget(t *testing.T, calls []cloudtest.Call, perSecond float64) {
	t.Helper()
	for i := range calls {
		for _, length := range []int{2, 10, 51, 500, 3000} {
			if i+length > len(calls) {
				break
			}
			if period := calls[i+length-1].ReceivedAt.Sub(calls[i].ReceivedAt).Seconds(); float64(length) > 1+period*perSecond+1e-3 {
				t.Fatalf("%d calls within %.3f s at %v per second", length, period, perSecond)
			}
		}
	}
}

// TestTwentyThousand: all of 20,000 streams have a result in every round, within the budget.
func TestTwentyThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, ended, nRounds = 20_000, 500, 2
		sim, c := newTencent(t)
		for i := range n - ended {
			sim.SetOnline(code(i))
		}
		var recorded resultRecorder
		reg := prometheus.NewRegistry()
		all := targets(n)
		p := NewPoller(Options{Provider: c, Interval: interval, Targets: func() []presence.PollTarget { return all }, OnResult: recorded.record, Logger: zerolog.Nop(), Metrics: reg})
		runFor(t, p, rounds(nRounds))
		for i := range n {
			want, got := [2]int{nRounds, 0}, [2]int{recorded.count(i, presence.PollOnline), recorded.count(i, presence.PollOffline)}
			if i >= n-ended {
				want = [2]int{0, nRounds}
			}
			if got != want {
				t.Fatalf("session %d is online and offline %v times, want %v", i, got, want)
			}
		}
		requireWithinBudget(t, sim.Calls(), 50)
		if calls, want := len(sim.Calls()), nRounds*((n-ended)/100+ended); calls != want {
			t.Errorf("%d calls, want %d", calls, want)
		}
		share := (float64(n-ended)/100 + ended) / (50 * 60)
		for name, want := range map[string]float64{
			"onair_poll_queries_total/list/answered": nRounds, "onair_poll_queries_total/one/answered": nRounds * ended, "onair_poll_queries_total/one/failed": 0,
			"onair_poll_results_total/online": nRounds * (n - ended), "onair_poll_results_total/offline": nRounds * ended, "onair_poll_results_total/failed": 0,
			"onair_poll_round_seconds": nRounds, "onair_poll_budget_ratio": share, "onair_poll_open_sessions": 0,
		} {
			if got := metricValue(t, reg, name); got != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
		if at := metricValue(t, reg, "onair_poll_last_complete_timestamp_seconds"); time.Since(time.UnixMilli(int64(at*1000))) > interval {
			t.Errorf("last complete round at %v", at)
		}
	})
}

// metricValue returns the value of a metric; a slash separates its name and label values.
func metricValue(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var got strings.Builder
			got.WriteString(f.GetName())
			for _, l := range m.GetLabel() {
				got.WriteString("/" + l.GetValue())
			}
			if got.String() == name {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestListFails: while a long list cannot be read, single queries use the budget, and the
// rest follows in the next rounds.
func TestListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5000
		sim, c := newTencent(t)
		for i := range n {
			sim.SetOnline(code(i))
		}
		began := time.Now()
		sim.Fault = func(action, _ string) cloudtest.Fault {
			if action == "DescribeLiveStreamOnlineList" && time.Since(began) > interval/2 {
				return cloudtest.HTTPError
			}
			return 0
		}
		var recorded resultRecorder
		p := newPoller(c, n, &recorded)
		runFor(t, p, rounds(4)) // three without a list, with about 2500 queries each
		requireWithinBudget(t, sim.Calls(), 50)
		if recorded.total(presence.PollOffline)+recorded.total(presence.PollFailed) != 0 {
			t.Errorf("%d offline, %d without answer", recorded.total(presence.PollOffline), recorded.total(presence.PollFailed))
		}
		for i := range n {
			if recorded.count(i, presence.PollOnline) < 2 {
				t.Fatalf("session %d has no result in three rounds", i)
			}
		}
	})
}

// TestProviderLimit: a provider whose limit is below the budget gets fewer requests, and no
// session is PollOffline or PollFailed for that.
func TestProviderLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		sim, c := newTencent(t)
		sim.PerSecond = 20
		for i := range n {
			sim.SetOnline(code(i))
		}
		var recorded resultRecorder
		runFor(t, newPoller(Provider{IsOnline: c.IsOnline, Budget: c.Budget}, n, &recorded), rounds(5))
		if recorded.total(presence.PollOffline)+recorded.total(presence.PollFailed) != 0 {
			t.Errorf("%d offline, %d without answer", recorded.total(presence.PollOffline), recorded.total(presence.PollFailed))
		}
		for i := range n {
			if recorded.count(i, presence.PollOnline) < 3 {
				t.Fatalf("session %d has %d results in five rounds", i, recorded.count(i, presence.PollOnline))
			}
		}
		calls := len(sim.Calls())
		if rejected := sim.RejectedCalls(); rejected > calls/5 {
			t.Errorf("%d of %d calls exceeded the limit", rejected, calls)
		}
	})
}

// TestFaults: with faults in a third of the calls about each stream, no online stream is
// Offline, and every stream has results.
func TestFaults(t *testing.T) {
	for _, fault := range []cloudtest.Fault{cloudtest.HTTPError, cloudtest.InternalError, cloudtest.TruncatedResponse, cloudtest.NoResponse, cloudtest.RateLimited, cloudtest.MalformedResponse} {
		synctest.Test(t, func(t *testing.T) {
			const n = 100
			sim, c := newTencent(t)
			for i := range n / 2 {
				sim.SetOnline(code(i))
			}
			var mu sync.Mutex
			calls := map[string]int{}
			sim.Fault = func(_, code string) cloudtest.Fault {
				mu.Lock()
				defer mu.Unlock()
				if calls[code]++; (calls[code]+len(calls))%3 == 0 {
					return fault
				}
				return 0
			}
			var recorded resultRecorder
			runFor(t, newPoller(c, n, &recorded), rounds(10))
			requireWithinBudget(t, sim.Calls(), 50)
			for i := range n {
				online, offline := recorded.count(i, presence.PollOnline), recorded.count(i, presence.PollOffline)
				if i < n/2 && (offline > 0 || online < 2) || i >= n/2 && (online > 0 || offline < 2) {
					t.Fatalf("fault %d: session %d is online %d times and offline %d", fault, i, online, offline)
				}
			}
		})
	}
}

// TestQueryNowDuringRound: a query to confirm an end does not wait for the end of a round.
func TestQueryNowDuringRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, c := newTencent(t)
		sim.SetOnline("8888_alice")
		var recorded resultRecorder
		p := newPoller(c, 4000, &recorded) // more than fit into an interval
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.Run(ctx); close(done) }()
		for range 8 {
			time.Sleep(7 * time.Second)
			began := time.Now()
			if isOnline, err := p.QueryIsOnline(ctx, "8888_alice"); !isOnline || err != nil {
				t.Errorf("%v, %v", isOnline, err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("a response after %v", took)
			}
		}
		cancel()
		<-done
		requireWithinBudget(t, sim.Calls(), 50)
	})
}
