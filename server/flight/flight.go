package flight

import (
	"context"
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

// Bounds of what the flight recorder keeps.
const (
	minTraceAge   = 10 * time.Second // at the least, unless that is more than
	maxTraceBytes = 16 << 20         // of a trace, in memory
	saveInterval  = 5 * time.Minute  // between two recordings
	maxTraceFiles = 5                // the newest ones stay
)

// Recorder keeps an execution trace of the last seconds, and writes it when the
// list was told late: what the process did before is to be seen afterwards, with
// `go tool trace`. A process has at most one.
type Recorder struct {
	// Static after construction.
	dir       string
	recorder  *trace.FlightRecorder
	lateDiffs chan time.Duration // of size one: there is something to record
	writeLock chan struct{}      // held (full) by whoever writes: the recorder lets one
	log       zerolog.Logger
	written   prometheus.Counter
}

// New gives nil when the configuration names no directory. It returns an
// error when that is not to be written to.
func New(cfg *config.Flight, reg prometheus.Registerer, log zerolog.Logger) (*Recorder, error) {
	written := promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "onair_flight_recordings_total", Help: "Traces of the last seconds that were written because the list was told late.",
	})
	if cfg.Dir == "" {
		return nil, nil
	}
	if err := checkWritable(cfg.Dir); err != nil {
		return nil, fmt.Errorf("flight.dir: %w", err)
	}
	return &Recorder{
		dir: cfg.Dir, lateDiffs: make(chan time.Duration, 1), writeLock: make(chan struct{}, 1), log: log, written: written,
		recorder: trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: minTraceAge, MaxBytes: maxTraceBytes}),
	}, nil
}

// checkWritable makes a directory, if it is not there, and a file in it that goes again.
func checkWritable(dir string) error {
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

// writeTrace writes the last seconds; others that want them wait until it has.
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

// RecordLateDiff takes a latency that is over the limit. It does not block, and may be
// called concurrently.
func (f *Recorder) RecordLateDiff(latency time.Duration) {
	select {
	case f.lateDiffs <- latency:
	default:
	}
}

// Run records until ctx ends; nil does nothing.
func (f *Recorder) Run(ctx context.Context) {
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
		case latency := <-f.lateDiffs:
			path, err := f.saveTrace(ctx, time.Now())
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
		case <-time.After(saveInterval):
		}
		select { // what was late meanwhile is over
		case <-f.lateDiffs:
		default:
		}
	}
}

// saveTrace writes the trace to a file of its own, and removes the oldest ones.
func (f *Recorder) saveTrace(ctx context.Context, now time.Time) (path string, err error) {
	path = filepath.Join(f.dir, "onair-"+now.UTC().Format("20060102T150405")+".trace")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	err = f.writeTrace(ctx, file)
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
	for len(all) > maxTraceFiles {
		os.Remove(all[0])
		all = all[1:]
	}
	return path, nil
}

// ServeHTTP answers with the trace of the last seconds. A nil recorder answers
// that it is off.
func (f *Recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f == nil {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeNotFound, Message: "the flight recorder is off: flight.dir"})
		return
	}
	if !f.recorder.Enabled() {
		response.WriteProblem(w, &wire.Error{Code: wire.CodeUnavailable, Message: "the flight recorder does not run: the log says why, or it is just starting"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="onair.trace"`)
	if err := f.writeTrace(r.Context(), w); err != nil {
		f.log.Warn().Err(err).Msg("the flight recording could not be sent")
		panic(http.ErrAbortHandler) // what has gone is not all of it
	}
}
