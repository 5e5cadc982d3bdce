package logging

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"onair/server/config"
)

// Level is the level from which on lines are written. It can change while
// the server runs, which that of a zerolog.Logger cannot.
type Level struct{ minimum atomic.Int32 }

// Set changes the level at once.
func (l *Level) Set(level zerolog.Level) { l.minimum.Store(int32(level)) }

// Run implements zerolog.Hook.
func (l *Level) Run(e *zerolog.Event, level zerolog.Level, _ string) {
	if int32(level) < l.minimum.Load() {
		e.Discard()
	}
}

// New logs to a terminal for people, else as JSON.
func New(cfg *config.Config, w io.Writer) (zerolog.Logger, *Level) {
	terminal := false
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if cfg.Log.Format == "console" || cfg.Log.Format == "" && terminal {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !terminal}
	}
	level := &Level{}
	level.Set(cfg.Log.Level)
	return zerolog.New(w).Hook(level).With().Timestamp().Logger(), level
}
