package socket

import (
	"errors"
	"io"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestUnsentDataIsDiscarded: the kernel resets the connection to a peer that does not
// read, and keeps no data for it. After another close the peer gets the data that the
// kernel had accepted.
func TestUnsentDataIsDiscarded(t *testing.T) {
	message := Message{Body: NewBody(repeatedJSON(32 << 20))}
	for name, c := range map[string]struct {
		end       func(c *blockingConn)
		wantReset bool
	}{
		"stalled":  {func(c *blockingConn) { <-c.Closed() }, true},
		"Reset":    {func(c *blockingConn) { c.Conn.Reset() }, true},
		"vanished": {func(c *blockingConn) { c.transport.reset() }, true}, // as a Poller does
		"CloseNow": {func(c *blockingConn) { c.CloseNow() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{StallTimeout: time.Hour}
			if name == "stalled" {
				o.StallTimeout = 100 * time.Millisecond
			}
			conn, client := loopbackPair(t, httptest.NewServer, o, nil)
			if full, err := conn.Conn.Write(message); !full || err != nil {
				t.Fatalf("32 MiB were sent at once: full %t, %v", full, err)
			}
			c.end(conn)
			if err := readAll(t, client); errors.Is(err, syscall.ECONNRESET) != c.wantReset {
				t.Errorf("the peer gets %v", err)
			}
		})
	}
}

// readAll reads a message to its end, and returns the error.
func readAll(t *testing.T, client *websocket.Conn) error {
	t.Helper()
	_, r, err := client.Reader(t.Context())
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return err
}
