package main

import (
	"slices"
	"sync"
	"time"
)

// sample is one second of the run.
type sample struct {
	At        time.Duration // of the run, at its end
	Viewers   int
	Anchors   int
	Diffs     int // delivered to viewers and checked
	Bytes     int // of what viewers received
	Samples   int64
	P50, P99  time.Duration // latency; 0 where there are no samples
	ClientCPU time.Duration // of this process
	Busy      time.Duration // of the viewers' loop
	Server    Sample
}

// series is all samples. It may be used concurrently.
type series struct {
	mu      sync.Mutex
	samples []sample
}

func (s *series) add(x sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, x)
}

func (s *series) all() []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.samples)
}

// last is the newest sample, or an empty one.
func (s *series) last() sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.samples) == 0 {
		return sample{}
	}
	return s.samples[len(s.samples)-1]
}
