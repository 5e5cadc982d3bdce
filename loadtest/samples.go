package main

import (
	"slices"
	"sync"
	"time"

	"onair/loadtest/scrape"
)

// sample has the figures of one second.
type sample struct {
	at        time.Duration // of the run, at the end of the second
	viewers   int           // that have a list
	anchors   int           // on air
	diffs     int           // delivered to viewers and checked
	bytes     int           // received by viewers
	p50, p99  time.Duration // latency; 0 where there is none
	clientCPU time.Duration // of this process
	loopBusy  time.Duration // of the viewer loop, not waiting
	server    scrape.Sample
}

// sampleLog is safe for concurrent use.
type sampleLog struct {
	mu      sync.Mutex
	samples []sample
}

func (l *sampleLog) addSample(s sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

func (l *sampleLog) allSamples() []sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.samples)
}

// latestSample returns the latest sample, or an empty one.
func (l *sampleLog) latestSample() sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.samples) == 0 {
		return sample{}
	}
	return l.samples[len(l.samples)-1]
}
