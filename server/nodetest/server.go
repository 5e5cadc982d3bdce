package nodetest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"onair/hub/socket/sockettest"
	"onair/presence"
	"onair/presence/embedded"
	"onair/presence/presencetest"
	"onair/server/auth"
	"onair/server/config"
	"onair/server/logging"
	"onair/server/node"
)

// Server is the whole server on listeners in memory, inside a bubble.
type Server struct {
	T      *testing.T
	Node   *node.Node
	Public *sockettest.Listener
	HTTP   *http.Client // for the public listener
	Ops    *http.Client // for the listener for operators
	Host   string
	Secret string
	Stop   func()       // stops the server as a first signal does
	ended  func() error // waits for Serve

	mu      sync.Mutex
	logText bytes.Buffer
}

// Write appends to the server's log.
func (s *Server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logText.Write(p)
}

// Log returns the text that the server has logged.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logText.String()
}

// Serve starts a server with the given flags on a log in memory.
func Serve(t *testing.T, flags ...string) *Server {
	t.Helper()
	return ServeLog(t, OpenMemoryStore(t), flags...)
}

// ServeWithClockSteps starts a server whose log's clock is shifted by step.
func ServeWithClockSteps(t *testing.T, step func() time.Duration) *Server {
	t.Helper()
	return ServeLog(t, presencetest.WithClockSteps(OpenMemoryStore(t), step))
}

// OpenMemoryStore opens a store in memory.
func OpenMemoryStore(t *testing.T) node.Store {
	t.Helper()
	log, err := embedded.Open(embedded.Options{Dir: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// ServeLog starts a server on a log that it does not share.
func ServeLog(t *testing.T, log presence.Log, flags ...string) *Server {
	t.Helper()
	return ServeStore(t, log, false, flags...)
}

// logWithArchive is a log with a separate archive.
type logWithArchive struct {
	presence.Log
	presence.Archive
}

// withMemoryArchive adds an archive in memory to a log without an archive.
func withMemoryArchive(t *testing.T, log presence.Log) node.Store {
	t.Helper()
	if s, ok := log.(node.Store); ok {
		return s
	}
	archive := OpenMemoryStore(t)
	t.Cleanup(func() { archive.Close() })
	return logWithArchive{log, archive}
}

// ServeStore starts a server on a log that other nodes may share.
func ServeStore(t *testing.T, log presence.Log, isShared bool, flags ...string) *Server {
	t.Helper()
	return ServeOptions(t, log, isShared, func(*node.Options) {}, flags...)
}

// ServeOptions is ServeStore with a function that changes the options before the start.
func ServeOptions(t *testing.T, log presence.Log, isShared bool, editOptions func(*node.Options), flags ...string) *Server {
	t.Helper()
	s := &Server{T: t, Public: sockettest.NewListener(), Host: "server", Secret: TokenSecret}
	args := append([]string{
		"--auth.secret", TokenSecret, "--push.key", "push", "--play.key", "play", "--viewer.anonymous=true", "--node", "n1", "--data", "memory",
	}, flags...)
	cfg, err := config.Load(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	logger, level := logging.New(cfg, s)
	o := node.Options{
		Config: cfg, Store: withMemoryArchive(t, log), IsShared: isShared, Metrics: prometheus.NewRegistry(), Log: logger, Level: level,
	}
	editOptions(&o)
	if s.Node, err = node.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ops := sockettest.NewListener()
	s.HTTP, s.Ops = s.Public.Client(), ops.Client()
	ctx, stop := context.WithCancel(context.Background())
	s.Stop = stop
	result := make(chan error, 1)
	go func() { result <- s.Node.Serve(ctx, s.Public, ops) }()
	s.ended = sync.OnceValue(func() error { return <-result })
	t.Cleanup(func() {
		stop()
		if err := s.ended(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.Log())
		}
	})
	for wait := time.Microsecond; !s.Node.HasStartedServing() && len(result) == 0; wait = min(2*wait, time.Second) {
		<-time.After(wait)
	}
	return s
}

// Wait waits until the server has stopped, and returns its error.
func (s *Server) Wait() error { return s.ended() }

// Token returns a token that is valid for ttl.
func (s *Server) Token(role auth.Role, sub string, ttl time.Duration) string {
	s.T.Helper()
	return signToken(s.T, s.Secret, role, sub, ttl)
}

// LongTimeout is longer than any wait of a test in a bubble.
const LongTimeout = time.Hour

// Dial opens a socket. The test receives its welcome.
func (s *Server) Dial(path, token string) *Client {
	s.T.Helper()
	return NewClient(s.T, s.Public.Dial(s.T, path[1:], DialOptions(token)), LongTimeout)
}

// DialWelcomed opens a socket and reads its welcome.
func (s *Server) DialWelcomed(path, token string) *Client {
	s.T.Helper()
	c := s.Dial(path, token)
	c.ReceiveWelcome()
	return c
}

// DialAnchor opens a socket of an anchor, and reads its welcome.
func (s *Server) DialAnchor(sub string) *Client {
	s.T.Helper()
	return s.DialWelcomed("/v1/anchor", s.Token(auth.Anchor, sub, 24*time.Hour))
}

// DialViewer opens a socket of a viewer, and reads its welcome.
func (s *Server) DialViewer(token string) *Client {
	s.T.Helper()
	return s.DialWelcomed("/v1/viewer", token)
}

// DialSlowViewer opens a viewer socket whose network stops while the gate
// is locked.
func (s *Server) DialSlowViewer() (*Client, *NetworkGate) {
	s.T.Helper()
	g := &NetworkGate{make(chan struct{}, 1)}
	options := DialOptions("")
	options.HTTPClient = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.Public.DialContext(ctx, network, address)
			return gatedConn{conn, g}, err
		},
	}}
	conn, _, err := websocket.Dial(s.T.Context(), "ws://server/v1/viewer", options)
	if err != nil {
		s.T.Fatal(err)
	}
	c := NewClient(s.T, conn, LongTimeout)
	c.ReceiveWelcome()
	return c, g
}

// NetworkGate is a lock that synctest counts as durably blocking.
type NetworkGate struct{ locked chan struct{} }

// Lock stops the network.
func (g *NetworkGate) Lock() { g.locked <- struct{}{} }

// Unlock starts the network again.
func (g *NetworkGate) Unlock() { <-g.locked }

// waitUntilUnlocked waits until the lock is free.
func (g *NetworkGate) waitUntilUnlocked() {
	g.Lock()
	defer g.Unlock()
}

type gatedConn struct {
	net.Conn
	gate *NetworkGate
}

// Read implements [io.Reader].
func (c gatedConn) Read(p []byte) (int, error) {
	c.gate.waitUntilUnlocked()
	return c.Conn.Read(p)
}

// SetHeartbeatInterval appends a new heartbeat interval to the log, as a node of a
// higher revision does.
func (s *Server) SetHeartbeatInterval(interval time.Duration) {
	s.T.Helper()
	next := s.Node.Broadcasts.Settings()
	next.Revision++
	next.Interval, next.Grace = interval.Milliseconds(), interval.Milliseconds()/10
	if _, err := s.Node.Presence.Do(s.T.Context(), &presence.SetSettings{Settings: next}); err != nil {
		s.T.Fatal(err)
	}
}

// GetStatus sends a GET request, and returns the HTTP status.
func (s *Server) GetStatus(path, token string) int {
	s.T.Helper()
	res, err := s.HTTP.Do(s.NewRequest(http.MethodGet, path, token, ""))
	if err != nil {
		s.T.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// Get returns the body of a page.
func (s *Server) Get(client *http.Client, path string) string {
	s.T.Helper()
	res, err := client.Get("http://" + s.Host + path)
	if err != nil {
		s.T.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return string(body)
}

// MetricText returns the value of a series of the node, or "" if there is none.
func (s *Server) MetricText(series string) string {
	s.T.Helper()
	for line := range strings.Lines(s.Get(s.Ops, "/metrics")) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// TokenSecret signs the tokens of tests against real processes.
const TokenSecret = "a secret of thirty-two bytes or more for tests"
