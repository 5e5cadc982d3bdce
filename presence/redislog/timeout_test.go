package redislog

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/presence/redislog/redistest"
)

// TestSlowRoundTrip: a Redis whose round trip takes more than a second counts as
// unreachable. The log has the reason, and a metric counts the requests.
func TestSlowRoundTrip(t *testing.T) {
	p := redistest.NewProxy(t, redistest.Start(t).Addr())
	var out bytes.Buffer
	reg := prometheus.NewRegistry()
	l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{p.Addr()}}), Metrics: reg, Logger: zerolog.New(zerolog.SyncWriter(&out))})
	have := mustLoad(t, l)
	p.Delay(600*time.Millisecond, 0)
	if err := l.Append(t.Context(), emptyBatch(1)); !errors.Is(err, errTimeout) || errors.Is(err, presence.ErrNotWritten) {
		t.Errorf("Append: %v", err)
	}
	loaded := make(chan error, 1)
	go func() {
		_, _, err := l.Load(t.Context(), have)
		loaded <- err
	}()
	for l.outage.since.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	p.EndFaults()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "redis unreachable") || !strings.Contains(text, errTimeout.Error()) {
		t.Errorf("the log has %s", text)
	}
	if n := metricValue(t, reg, "onair_redis_timeouts_total"); n < 2 {
		t.Errorf("%v requests are counted", n)
	}
}
