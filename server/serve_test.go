package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"onair/hub/socket/sockettest"
	"onair/presence"
	"onair/presence/embedded"
	"onair/presence/presencetest"
	"onair/server/auth"
	"onair/server/config"
	"onair/server/logging"
	"onair/server/node"
)

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
	}
	goleak.VerifyTestMain(tidy{m})
}

// tidy lets go of the HTTP connections that tests left open for one another.
type tidy struct{ m *testing.M }

// Run implements goleak.TestingM.
func (t tidy) Run() int {
	defer http.DefaultClient.CloseIdleConnections()
	return t.m.Run()
}

// testServer is the whole server on listeners in memory, inside a bubble.
type testServer struct {
	t      *testing.T
	s      *node.Node
	public *sockettest.Listener
	client *http.Client // of the public listener
	ops    *http.Client // of the other one
	host   string
	secret string
	stop   func()       // as a first signal does
	ended  func() error // waits for serve

	mu  sync.Mutex
	log bytes.Buffer
}

// Write takes the server's log.
func (s *testServer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *testServer) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// serveTest starts a server with the given flags on a log in memory.
func serveTest(t *testing.T, flags ...string) *testServer {
	t.Helper()
	return serveLog(t, openMemory(t), flags...)
}

// serveStepped starts a server whose log's clock is shifted by what step says.
func serveStepped(t *testing.T, step func() time.Duration) *testServer {
	t.Helper()
	return serveLog(t, presencetest.WithClockSteps(openMemory(t), step))
}

func openMemory(t *testing.T) node.Store {
	t.Helper()
	log, err := embedded.Open(embedded.Options{Dir: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func serveLog(t *testing.T, home presence.Log, flags ...string) *testServer {
	t.Helper()
	return serveOn(t, home, false, flags...)
}

// shelved is a log with an archive of its own.
type shelved struct {
	presence.Log
	presence.Archive
}

// asStore gives a log that has none an archive in memory.
func asStore(t *testing.T, log presence.Log) node.Store {
	t.Helper()
	if s, ok := log.(node.Store); ok {
		return s
	}
	shelf := openMemory(t)
	t.Cleanup(func() { shelf.Close() })
	return shelved{log, shelf}
}

// serveOn starts a server on a log that is shared, or not.
func serveOn(t *testing.T, home presence.Log, shared bool, flags ...string) *testServer {
	t.Helper()
	return servePrepared(t, home, shared, func(*node.Options) {}, flags...)
}

// servePrepared is serveOn for a server of which something is changed before it
// serves.
func servePrepared(t *testing.T, home presence.Log, shared bool, prepare func(*node.Options), flags ...string) *testServer {
	t.Helper()
	s := &testServer{t: t, public: sockettest.NewListener(), host: "server", secret: processSecret}
	args := append([]string{
		"--auth.secret", processSecret, "--viewer.anonymous=true", "--node", "n1", "--data", "memory",
	}, flags...)
	cfg, err := config.Load(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	logger, level := logging.New(cfg, s)
	o := node.Options{
		Config: cfg, Store: asStore(t, home), IsShared: shared, Metrics: prometheus.NewRegistry(), Log: logger, Level: level,
	}
	prepare(&o)
	if s.s, err = node.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ops := sockettest.NewListener()
	s.client, s.ops = s.public.Client(), ops.Client()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	var once sync.Once
	result := make(chan error, 1)
	go func() { result <- s.s.Serve(ctx, s.public, ops) }()
	var failure error
	s.ended = func() error {
		once.Do(func() { failure = <-result })
		return failure
	}
	t.Cleanup(func() {
		stop()
		if err := s.ended(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.logged())
		}
	})
	for wait := time.Microsecond; !s.s.IsServing() && len(result) == 0; wait = min(2*wait, time.Second) {
		<-time.After(wait)
	}
	return s
}

func (s *testServer) stopped() error { return s.ended() }

func (s *testServer) token(role auth.Role, sub string, ttl time.Duration) string {
	s.t.Helper()
	text, err := auth.SignToken([]byte(s.secret), "", auth.Identity{Subject: sub, Role: role}, ttl, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// patient is longer than anything that a test in a bubble waits for.
const patient = time.Hour

// unwelcomed opens a socket and reads nothing from it yet.
func (s *testServer) unwelcomed(path, token string) *caller {
	s.t.Helper()
	return newCaller(s.t, s.public.Dial(s.t, path[1:], dialOptions(token)), patient)
}

// socket opens a socket and reads its welcome.
func (s *testServer) socket(path, token string) *caller {
	s.t.Helper()
	c := s.unwelcomed(path, token)
	c.welcomed()
	return c
}

func (s *testServer) anchor(sub string) *caller {
	s.t.Helper()
	return s.socket("/v1/anchor", s.token(auth.Anchor, sub, 24*time.Hour))
}

func (s *testServer) viewer(token string) *caller {
	s.t.Helper()
	return s.socket("/v1/viewer", token)
}

// slowViewer opens a viewer socket whose network stands still while the gate
// is locked.
func (s *testServer) slowViewer() (*caller, *gateway) {
	s.t.Helper()
	g := &gateway{make(chan struct{}, 1)}
	options := dialOptions("")
	options.HTTPClient = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.public.DialContext(ctx, network, address)
			return gatedConn{conn, g}, err
		},
	}}
	conn, _, err := websocket.Dial(s.t.Context(), "ws://server/v1/viewer", options)
	if err != nil {
		s.t.Fatal(err)
	}
	c := newCaller(s.t, conn, patient)
	c.welcomed()
	return c, g
}

// gateway is a lock that a bubble can see through.
type gateway struct{ held chan struct{} }

func (g *gateway) Lock()   { g.held <- struct{}{} }
func (g *gateway) Unlock() { <-g.held }

// pass waits until nobody holds the lock.
func (g *gateway) pass() {
	g.Lock()
	defer g.Unlock()
}

type gatedConn struct {
	net.Conn
	gate *gateway
}

func (c gatedConn) Read(p []byte) (int, error) {
	c.gate.pass()
	return c.Conn.Read(p)
}

// setInterval puts a new heartbeat interval into the log, as a node of a
// higher revision does.
func (s *testServer) setInterval(interval time.Duration) {
	s.t.Helper()
	next := s.s.Broadcasts.Settings()
	next.Revision++
	next.Interval, next.Grace = interval.Milliseconds(), interval.Milliseconds()/10
	if _, err := s.s.Presence.Do(s.t.Context(), &presence.SetSettings{Settings: next}); err != nil {
		s.t.Fatal(err)
	}
}

// status asks for a path, as for a socket, and returns the HTTP status.
func (s *testServer) status(path, token string) int {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+s.host+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func (s *testServer) get(client *http.Client, path string) string {
	s.t.Helper()
	res, err := client.Get("http://" + s.host + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

func (s *testServer) metric(name string) string {
	s.t.Helper()
	for line := range strings.Lines(s.get(s.ops, "/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
