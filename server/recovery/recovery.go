package recovery

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/server/metric"
)

// Recovery counts and logs panics of handlers. It may be used concurrently.
type Recovery struct {
	log    zerolog.Logger
	panics prometheus.Counter
}

// New registers the metric of panics.
func New(reg prometheus.Registerer, log zerolog.Logger) *Recovery {
	return &Recovery{log, metric.With(reg).Counter("onair_panics_total", "Panics in handlers; each closed one connection.")}
}

// RecordPanic counts and logs a panicValue panic of a handler. Call it in the goroutine
// that panicked, because the log line has the stack of the caller.
func (r *Recovery) RecordPanic(panicValue any, handler string) {
	r.panics.Inc()
	r.log.Error().Str("panic", fmt.Sprint(panicValue)).Str("handler", handler).Bytes("stack", debug.Stack()).Msg("handler panicked")
}

// AbortOnPanic records a panic of next and then aborts the response, so that only the
// connection of this request is closed.
func (r *Recovery) AbortOnPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer func() {
			recovered := recover()
			if recovered == nil {
				return
			}
			if recovered != http.ErrAbortHandler {
				r.RecordPanic(recovered, req.Pattern)
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, req)
	})
}
