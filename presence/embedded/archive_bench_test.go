package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"onair/presence"
	"onair/presence/presencetest"
)

// BenchmarkArchive: a million recordings on disk, and how long a start takes that
// finds them there.
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
		b.Logf("%d bytes on disk for each recording", info.Size()/int64(n))
	})
	b.Run("append beside pages", func(b *testing.B) {
		done, busy := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(busy)
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, _, err := l.Recordings(b.Context(), presence.RecordingQuery{Limit: presence.MaxRecordingPage}); err != nil {
					b.Error(err)
					return
				}
			}
		}()
		boot, no := uint64(time.Now().UnixNano()), uint64(0)
		for b.Loop() {
			no++
			if err := l.Append(b.Context(), sealed(boot, no, &presence.Unban{Anchor: "x"})); err != nil {
				b.Fatal(err)
			}
		}
		close(done)
		<-busy
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
