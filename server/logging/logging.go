package logging

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"onair/server/config"
)

// Level is the minimum level of the lines that are written. Unlike the level of a
// zerolog.Logger, it can change while the logger is in use. It may be used concurrently.
type Level struct{ minimum atomic.Int32 }

// Set changes the level.
func (l *Level) Set(level zerolog.Level) { l.minimum.Store(int32(level)) }

// Run implements zerolog.Hook.
func (l *Level) Run(e *zerolog.Event, level zerolog.Level, _ string) {
	if int32(level) < l.minimum.Load() {
		e.Discard()
	}
}

// New makes a logger with the configured level and format. Without a configured format it writes
// text to a terminal, and JSON elsewhere.
func New(cfg *config.Config, w io.Writer) (log zerolog.Logger, level *Level) {
	isTerminal := false
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		isTerminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if cfg.Log.Format == "console" || cfg.Log.Format == "" && isTerminal {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal}
	}
	level = &Level{}
	level.Set(cfg.Log.Level)
	return zerolog.New(w).Hook(level).With().Timestamp().Logger(), level
}
