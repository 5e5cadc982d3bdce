// Package scrape reads the metrics of servers under load, through their restarts.
package scrape

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

// Sample is what servers publish as their metrics. CPU, Frames and SlowViewers count
// through restarts.
type Sample struct {
	IsKnown     bool // each server has been scraped
	CPU         time.Duration
	Memory      int // resident, in bytes
	Connections int
	Frames      int
	SlowViewers int // times that a viewer was left behind
	Restarts    int
	PeakMemory  int

	startTime float64 // of the process, in Unix seconds
}

// continueCounters returns a sample of a process, with the counters of the samples
// before it. lastOfProcess is the raw sample before it.
func (s Sample) continueCounters(before, lastOfProcess Sample) (continued Sample) {
	s.Restarts, s.PeakMemory = before.Restarts, max(before.PeakMemory, s.Memory)
	if before.IsKnown && lastOfProcess.startTime != s.startTime {
		lastOfProcess = Sample{}
		s.Restarts++
	}
	s.CPU += before.CPU - lastOfProcess.CPU
	s.Frames += before.Frames - lastOfProcess.Frames
	s.SlowViewers += before.SlowViewers - lastOfProcess.SlowViewers
	return s
}

// Scraper reads the metrics of one server. It is safe for concurrent use.
type Scraper struct {
	url string
	// Client connects to the server's address.
	Client *http.Client

	mu            sync.Mutex // guards both
	latest        Sample
	lastOfProcess Sample // the latest sample, as the process published it
}

// New returns the scraper of a URL. It connects to addr, whatever the URL's host name
// resolves to later.
func New(url string, addr netip.AddrPort) *Scraper {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr.String())
	}}
	return &Scraper{url: url, Client: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
}

// Run takes a sample each second, until ctx is done.
func (s *Scraper) Run(ctx context.Context) {
	defer s.Client.CloseIdleConnections()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.TakeSample(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// TakeSample returns a sample of now. For a server that does not answer, gauges are
// 0, and counters keep their last value.
func (s *Scraper) TakeSample(ctx context.Context) Sample {
	raw, err := s.Scrape(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.latest.Memory, s.latest.Connections = 0, 0
		return s.latest
	}
	s.latest, s.lastOfProcess = raw.continueCounters(s.latest, s.lastOfProcess), raw
	return s.latest
}

// Latest returns the latest sample.
func (s *Scraper) Latest() Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// Scrape returns the metrics as the process publishes them. It returns an error when
// the server does not answer, or answers with something else.
func (s *Scraper) Scrape(ctx context.Context) (raw Sample, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return raw, err
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return raw, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return raw, fmt.Errorf("%s: HTTP %d", s.url, res.StatusCode)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return raw, err
	}
	sum := func(name string) float64 { return familySum(families[name]) }
	return Sample{
		IsKnown: true, CPU: time.Duration(sum("process_cpu_seconds_total") * float64(time.Second)),
		Memory:      int(sum("process_resident_memory_bytes")),
		Connections: int(sum("onair_connections")), Frames: int(sum("onair_frames_sent_total")),
		SlowViewers: int(sum("onair_slow_viewers_total")), startTime: sum("process_start_time_seconds"),
	}, nil
}

// familySum adds up the gauges or counters of a family, which may be nil.
func familySum(f *dto.MetricFamily) (sum float64) {
	for _, m := range f.GetMetric() {
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
	}
	return sum
}

// Scrapers are the scrapers of several servers.
type Scrapers []*Scraper

// LatestSum returns the sum of the latest samples.
func (s Scrapers) LatestSum() Sample {
	var samples []Sample
	for _, scraper := range s {
		samples = append(samples, scraper.Latest())
	}
	return Sum(samples)
}

// TakeSamples returns a sample of each server.
func (s Scrapers) TakeSamples(ctx context.Context) (samples []Sample) {
	for _, scraper := range s {
		samples = append(samples, scraper.TakeSample(ctx))
	}
	return samples
}

// Sum adds samples up. The sum is known when there are samples and all are known.
func Sum(samples []Sample) (sum Sample) {
	sum.IsKnown = len(samples) > 0
	for _, s := range samples {
		sum.IsKnown = sum.IsKnown && s.IsKnown
		sum.CPU += s.CPU
		sum.Memory += s.Memory
		sum.Connections += s.Connections
		sum.Frames += s.Frames
		sum.SlowViewers += s.SlowViewers
		sum.Restarts += s.Restarts
	}
	return sum
}
