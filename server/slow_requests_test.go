package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/server/auth"
	"onair/server/nodetest"
)

// timeUntilClosed sends a request byte by byte, and returns when the server closes the connection.
func timeUntilClosed(s *nodetest.Server, request string, every time.Duration) time.Duration {
	s.T.Helper()
	c := nodetest.DialRaw(s)
	began := time.Now()
	var writing sync.WaitGroup
	writing.Go(func() {
		_, err := io.WriteString(c, request)
		for err == nil {
			time.Sleep(every)
			_, err = c.Write([]byte("x"))
		}
	})
	io.Copy(io.Discard, c)
	took := time.Since(began)
	c.Close()
	writing.Wait()
	return took
}

// TestSlowHeader: a header must be complete within five seconds.
func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		for name, every := range map[string]time.Duration{"a byte a second": time.Second, "nothing more": time.Hour} {
			took := timeUntilClosed(s, "GET /v1/viewer HTTP/1.1\r\nHost: server\r\nX-Slow: ", every)
			nodetest.RequireWithin(t, name+": cut", took, 5*time.Second, 6*time.Second)
		}
	})
}

// TestSlowBody: the server waits for a body for at most ten seconds, also where the body is
// not used.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		for _, path := range []string{"/v1/streams", "/v1/nothing", "/"} {
			for name, token := range map[string]string{"": "", " with a token": s.Token(auth.Anchor, "alice", time.Hour)} {
				head := "POST " + path + " HTTP/1.1\r\nHost: server\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
				if token != "" {
					head += "Authorization: Bearer " + token + "\r\n"
				}
				nodetest.RequireWithin(t, path+name+": cut", timeUntilClosed(s, head+"\r\n{", time.Second), 0, 11*time.Second)
			}
		}
		if n := s.SumOfMetric(`onair_starts_total{list="live"}`); n != 0 {
			t.Errorf("%v streams were started", n)
		}
		if status := s.GetStatus("/v1/streams", ""); status != http.StatusOK {
			t.Errorf("then the list: HTTP %d", status)
		}
	})
}

// TestSlowloris: hundreds of requests that are never complete do not delay others, and are
// closed in time.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	p := startServer(t, testBinary(), nil)
	b := p.connectBystanders()
	const n = 300
	before := p.metricValue("go_goroutines")
	conns := p.dialRawSockets(2 * n)
	for i, c := range conns {
		text := "GET /v1/viewer HTTP/1.1\r\nHost: server\r\nX-Slow: "
		if i >= n {
			text = "POST /v1/streams HTTP/1.1\r\nHost: server\r\nContent-Length: 1000\r\n\r\n"
		}
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	b.checkServed()
	b.checkServedDuring(func() {
		stop := make(chan struct{})
		var drip sync.WaitGroup
		drip.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(500 * time.Millisecond):
				}
				for _, c := range conns {
					c.Write([]byte("x")) // fails once it is cut
				}
			}
		})
		for i, c := range conns {
			c.SetReadDeadline(time.Now().Add(nodetest.ProcessTimeout))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("connection %d is still open: %v", i, err)
				break
			}
		}
		close(stop)
		drip.Wait()
	})
	p.awaitMetricAtMost("go_goroutines", before+20)
}
