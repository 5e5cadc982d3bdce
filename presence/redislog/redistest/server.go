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

	"onair/deploy/program"
)

// Server is a redis-server of a test. Its process may be killed and started again, with
// the same port and directory.
type Server struct {
	t          testing.TB
	executable string
	port       int
	args       []string // of all processes

	process     *program.Program
	processArgs []string // of this process, in addition to args
	paused      atomic.Bool
	client      *redis.Client
}

// Start starts a redis-server, and waits until it replies. Options are those of
// redis-server. By default it stores nothing on disk; Start(t, "--appendonly", "yes") does.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return startWithArgs(t, func(port int, dir string) []string {
		return append([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--rdb-del-sync-files", "yes", "--repl-diskless-sync-delay", "0",
		}, options...)
	})
}

// startWithArgs starts a server. argsFor returns the arguments for a port and a directory.
func startWithArgs(t testing.TB, argsFor func(port int, dir string) []string) *Server {
	t.Helper()
	s := &Server{t: t, executable: findExecutable(t)}
	dir := t.TempDir() // is removed after the processes have ended
	for range 10 {
		s.port = freePort(t)
		s.args = argsFor(s.port, dir)
		s.startProcess()
		if s.awaitListening() {
			continue
		}
		s.AwaitReady()
		return s
	}
	t.Fatalf("no free port for redis-server\n%s", s.process.LastLines(20))
	return nil
}

// findExecutable returns the path of redis-server.
func findExecutable(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("%v: run .ci/install", err)
	}
	return path
}

// startProcess starts a process that ends with the test.
func (s *Server) startProcess(options ...string) {
	s.t.Helper()
	s.processArgs = options
	process, err := program.Start("redis-server", exec.Command(s.executable, slices.Concat(s.args, options)...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		process.Kill()
		if s.t.Failed() {
			s.t.Logf("output of the server on %s:\n%s", s.Addr(), process.LastLines(50))
		}
	})
	s.process = process
	s.paused.Store(false)
}

// awaitListening waits until the server listens or has ended. isPortTaken: it has
// ended because another test has taken its port.
func (s *Server) awaitListening() (isPortTaken bool) {
	s.t.Helper()
	await(s.t, "redis-server to listen", func() error {
		if !s.process.IsRunning() {
			return nil
		}
		_, err := s.ping()
		return err
	})
	return !s.process.IsRunning() && strings.Contains(s.process.LastLines(20), "in use")
}

// AwaitReady waits until the server has loaded its data and replies.
func (s *Server) AwaitReady() {
	s.t.Helper()
	await(s.t, "redis-server to reply", func() error {
		if !s.process.IsRunning() {
			code, _ := s.process.AwaitExit(context.Background())
			s.t.Fatalf("redis-server ended with exit code %d\n%s", code, s.process.LastLines(20))
		}
		reply, err := s.ping()
		if err == nil && !strings.HasPrefix(reply, "+PONG") && !strings.HasPrefix(reply, "-NOAUTH") {
			err = errors.New(reply)
		}
		return err
	})
}

// ping sends PING without a client, which would need a password.
func (s *Server) ping() (reply string, err error) {
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

// Addr returns the server's address.
func (s *Server) Addr() string { return loopbackAddress(s.port) }

// Pause stops the process with SIGSTOP: connections stay open, without replies.
func (s *Server) Pause() {
	s.paused.Store(true)
	s.process.Signal(syscall.SIGSTOP)
}

// Resume continues a paused process.
func (s *Server) Resume() {
	s.process.Signal(syscall.SIGCONT)
	s.paused.Store(false)
}

// isUp reports whether the process runs, and is not paused.
func (s *Server) isUp() bool { return s.process.IsRunning() && !s.paused.Load() }

// Kill ends the process as a crash does.
func (s *Server) Kill() { s.process.Kill() }

// Stop shuts the server down.
func (s *Server) Stop() {
	s.t.Helper()
	s.process.Signal(syscall.SIGTERM)
	s.process.Signal(syscall.SIGCONT) // a stopped process handles no SIGTERM
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if _, err := s.process.AwaitExit(ctx); err != nil {
		s.t.Fatalf("%v\n%s", err, s.process.LastLines(20))
	}
}

// Restart shuts the server down, if it runs, and starts it again. Without an append-only
// file it has lost its data. The options hold for the new process alone, in addition to
// those of Start.
func (s *Server) Restart(options ...string) {
	s.t.Helper()
	s.BeginRestart(options...)
	s.AwaitReady()
}

// BeginRestart is Restart without a wait. Until AwaitReady returns, the server refuses
// connections, and then replies with LOADING (see --key-load-delay).
func (s *Server) BeginRestart(options ...string) {
	s.t.Helper()
	s.Stop()
	s.startProcess(options...)
}

// Client returns a client of this server, without retries and with timeouts of a second.
func (s *Server) Client() *redis.Client {
	if s.client == nil {
		s.client = redis.NewClient(&redis.Options{
			Addr: s.Addr(), CredentialsProvider: func() (string, string) { return "", s.password() },
			MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
			DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second, PoolTimeout: time.Second,
		})
		s.t.Cleanup(func() { s.client.Close() })
	}
	return s.client
}

// password returns the password that clients need, "" for none.
func (s *Server) password() string {
	return optionValue(slices.Concat(s.args, s.processArgs), "--requirepass")
}

// Do runs a command, and fails the test after an error:
// Do("CONFIG", "SET", "maxmemory", "2mb").
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.Client().Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatalf("%s: %v: %v", s.Addr(), args, err)
	}
	return reply
}

// Info returns a field of INFO, "" for a missing one.
func (s *Server) Info(section, field string) string {
	s.t.Helper()
	value, err := s.info(section, field)
	if err != nil {
		s.t.Fatalf("%s: %v", s.Addr(), err)
	}
	return value
}

// info is Info with an error instead of a failed test.
func (s *Server) info(section, field string) (string, error) {
	text, err := s.Client().Info(context.Background(), section).Result()
	for line := range strings.Lines(text) {
		if value, there := strings.CutPrefix(line, field+":"); there {
			return strings.TrimSpace(value), nil
		}
	}
	return "", err
}

// CPUTime returns the CPU time of this process, and of its children that have ended
// (they write snapshots and rewrite the append-only file).
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
