//go:build linux && !portable

package socket

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDead(t *testing.T) {
	for _, c := range []struct {
		unacked uint32
		heard   time.Duration
		want    bool
	}{
		{0, time.Hour, false}, {1, 49 * time.Second, false}, {1, 50 * time.Second, true}, {9, time.Hour, true},
	} {
		if got := dead(&unix.TCPInfo{Unacked: c.unacked, Last_ack_recv: uint32(c.heard.Milliseconds())}); got != c.want {
			t.Errorf("%d segments, heard %v ago: dead %t", c.unacked, c.heard, got)
		}
	}
}

// TestStalledIsNotDead: of a peer that lives and does not read, nothing is on
// its way once its window is shut, whatever waits here.
func TestStalledIsNotDead(t *testing.T) {
	c, _ := tcpPair(t, Options{}, nil)
	if full, err := c.Conn.Write(Message{Body: NewBody(json(32 << 20))}); !full || err != nil {
		t.Fatalf("32 MiB went at once: %t, %v", full, err)
	}
	var info unix.TCPInfo
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if !tcpInfo(c.wire.out.raw, &info) {
			t.Fatal("the connection is closed")
		}
		if info.Unacked == 0 && info.Notsent_bytes > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d segments are on their way, %d bytes wait", info.Unacked, info.Notsent_bytes)
		}
	}
	c.CloseNow()
	if tcpInfo(c.wire.out.raw, &info) {
		t.Error("a closed connection is asked")
	}
}
