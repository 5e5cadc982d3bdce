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

	"onair/server/cloud"
	"onair/server/cloud/cloudtest"
)

// tencent is a simulated cloud and its client, with a budget of 50 a second.
func tencent(t *testing.T) (*cloudtest.Tencent, Provider) {
	t.Helper()
	sim := &cloudtest.Tencent{ID: "id", Key: "key", Domain: "8888.livepush.myqcloud.com", App: "live", Latency: 300 * time.Millisecond}
	budget := cloud.NewBudget(50)
	client, err := cloud.NewTencent(cloud.TencentConfig{SecretID: "id", SecretKey: "key", Domain: sim.Domain, App: sim.App}, cloud.Options{Budget: budget, Transport: sim})
	if err != nil {
		t.Fatal(err)
	}
	return sim, Provider{ForEachOnline: client.ForEachOnline, PushState: client.PushState, Budget: budget}
}

// withinBudget checks that of no stretch of time more came to the cloud than the
// budget has for it.
func withinBudget(t *testing.T, calls []cloudtest.Call, perSecond float64) {
	t.Helper()
	for i := range calls {
		for _, length := range []int{2, 10, 51, 500, 3000} {
			if i+length > len(calls) {
				break
			}
			if took := calls[i+length-1].ReceivedAt.Sub(calls[i].ReceivedAt).Seconds(); float64(length) > 1+took*perSecond+1e-3 {
				t.Fatalf("%d calls within %.3f s, at %v a second", length, took, perSecond)
			}
		}
	}
}

// TestTwentyThousand: of 20,000 streams, every one has its word in every round, and the
// cloud is asked no more than the budget is.
func TestTwentyThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, ended, nRounds = 20_000, 500, 2
		sim, c := tencent(t)
		for i := range n - ended {
			sim.SetOnline(code(i))
		}
		var h heard
		reg := prometheus.NewRegistry()
		all := targets(n)
		p := New(Options{Provider: c, Interval: interval, Targets: func() []Target { return all }, OnResult: h.tell, Logger: zerolog.Nop(), Metrics: reg})
		run(t, p, rounds(nRounds))
		for i := range n {
			want, got := [2]int{nRounds, 0}, [2]int{h.count(i, Online), h.count(i, Offline)}
			if i >= n-ended {
				want = [2]int{0, nRounds}
			}
			if got != want {
				t.Fatalf("session %d is online and offline %v times, not %v", i, got, want)
			}
		}
		withinBudget(t, sim.Calls(), 50)
		if calls, want := len(sim.Calls()), nRounds*((n-ended)/100+ended); calls != want {
			t.Errorf("%d calls, not %d", calls, want)
		}
		share := (float64(n-ended)/100 + ended) / (50 * 60)
		for name, want := range map[string]float64{
			"onair_poll_queries_total/list/answered": nRounds, "onair_poll_queries_total/one/answered": nRounds * ended, "onair_poll_queries_total/one/failed": 0,
			"onair_poll_words_total/online": nRounds * (n - ended), "onair_poll_words_total/offline": nRounds * ended, "onair_poll_words_total/failed": 0,
			"onair_poll_round_seconds": nRounds, "onair_poll_budget_ratio": share, "onair_poll_open_sessions": 0,
		} {
			if got := metric(t, reg, name); got != want {
				t.Errorf("%s is %v, not %v", name, got, want)
			}
		}
		if at := metric(t, reg, "onair_poll_last_complete_timestamp_seconds"); time.Since(time.UnixMilli(int64(at*1000))) > interval {
			t.Errorf("the last complete round was at %v", at)
		}
	})
}

// metric is a value, after a slash that of its labels in their order.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
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
	t.Fatalf("there is no %s", name)
	return 0
}

// TestListFails: when a long list cannot be read, the cloud is asked for as many
// singly as the budget has, and for the others in the rounds after.
func TestListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5000
		sim, c := tencent(t)
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
		var h heard
		p := newPoller(c, n, &h)
		run(t, p, rounds(4)) // three without a list, of some 2500 each
		withinBudget(t, sim.Calls(), 50)
		if h.all(Offline)+h.all(NoAnswer) != 0 {
			t.Errorf("%d are offline, %d have failed", h.all(Offline), h.all(NoAnswer))
		}
		for i := range n {
			if h.count(i, Online) < 2 {
				t.Fatalf("session %d has had no turn in three rounds", i)
			}
		}
	})
}

// TestLimit: a cloud whose limit is below the budget, since others use it too, is asked
// less, and nobody is failed or offline for it.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		sim, c := tencent(t)
		sim.PerSecond = 20
		for i := range n {
			sim.SetOnline(code(i))
		}
		var h heard
		run(t, newPoller(Provider{PushState: c.PushState, Budget: c.Budget}, n, &h), rounds(5))
		if h.all(Offline)+h.all(NoAnswer) != 0 {
			t.Errorf("%d are offline, %d have failed", h.all(Offline), h.all(NoAnswer))
		}
		for i := range n {
			if h.count(i, Online) < 3 {
				t.Fatalf("session %d has had %d answers in five rounds", i, h.count(i, Online))
			}
		}
		calls := len(sim.Calls())
		if refused := sim.RejectedCalls(); refused > calls/5 {
			t.Errorf("%d of %d calls were over the limit", refused, calls)
		}
	})
}

// TestFaults: whatever goes wrong with a third of the calls about each stream, nobody is
// offline who is not, and everybody is heard of.
func TestFaults(t *testing.T) {
	for _, fault := range []cloudtest.Fault{cloudtest.HTTPError, cloudtest.InternalError, cloudtest.TruncatedResponse, cloudtest.NoResponse, cloudtest.RateLimited, cloudtest.MalformedResponse} {
		synctest.Test(t, func(t *testing.T) {
			const n = 100
			sim, c := tencent(t)
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
			var h heard
			run(t, newPoller(c, n, &h), rounds(10))
			withinBudget(t, sim.Calls(), 50)
			for i := range n {
				online, offline := h.count(i, Online), h.count(i, Offline)
				if i < n/2 && (offline > 0 || online < 2) || i >= n/2 && (online > 0 || offline < 2) {
					t.Fatalf("fault %d: session %d is online %d times and offline %d", fault, i, online, offline)
				}
			}
		})
	}
}

// TestOnceInARound: an end that is to be confirmed does not wait until a round is over.
func TestOnceInARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, c := tencent(t)
		sim.SetOnline("8888_alice")
		var h heard
		p := newPoller(c, 4000, &h) // more than fits
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.Run(ctx); close(done) }()
		for range 8 {
			time.Sleep(7 * time.Second)
			began := time.Now()
			if state, err := p.QueryNow(ctx, "8888_alice"); state != cloud.Online || err != nil {
				t.Errorf("%v, %v", state, err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("an answer after %v", took)
			}
		}
		cancel()
		<-done
		withinBudget(t, sim.Calls(), 50)
	})
}
