package admission

import (
	"syscall"

	"github.com/rs/zerolog"

	"onair/server/config"
)

// reservedFiles are open files that are not sockets: the store, listeners,
// HTTP connections, and some to refuse further sockets with.
const reservedFiles = 200

// LowerSocketLimit lowers limits.anchorBySocket to what the process's open files allow.
func LowerSocketLimit(cfg *config.Config, log zerolog.Logger) {
	files := MaxOpenFiles()
	if room := files - reservedFiles; files != 0 && room < cfg.Limits.Sockets {
		log.Warn().Int("limits.sockets", cfg.Limits.Sockets).Int("open_files", files).Int("sockets", max(1, room)).
			Msg("fewer sockets than configured: the process may open too few files")
		cfg.Limits.Sockets = max(1, room)
	}
}

// MaxOpenFiles is how many files the process may have open, 0 if that is not known.
func MaxOpenFiles() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0
	}
	return int(min(files.Cur, 1<<30))
}
