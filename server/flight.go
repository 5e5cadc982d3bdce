package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/trace"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"onair/hub/wire"
	"onair/server/config"
)

// Bounds of what the flight recorder keeps.
const (
	flightAge   = 10 * time.Second // at the least, unless that is more than
	flightBytes = 16 << 20         // of a trace, in memory
	flightRest  = 5 * time.Minute  // between two recordings
	flightFiles = 5                // the newest ones stay
)

// flight keeps an execution trace of the last seconds, and writes it when the
// list was told late: what the process did before is to be seen afterwards, with
// `go tool trace`. A process has at most one.
type flight struct {
	// Static after construction.
	dir      string
	recorder *trace.FlightRecorder
	late     chan time.Duration // of size one: there is something to record
	log      zerolog.Logger
	written  prometheus.Counter
}

// newFlight gives nil when the configuration names no directory. It returns an
// error when that is not to be written to.
func newFlight(cfg *config.Flight, reg prometheus.Registerer, log zerolog.Logger) (*flight, error) {
	written := promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "onair_flight_recordings_total", Help: "Traces of the last seconds that were written because the list was told late.",
	})
	if cfg.Dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, usageError{fmt.Errorf("flight.dir: %w", err)}
	}
	return &flight{
		dir: cfg.Dir, late: make(chan time.Duration, 1), log: log, written: written,
		recorder: trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: flightAge, MaxBytes: flightBytes}),
	}, nil
}

// note takes a latency that is over the limit. It does not block, and may be
// called concurrently.
func (f *flight) note(latency time.Duration) {
	select {
	case f.late <- latency:
	default:
	}
}

// run records until ctx ends; nil does nothing.
func (f *flight) run(ctx context.Context) {
	if f == nil {
		return
	}
	if err := f.recorder.Start(); err != nil {
		f.log.Error().Err(err).Msg("the flight recorder does not start")
		return
	}
	defer f.recorder.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case latency := <-f.late:
			path, err := f.save(time.Now())
			if err != nil {
				f.log.Error().Err(err).Msg("the list was told late, and what the process did meanwhile could not be written")
			} else {
				f.written.Inc()
				f.log.Warn().Dur("latency_ms", latency).Str("trace", path).
					Msg("the list was told late: what the process did meanwhile is for go tool trace")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(flightRest):
		}
		select { // what was late meanwhile is over
		case <-f.late:
		default:
		}
	}
}

// save writes the trace to a file of its own, and removes the oldest ones.
func (f *flight) save(now time.Time) (path string, err error) {
	path = filepath.Join(f.dir, "onair-"+now.UTC().Format("20060102T150405")+".trace")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.recorder.WriteTo(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(path)
		return "", err
	}
	all, err := filepath.Glob(filepath.Join(f.dir, "onair-*.trace"))
	if err != nil {
		return "", err
	}
	slices.Sort(all) // their names are their times
	for len(all) > flightFiles {
		os.Remove(all[0])
		all = all[1:]
	}
	return path, nil
}

// flightRoute answers GET /debug/flight with the last seconds.
func (s *server) flightRoute(w http.ResponseWriter, _ *http.Request) {
	if s.flight == nil {
		writeProblem(w, refuse(wire.CodeNotFound, "the flight recorder is off: flight.dir"))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="onair.trace"`)
	if _, err := s.flight.recorder.WriteTo(w); err != nil {
		s.log.Warn().Err(err).Msg("the flight recording could not be sent")
	}
}
