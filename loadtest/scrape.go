package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// serverSample is what the server says of itself in its metrics. CPU and frames
// are since it started.
type serverSample struct {
	Known       bool
	CPU         time.Duration
	Memory      int // resident, in bytes
	Goroutines  int
	Connections int
	Frames      int
	Slow        int // times that a viewer was left behind
}

// scraper reads the server's metrics once a second. It may be used concurrently.
type scraper struct {
	url    string // "": there are none
	client *http.Client

	mu     sync.Mutex
	newest serverSample
}

// newScraper connects to addr, whatever the URL's name means by now.
func newScraper(url string, addr netip.AddrPort) *scraper {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr.String())
	}}
	return &scraper{url: url, client: &http.Client{Timeout: 5 * time.Second, Transport: transport}}
}

func (s *scraper) run(ctx context.Context) {
	defer s.client.CloseIdleConnections()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for s.url != "" {
		if got, err := s.scrape(ctx); err == nil {
			s.mu.Lock()
			s.newest = got
			s.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *scraper) last() serverSample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

func (s *scraper) scrape(ctx context.Context) (out serverSample, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return out, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return out, fmt.Errorf("%s: HTTP %d", s.url, res.StatusCode)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return out, err
	}
	sum := func(name string) float64 { return sumOf(families[name]) }
	return serverSample{
		Known: true, CPU: time.Duration(sum("process_cpu_seconds_total") * float64(time.Second)),
		Memory: int(sum("process_resident_memory_bytes")), Goroutines: int(sum("go_goroutines")),
		Connections: int(sum("onair_connections")), Frames: int(sum("onair_frames_sent_total")),
		Slow: int(sum("onair_slow_viewers_total")),
	}, nil
}

// sumOf adds up the gauges or counters of a family; of none, it is 0.
func sumOf(f *dto.MetricFamily) (sum float64) {
	for _, m := range f.GetMetric() {
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
	}
	return sum
}
