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

	"onair/presence"
)

// BenchmarkDeliver delivers events of many live codes to a fast back end, in memory and
// over loopback.
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
	endpoint := newEndpoint(b, url)
	sender := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }, Transport: transport})
	var open sync.WaitGroup
	ctx, cancel := cancelableContext()
	dispatcher := sender.NewDispatcher(func(presence.EventID, string) { open.Done() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		dispatcher.Run(ctx)
	}()
	b.ReportAllocs()
	b.ResetTimer()
	open.Add(b.N)
	for i := range b.N {
		dispatcher.Enqueue(event(fmt.Sprint("8888_", i%10_000), i))
	}
	open.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.StopTimer()
	cancel()
	<-done
}

// BenchmarkMillionOpen measures the memory and goroutines of a million live codes with one
// event each, while the back end is down.
func BenchmarkMillionOpen(b *testing.B) {
	const count = 1_000_000
	endpoint := newEndpoint(b, "https://app.example.com/")
	for range b.N {
		events := make([]*presence.OutboxEvent, count)
		for i := range events {
			events[i] = event(fmt.Sprint("8888_", i), i)
		}
		s := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, errConnection
		})})
		dispatcher := s.NewDispatcher(func(presence.EventID, string) {})
		ctx, cancel := cancelableContext()
		done := make(chan struct{})
		heapBefore := heapInUse()
		goroutines := runtime.NumGoroutine()
		go func() {
			defer close(done)
			dispatcher.Run(ctx)
		}()
		began := time.Now()
		dispatcher.Enqueue(events...)
		b.ReportMetric(time.Since(began).Seconds(), "s/enqueue")
		began = time.Now()
		dispatcher.Enqueue(events...)
		b.ReportMetric(time.Since(began).Seconds(), "s/enqueue-again")
		b.ReportMetric(float64(heapInUse()-heapBefore)/count, "B/event")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		cancel()
		<-done
		runtime.KeepAlive(events)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
