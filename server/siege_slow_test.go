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

// cutAfter trickles a request, and returns how long the server looks on.
func cutAfter(s *nodetest.Server, request string, every time.Duration) time.Duration {
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

// TestSlowHeader: a header must be there within five seconds.
func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		for name, every := range map[string]time.Duration{"a byte a second": time.Second, "nothing more": time.Hour} {
			took := cutAfter(s, "GET /v1/viewer HTTP/1.1\r\nHost: server\r\nX-Slow: ", every)
			nodetest.RequireWithin(t, name+": cut", took, 5*time.Second, 6*time.Second)
		}
	})
}

// TestSlowBody: a body that does not come is waited for ten seconds at the
// most, whether or not anybody wants it.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		for _, path := range []string{"/v1/streams", "/v1/nothing", "/"} {
			for name, token := range map[string]string{"": "", " with a token": s.Token(auth.Anchor, "alice", time.Hour)} {
				head := "POST " + path + " HTTP/1.1\r\nHost: server\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
				if token != "" {
					head += "Authorization: Bearer " + token + "\r\n"
				}
				nodetest.RequireWithin(t, path+name+": cut", cutAfter(s, head+"\r\n{", time.Second), 0, 11*time.Second)
			}
		}
		if n := s.SumOfMetric(`onair_starts_total{list="live"}`); n != 0 {
			t.Errorf("%v streams were started", n)
		}
		if status := s.StatusOf("/v1/streams", ""); status != http.StatusOK {
			t.Errorf("then the list: HTTP %d", status)
		}
	})
}

// TestSlowloris: hundreds of requests that never get done hold nobody up, and
// are gone soon.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	p := besiege(t, thisBinary(), nil)
	b := p.invite()
	const n = 300
	before := p.gauge("go_goroutines")
	conns := p.rawSockets(2 * n)
	for i, c := range conns {
		text := "GET /v1/viewer HTTP/1.1\r\nHost: server\r\nX-Slow: "
		if i >= n {
			text = "POST /v1/streams HTTP/1.1\r\nHost: server\r\nContent-Length: 1000\r\n\r\n"
		}
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	b.served()
	b.whilst(func() {
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
	p.settles("go_goroutines", before+20)
}
