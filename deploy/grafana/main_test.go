// Package grafana tests the dashboards of this folder, as far as that goes without
// Grafana: that they are whole, that they ask for what real servers tell, and that a
// real Prometheus answers.
package grafana

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
