package sockets_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub/socket/sockettest"
	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/runtimeconfig"
)

// panickingHook is a hook of a logger that panics at each line.
type panickingHook struct{}

// Run implements zerolog.Hook.
func (panickingHook) Run(*zerolog.Event, zerolog.Level, string) { panic("on purpose") }

// servePanics serves handlers that panic, with the parts of a server. Those of messages panic
// at a refused token.
func servePanics(s *nodetest.Server) *sockettest.Listener {
	s.T.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(http.ResponseWriter, *http.Request) { panic("on purpose") })
	mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("half"))
		panic("on purpose")
	})
	sockets := *s.Node.Sockets
	var err error
	sockets.Runtime, err = runtimeconfig.New(s.T.Context(), s.Node.Runtime.Current().Config, prometheus.NewRegistry(), zerolog.New(io.Discard).Hook(panickingHook{}))
	if err != nil {
		s.T.Fatal(err)
	}
	mux.HandleFunc("GET /v1/viewer", sockets.ViewerHandler())
	mux.HandleFunc("GET /v1/anchor", sockets.AnchorHandler())
	return sockettest.Serve(s.T, s.Node.Recovery.AbortOnPanic(mux))
}

// TestPanicEndsOnlyItsRequest: a request whose handler panics gets no complete response.
// Nothing else ends.
func TestPanicEndsOnlyItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		broken := servePanics(s)
		for _, path := range []string{"/page", "/half"} {
			if res, err := broken.Client().Get("http://server" + path); err == nil {
				var some [100]byte
				n, err := res.Body.Read(some[:])
				res.Body.Close()
				if err == nil || err.Error() == "EOF" {
					t.Errorf("%s: HTTP %d, %q, %v", path, res.StatusCode, some[:n], err)
				}
			}
		}
		if n := s.MetricText("onair_panics_total"); n != "2" {
			t.Errorf("%s panics were counted, want 2", n)
		}
		if log := s.Log(); strings.Count(log, `"panic":"on purpose"`) != 2 || !strings.Contains(log, "panic_test.go") {
			t.Error("the log lacks the value or the place of a panic")
		}
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
	})
}

// TestPanicEndsOnlyItsSocket: a socket whose message handler panics is closed with 1011
// and no longer counts. Nothing else ends.
func TestPanicEndsOnlyItsSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
		broken := servePanics(s)
		tok := s.Token(auth.Anchor, "mallory", time.Hour)
		for _, path := range []string{"v1/viewer", "v1/anchor"} {
			c := nodetest.NewClient(t, broken.Dial(t, path, nodetest.DialOptions(tok)), nodetest.LongTimeout)
			c.ReceiveWelcome()
			c.SendText(`{"type":"auth","token":"x"}`)
			if code, _ := c.AwaitClose(); code != wire.CloseInternal {
				t.Errorf("%s: closed with %d", path, code)
			}
		}
		synctest.Wait()
		if n := s.MetricText("onair_panics_total"); n != "2" {
			t.Errorf("%s panics were counted, want 2", n)
		}
		if !strings.Contains(s.Log(), "panic_test.go") {
			t.Error("the log lacks the place of the panics")
		}
		for _, kind := range []string{"viewer", "anchor"} {
			if n, want := s.SumOfMetric(`onair_connections{kind="`+kind+`",`), map[string]float64{"viewer": 0, "anchor": 1}[kind]; n != want {
				t.Errorf("%v %s sockets are open, want %v", n, kind, want)
			}
		}
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1})
	})
}
