package flight

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"onair/server/response"
)

// Limits of traces.
const (
	minTraceAge   = 10 * time.Second // unless the trace would exceed maxTraceBytes
	maxTraceBytes = 16 << 20         // in memory
	saveInterval  = 5 * time.Minute  // between two files
	maxTraceFiles = 5                // older ones are removed
)

// Recorder holds an execution trace of the last seconds, and writes it to a file after a late
// diff. A process has at most one. It may be used concurrently.
type Recorder struct {
	// Static after construction.
	dir       string
	recorder  *trace.FlightRecorder
	lateDiffs chan time.Duration // latencies; of size one
	writeLock chan struct{}      // full while a trace is written
	log       zerolog.Logger
	written   prometheus.Counter
}

// NewIfConfigured returns nil if no directory is configured. An error is returned when no file
// can be written to the directory.
func NewIfConfigured(cfg *config.Flight, reg prometheus.Registerer, log zerolog.Logger) (*Recorder, error) {
	written := promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "onair_flight_recordings_total", Help: "Traces that were written because a diff was late.",
	})
	if cfg.Dir == "" {
		return nil, nil
	}
	if err := ensureWritableDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("flight.dir: %w", err)
	}
	return &Recorder{
		dir: cfg.Dir, lateDiffs: make(chan time.Duration, 1), writeLock: make(chan struct{}, 1), log: log, written: written,
		recorder: trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: minTraceAge, MaxBytes: maxTraceBytes}),
	}, nil
}

// ensureWritableDir creates a directory if it does not exist, and creates and removes a file in it.
func ensureWritableDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "onair-*.try")
	if err != nil {
		return err
	}
	file.Close()
	return os.Remove(file.Name())
}

// writeTrace writes the trace of the last seconds, after other writers are done.
func (f *Recorder) writeTrace(ctx context.Context, w io.Writer) error {
	select {
	case f.writeLock <- struct{}{}:
		defer func() { <-f.writeLock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := f.recorder.WriteTo(w)
	return err
}

// TriggerLateDiffTrace makes Run write a trace, because a diff was late by that latency. It does not
// block, and may be called concurrently.
func (f *Recorder) TriggerLateDiffTrace(latency time.Duration) {
	select {
	case f.lateDiffs <- latency:
	default:
	}
}

// Run records until ctx ends. A nil recorder returns at once.
func (f *Recorder) Run(ctx context.Context) {
	if f == nil {
		return
	}
	if err := f.recorder.Start(); err != nil {
		f.log.Error().Err(err).Msg("flight recorder not started")
		return
	}
	defer f.recorder.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case latency := <-f.lateDiffs:
			path, err := f.saveTrace(ctx, time.Now())
			if err != nil {
				f.log.Error().Err(err).Dur("latency_ms", latency).Msg("diff was late, trace not written")
			} else {
				f.written.Inc()
				f.log.Warn().Dur("latency_ms", latency).Str("trace", path).Msg("diff was late, trace written")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(saveInterval):
		}
		select { // discards a diff that was late meanwhile: its trace is overwritten
		case <-f.lateDiffs:
		default:
		}
	}
}

// saveTrace writes the trace to a new file, and removes the oldest files.
func (f *Recorder) saveTrace(ctx context.Context, now time.Time) (path string, err error) {
	path = filepath.Join(f.dir, "onair-"+now.UTC().Format("20060102T150405")+".trace")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.writeTrace(ctx, file), file.Close()); err != nil {
		os.Remove(path)
		return "", err
	}
	paths, err := filepath.Glob(filepath.Join(f.dir, "onair-*.trace"))
	if err != nil {
		return "", err
	}
	slices.Sort(paths) // by time, which is in the name
	for _, oldPath := range paths[:max(0, len(paths)-maxTraceFiles)] {
		os.Remove(oldPath)
	}
	return path, nil
}

// ServeHTTP answers with the trace of the last seconds, and 404 if the recorder is nil.
func (f *Recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f == nil {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeNotFound, Message: "the flight recorder is off: flight.dir"})
		return
	}
	if !f.recorder.Enabled() {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeUnavailable, Message: "the flight recorder is not running: it is starting, or the log has the reason"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="onair.trace"`)
	if err := f.writeTrace(r.Context(), w); err != nil {
		f.log.Warn().Err(err).Msg("sending trace failed")
		panic(http.ErrAbortHandler) // the trace is incomplete
	}
}
