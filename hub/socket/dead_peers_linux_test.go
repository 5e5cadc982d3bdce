//go:build linux && !portable

package socket

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestIsDead(t *testing.T) {
	for _, c := range []struct {
		unacked uint32
		silence time.Duration
		want    bool
	}{
		{0, time.Hour, false}, {1, 49 * time.Second, false}, {1, 50 * time.Second, true}, {9, time.Hour, true},
	} {
		if got := isPeerDead(&unix.TCPInfo{Unacked: c.unacked, Last_ack_recv: uint32(c.silence.Milliseconds())}); got != c.want {
			t.Errorf("%d segments, silent for %v: dead %t", c.unacked, c.silence, got)
		}
	}
}

// A live peer that does not read has a closed window. Then no data is
// unacknowledged, although data is unsent.
func TestStalledPeerIsNotDead(t *testing.T) {
	c, _ := tcpConnPair(t, Options{}, nil)
	if full, err := c.Conn.Write(Message{Body: NewBody(repeatedJSON(32 << 20))}); !full || err != nil {
		t.Fatalf("32 MiB were sent at once: full %t, %v", full, err)
	}
	var info unix.TCPInfo
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if !readTCPInfo(c.transport.outbound.rawConn, &info) {
			t.Fatal("the connection is closed")
		}
		if info.Unacked == 0 && info.Notsent_bytes > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d segments are unacknowledged, %d bytes are unsent", info.Unacked, info.Notsent_bytes)
		}
	}
	c.CloseNow()
	if readTCPInfo(c.transport.outbound.rawConn, &info) {
		t.Error("readTCPInfo of a closed connection returned true")
	}
}
