package redislog

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestSnapshotAgeIsOfTheLeader: nodes that write no snapshots report no age.
func TestSnapshotAgeIsOfTheLeader(t *testing.T) {
	reg := prometheus.NewRegistry()
	l := Open(Options{Client: NewClient(ClientOptions{Addrs: []string{"127.0.0.1:1"}}), Metrics: reg})
	l.Close() // the metrics remain
	l.newest.Store(&snapshot{time: 1_000})
	for isLeader, want := range map[bool]float64{false: 0, true: 60} {
		l.applied.Store(&appliedState{time: 61_000, isLeader: isLeader})
		if got := metricValue(t, reg, "onair_snapshot_age_seconds"); got != want {
			t.Errorf("leader %v: %v seconds", isLeader, got)
		}
	}
}

// metricValue returns the value of a gauge or counter without labels.
func metricValue(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].GetGauge().GetValue() + f.Metric[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
