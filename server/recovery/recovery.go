package recovery

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"
)

// Recovery keeps a panic in one handler from ending the process. It may be used
// concurrently.
type Recovery struct {
	log    zerolog.Logger
	panics prometheus.Counter
}

// New registers the counter of panics.
func New(reg prometheus.Registerer, log zerolog.Logger) *Recovery {
	return &Recovery{log, promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "onair_panics_total", Help: "Panics in handlers; each closed one connection.",
	})}
}

// RecordPanic counts and logs a recovered panic of the named handler. The goroutine
// that recovers calls it, so that the log has its stack.
func (r *Recovery) RecordPanic(p any, handler string) {
	r.panics.Inc()
	r.log.Error().Str("panic", fmt.Sprint(p)).Str("call", handler).Bytes("stack", debug.Stack()).Msg("a handler panicked")
}

// Middleware ends the connection of a request whose handler panics, and nothing
// else.
func (r *Recovery) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p != http.ErrAbortHandler {
				r.RecordPanic(p, req.Pattern)
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, req)
	})
}
