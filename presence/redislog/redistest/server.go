package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server of a test, in its lives: it may be killed and
// started again, on the same port and directory.
type Server struct {
	t       testing.TB
	program string
	port    int
	base    []string // what every life is started with
	log     logbook

	options []string // of this life beside base
	process *process
	paused  atomic.Bool
	client  *redis.Client
}

// Start starts a redis-server that nobody else uses, and waits until it
// answers. It keeps nothing on disk, unless the options, which are those of
// redis-server, say so: Start(t, "--appendonly", "yes").
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return start(t, func(port int, dir string) []string {
		return append([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--rdb-del-sync-files", "yes", "--repl-diskless-sync-delay", "0",
		}, options...)
	})
}

// start starts a server with the arguments for a port and a directory.
func start(t testing.TB, args func(port int, dir string) []string) *Server {
	t.Helper()
	s := &Server{t: t, program: program(t)}
	dir := t.TempDir()
	t.Cleanup(s.end) // after the directory's, hence before it
	for range 10 {
		s.port = freePort(t)
		s.base = args(s.port, dir)
		s.launch()
		if s.taken() {
			continue
		}
		s.AwaitReady()
		return s
	}
	t.Fatalf("redis-server finds no free port\n%s", s.log.tail(20))
	return nil
}

// program is where redis-server is.
func program(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("%v: run .ci/install", err)
	}
	return path
}

// launch begins a life.
func (s *Server) launch(options ...string) {
	s.t.Helper()
	s.options = options
	process, err := spawn(&s.log, s.program, slices.Concat(s.base, options)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = process
	s.paused.Store(false)
}

// taken tells whether the server could not have its port, which another test
// took in between: then it ends at once.
func (s *Server) taken() bool {
	s.t.Helper()
	await(s.t, "redis-server to listen", func() error {
		if !s.process.running() {
			return nil
		}
		_, err := s.ping()
		return err
	})
	return !s.process.running() && strings.Contains(s.log.String(), "in use")
}

// Await waits until the server, which may be loading, does what it is told.
func (s *Server) AwaitReady() {
	s.t.Helper()
	await(s.t, "redis-server to answer", func() error {
		if !s.process.running() {
			s.t.Fatalf("redis-server ended: %s\n%s", s.process.cmd.ProcessState, s.log.tail(20))
		}
		answer, err := s.ping()
		if err == nil && !strings.HasPrefix(answer, "+PONG") && !strings.HasPrefix(answer, "-NOAUTH") {
			err = errors.New(answer)
		}
		return err
	})
}

// ping asks without a client, which would need a password.
func (s *Server) ping() (answer string, err error) {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// end is the end of the test.
func (s *Server) end() {
	if s.client != nil {
		s.client.Close()
	}
	if s.process != nil {
		s.process.kill()
	}
	if s.t.Failed() {
		s.t.Logf("the server on %s said:\n%s", s.Addr(), s.log.tail(50))
	}
}

// Addr is where it listens.
func (s *Server) Addr() string { return onLoopback(s.port) }

// Log is what it printed last, in all its lives.
func (s *Server) Log() string { return s.log.String() }

// Pause stops it where it is: connections stay open, and nothing is answered.
func (s *Server) Pause() {
	s.paused.Store(true)
	s.process.signal(syscall.SIGSTOP)
}

// Resume lets a paused server go on.
func (s *Server) Resume() {
	s.process.signal(syscall.SIGCONT)
	s.paused.Store(false)
}

// up tells whether it runs, and is not paused.
func (s *Server) up() bool { return s.process.running() && !s.paused.Load() }

// Kill ends it as a crash does.
func (s *Server) Kill() { s.process.kill() }

// Stop ends it in order.
func (s *Server) Stop() {
	s.t.Helper()
	if !s.process.stop(patience) {
		s.t.Fatalf("redis-server does not end\n%s", s.log.tail(20))
	}
}

// Restart ends it, if it runs, in order, and starts it again: with what it has
// on disk, hence without an append-only file it comes back empty. The options
// are added to those it was started with, for this life.
func (s *Server) Restart(options ...string) {
	s.t.Helper()
	s.BeginRestart(options...)
	s.AwaitReady()
}

// BeginRestart is Restart that does not wait: until Await returns, the server
// refuses connections, then says LOADING, for as long as that takes (see
// --key-load-delay).
func (s *Server) BeginRestart(options ...string) {
	s.t.Helper()
	s.Stop()
	s.launch(options...)
}

// Client is a client of this server: it does not try twice, and gives up after
// a second.
func (s *Server) Client() *redis.Client {
	if s.client == nil {
		s.client = redis.NewClient(&redis.Options{
			Addr: s.Addr(), CredentialsProvider: func() (string, string) { return "", s.password() },
			MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
			DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second, PoolTimeout: time.Second,
		})
	}
	return s.client
}

// password is what the options ask clients for.
func (s *Server) password() string {
	return option(slices.Concat(s.base, s.options), "--requirepass")
}

// Do runs a command, which must succeed: Do("CONFIG", "SET", "maxmemory", "2mb").
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.Client().Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatalf("%s: %v: %v", s.Addr(), args, err)
	}
	return reply
}

// Info is a field of INFO, "" if there is none.
func (s *Server) Info(section, field string) string {
	s.t.Helper()
	value, err := s.info(section, field)
	if err != nil {
		s.t.Fatalf("%s: %v", s.Addr(), err)
	}
	return value
}

// info is Info of a server that may be down.
func (s *Server) info(section, field string) (string, error) {
	text, err := s.Client().Info(context.Background(), section).Result()
	for line := range strings.Lines(text) {
		if value, there := strings.CutPrefix(line, field+":"); there {
			return strings.TrimSpace(value), nil
		}
	}
	return "", err
}

// CPU is what the server has used of a processor in this life, with what its
// children used that have ended (they write snapshots and rewrite the file).
func (s *Server) CPUTime() time.Duration {
	s.t.Helper()
	sum := 0.0
	for _, field := range []string{
		"used_cpu_sys", "used_cpu_user", "used_cpu_sys_children", "used_cpu_user_children",
	} {
		seconds, err := strconv.ParseFloat(s.Info("cpu", field), 64)
		if err != nil {
			s.t.Fatalf("%s: %s: %v", s.Addr(), field, err)
		}
		sum += seconds
	}
	return time.Duration(sum * float64(time.Second))
}
