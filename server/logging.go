package main

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"onair/server/config"
)

// logLevel is the level from which on lines are written. It can change while
// the server runs, which that of a zerolog.Logger cannot.
type logLevel struct{ least atomic.Int32 }

func (l *logLevel) set(level zerolog.Level) { l.least.Store(int32(level)) }

// Run implements zerolog.Hook.
func (l *logLevel) Run(e *zerolog.Event, level zerolog.Level, _ string) {
	if int32(level) < l.least.Load() {
		e.Discard()
	}
}

// newLogger logs to a terminal for people, else as JSON.
func newLogger(cfg *config.Config, w io.Writer) (zerolog.Logger, *logLevel) {
	terminal := false
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if cfg.Log.Format == "console" || cfg.Log.Format == "" && terminal {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !terminal}
	}
	level := &logLevel{}
	level.set(cfg.Log.Level)
	return zerolog.New(w).Hook(level).With().Timestamp().Logger(), level
}
