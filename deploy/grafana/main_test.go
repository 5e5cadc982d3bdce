// Package grafana tests the dashboards of this folder without Grafana. They must be
// complete, query metrics of real servers, and get answers from a real Prometheus.
package grafana

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
