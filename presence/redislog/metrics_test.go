package redislog

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestSnapshotAge: a node that writes no snapshots does not say that they age.
func TestSnapshotAge(t *testing.T) {
	reg := prometheus.NewRegistry()
	l := Open(Options{Client: Dial(Server{Addrs: []string{"127.0.0.1:1"}}), Metrics: reg})
	l.Close() // it only counts
	l.saved.Store(&snapshot{time: 1_000})
	for keeper, want := range map[bool]float64{false: 0, true: 60} {
		l.applied.Store(&standing{time: 61_000, keeper: keeper})
		all, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.GetName() == "onair_snapshot_age_seconds" {
				if got := f.Metric[0].GetGauge().GetValue(); got != want {
					t.Errorf("keeper %v: %v seconds", keeper, got)
				}
			}
		}
	}
}
