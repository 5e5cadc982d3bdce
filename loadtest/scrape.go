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

// Sample is what servers say of themselves in their metrics. CPU, frames
// and slow viewers are counted through restarts.
type Sample struct {
	IsKnown     bool
	CPU         time.Duration
	Memory      int // resident, in bytes
	Goroutines  int
	Connections int
	Frames      int
	SlowViewers int // times that a viewer was left behind
	Restarts    int
	PeakMemory  int // of memory

	started float64 // when the process did, by its own word
}

// continueFrom makes a sample of a process the continuation of those before it.
func (s Sample) continueFrom(before, process Sample) Sample {
	s.Restarts, s.PeakMemory = before.Restarts, max(before.PeakMemory, s.Memory)
	if before.IsKnown && process.started != s.started {
		process = Sample{}
		s.Restarts++
	}
	s.CPU += before.CPU - process.CPU
	s.Frames += before.Frames - process.Frames
	s.SlowViewers += before.SlowViewers - process.SlowViewers
	return s
}

// Scraper reads one server's metrics once a second. It may be used concurrently.
type Scraper struct {
	url    string
	Client *http.Client

	mu            sync.Mutex // guards both
	latest        Sample
	processSample Sample // the same as the process itself said it
}

// New connects to addr, whatever the URL's name means by now.
func New(url string, addr netip.AddrPort) *Scraper {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr.String())
	}}
	return &Scraper{url: url, Client: &http.Client{Timeout: 5 * time.Second, Transport: transport}}
}

func (s *Scraper) Run(ctx context.Context) {
	defer s.Client.CloseIdleConnections()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.Sample(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Sample takes a sample now. A server that does not answer has nothing; what it
// had counted stays.
func (s *Scraper) Sample(ctx context.Context) Sample {
	got, err := s.Scrape(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.latest.Memory, s.latest.Goroutines, s.latest.Connections = 0, 0, 0
		return s.latest
	}
	s.latest, s.processSample = got.continueFrom(s.latest, s.processSample), got
	return s.latest
}

func (s *Scraper) Current() Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

func (s *Scraper) Scrape(ctx context.Context) (out Sample, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return out, err
	}
	res, err := s.Client.Do(req)
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
	sum := func(name string) float64 { return familySum(families[name]) }
	return Sample{
		IsKnown: true, CPU: time.Duration(sum("process_cpu_seconds_total") * float64(time.Second)),
		Memory: int(sum("process_resident_memory_bytes")), Goroutines: int(sum("go_goroutines")),
		Connections: int(sum("onair_connections")), Frames: int(sum("onair_frames_sent_total")),
		SlowViewers: int(sum("onair_slow_viewers_total")), started: sum("process_start_time_seconds"),
	}, nil
}

// familySum adds up the gauges or counters of a family; of none, it is 0.
func familySum(f *dto.MetricFamily) (sum float64) {
	for _, m := range f.GetMetric() {
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
	}
	return sum
}

// Scrapers are those of all servers.
type Scrapers []*Scraper

// Sum is the sum of the newest samples.
func (s Scrapers) Sum() Sample {
	var out []Sample
	for _, x := range s {
		out = append(out, x.Current())
	}
	return SumSamples(out)
}

// Sample takes a sample of each.
func (s Scrapers) Sample(ctx context.Context) (out []Sample) {
	for _, x := range s {
		out = append(out, x.Sample(ctx))
	}
	return out
}

// SumSamples adds samples up. The sum is known when each has been at least once.
func SumSamples(samples []Sample) (out Sample) {
	out.IsKnown = len(samples) > 0
	for _, s := range samples {
		out.IsKnown = out.IsKnown && s.IsKnown
		out.CPU += s.CPU
		out.Memory += s.Memory
		out.Goroutines += s.Goroutines
		out.Connections += s.Connections
		out.Frames += s.Frames
		out.SlowViewers += s.SlowViewers
		out.Restarts += s.Restarts
	}
	return out
}
