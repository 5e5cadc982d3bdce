package redislog

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"onair/presence/presencetest"
	"onair/presence/redislog/redistest"
)

func archiveAt(t *testing.T, s Server) {
	t.Helper()
	open := func(t *testing.T) presencetest.Archive {
		return Open(Options{Client: Dial(s), Prefix: strings.ReplaceAll(t.Name(), "/", "-"), Logger: zerolog.Nop()})
	}
	presencetest.RunArchive(t, open, open)
}

func TestArchive(t *testing.T) { archiveAt(t, Server{Addrs: []string{redistest.Start(t).Addr()}}) }

func TestArchiveOnCluster(t *testing.T) {
	archiveAt(t, Server{Addrs: redistest.StartCluster(t, 3, 0).Addrs()})
}
