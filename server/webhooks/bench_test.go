package webhooks

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"
)

// BenchmarkDeliver: events of many live codes to a back end that answers at once,
// in memory and over loopback.
func BenchmarkDeliver(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		benchDeliver(b, "https://app.example.com/", roundTripper(func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
		}))
	})
	b.Run("loopback", func(b *testing.B) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(204)
		}))
		defer server.Close()
		benchDeliver(b, server.URL, nil)
	})
}

func benchDeliver(b *testing.B, url string, transport http.RoundTripper) {
	target := newTarget(b, url)
	sender := NewSender(Options{Target: func() *Target { return target }, Transport: transport})
	var settled sync.WaitGroup
	ctx, cancel := newContext()
	pump := sender.NewPump(func(string, bool, string) { settled.Done() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		pump.Run(ctx)
	}()
	b.ReportAllocs()
	b.ResetTimer()
	settled.Add(b.N)
	for i := range b.N {
		pump.Enqueue(event(fmt.Sprint("8888_", i%10_000), i))
	}
	settled.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.StopTimer()
	cancel()
	<-done
}

// BenchmarkMillionOpen: a back end that is down while a million live codes have
// an event each: what they cost in memory, and in goroutines, beside what the
// list holds anyway.
func BenchmarkMillionOpen(b *testing.B) {
	const many = 1_000_000
	target := newTarget(b, "https://app.example.com/")
	for range b.N {
		events := make([]Event, many)
		for i := range events {
			events[i] = event(fmt.Sprint("8888_", i), i)
		}
		s := NewSender(Options{Target: func() *Target { return target }, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, errBroken
		})})
		pump := s.NewPump(func(string, bool, string) {})
		ctx, cancel := newContext()
		done := make(chan struct{})
		before := inUse()
		goroutines := runtime.NumGoroutine()
		go func() {
			defer close(done)
			pump.Run(ctx)
		}()
		began := time.Now()
		pump.Enqueue(events...)
		b.ReportMetric(time.Since(began).Seconds(), "s/offer")
		began = time.Now()
		pump.Enqueue(events...)
		b.ReportMetric(time.Since(began).Seconds(), "s/offer-again")
		b.ReportMetric(float64(inUse()-before)/many, "B/event")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		cancel()
		<-done
		runtime.KeepAlive(events)
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
