package flight

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/server/config"
)

// TestFlightNowhere: a directory that is not to be written to is said at start.
func TestFlightNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewIfConfigured(&config.Flight{Dir: file}, prometheus.NewRegistry(), zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "flight.dir") {
		t.Errorf("%v", err)
	}
}
