package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"onair/presence"
	"onair/presence/presencetest"
)

// BenchmarkArchive measures an archive with a million recordings on disk, appends
// beside readers of pages, and a start.
func BenchmarkArchive(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	presencetest.BenchArchive(b, l, func(n int) {
		info, err := os.Stat(filepath.Join(dir, "onair.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%d bytes on disk per recording", info.Size()/int64(n))
	})
	b.Run("append beside readers", func(b *testing.B) {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := l.Recordings(b.Context(), presence.RecordingQuery{Limit: presence.MaxRecordingPageSize}); err != nil {
					b.Error(err)
					return
				}
			}
		}()
		incarnation, seq := uint64(time.Now().UnixNano()), uint64(0)
		for b.Loop() {
			seq++
			if err := l.Append(b.Context(), sealedBatch(incarnation, seq, &presence.Unban{Anchor: "x"})); err != nil {
				b.Fatal(err)
			}
		}
		close(stop)
		<-stopped
	})
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			l, err := Open(Options{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
