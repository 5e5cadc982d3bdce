package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRestartKeepsAppendOnlyFile(t *testing.T) {
	s := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s.Do("SET", "key", "value")
	s.Kill()
	if err := s.Client().Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server replies")
	}
	s.Restart()
	if got := s.Do("GET", "key"); got != "value" {
		t.Errorf("after kill and restart with a file: %v", got)
	}
	s.Stop()
	s.Restart("--appendonly", "no")
	if got := s.Do("GET", "key"); got != nil {
		t.Errorf("after a restart without its file: %v", got)
	}
	s.Restart()
	if got := s.Do("GET", "key"); got != "value" {
		t.Errorf("after a restart with the first options: %v", got)
	}
}

func TestRestartWithoutFileIsEmpty(t *testing.T) {
	s := Start(t)
	s.Do("SET", "key", "value")
	id := s.Info("server", "run_id")
	s.Restart()
	if got := s.Do("GET", "key"); got != nil {
		t.Errorf("the key has %v", got)
	}
	if id == s.Info("server", "run_id") {
		t.Error("the process is the same")
	}
}

func TestPause(t *testing.T) {
	s := Start(t)
	s.Do("SET", "key", "value")
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Client().Get(ctx, "key").Err(); err == nil {
		t.Error("a paused server replies")
	}
	s.Resume()
	if got := s.Do("GET", "key"); got != "value" {
		t.Errorf("after the pause: %v", got)
	}
	s.Pause()
	s.Stop() // works without Resume
}

func TestPassword(t *testing.T) {
	s := Start(t, "--requirepass", "secret")
	s.Do("SET", "key", "value")
	wrong := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: "wrong"})
	defer wrong.Close()
	if err := wrong.Ping(t.Context()).Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS") {
		t.Errorf("with the wrong password: %v", err)
	}
	s.Restart("--requirepass", "other")
	s.Do("PING")
}

func TestLoading(t *testing.T) {
	s := Start(t, "--rdbcompression", "no")
	for i := range 200 {
		s.Do("SET", i, strings.Repeat("x", 64<<10))
	}
	s.Do("SAVE")
	s.BeginRestart("--key-load-delay", "10000") // it replies once in 2 MB
	await(t, "LOADING", func() error {
		err := s.Client().Get(t.Context(), "1").Err()
		if err != nil && strings.HasPrefix(err.Error(), "LOADING") {
			return nil
		}
		return errors.Join(errors.New("another reply"), err)
	})
	s.AwaitReady()
	if got := s.Do("DBSIZE"); got != int64(200) {
		t.Errorf("loaded %v", got)
	}
}

func TestOutOfMemory(t *testing.T) {
	s := Start(t)
	s.Do("CONFIG", "SET", "maxmemory", "1")
	if err := s.Client().Set(t.Context(), "key", "value", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM") {
		t.Errorf("a write to a full server: %v", err)
	}
}

func TestCPU(t *testing.T) {
	s := Start(t)
	before := s.CPUTime()
	s.Do("EVAL", "local x = 0 for i = 1, 5000000 do x = x + i end return x", 0)
	if used := s.CPUTime() - before; used <= 0 || used > 10*time.Second {
		t.Errorf("used %v", used)
	}
}

func TestReplica(t *testing.T) {
	primary := Start(t, "--requirepass", "secret")
	primary.Do("SET", "key", "value")
	replica := StartReplica(t, primary)
	if got := replica.Do("GET", "key"); got != "value" {
		t.Errorf("a replica has %v", got)
	}
	if err := replica.Client().Set(t.Context(), "key", "other", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
		t.Errorf("a write to a replica: %v", err)
	}
	primary.DetachReplicas()
	primary.Do("SET", "key", "later")
	if got := replica.Do("GET", "key"); got != "value" {
		t.Errorf("a detached replica has %v", got)
	}
	primary.ReattachReplicas()
	await(t, "the reattached replica to get the write", func() error {
		if got := replica.Do("GET", "key"); got != "later" {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
}

// abnormalEnd is the environment variable that makes TestEndsAbnormally end the process.
const abnormalEnd = "ONAIR_TEST_ABNORMAL_END"

// TestServersEndWithTheTest: no server outlives a test that panics, or whose process is
// killed.
func TestServersEndWithTheTest(t *testing.T) {
	for _, how := range []string{"panic", "kill"} {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestEndsAbnormally$", "-test.v")
		cmd.Env = append(os.Environ(), abnormalEnd+"="+how)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("%s: the test passed:\n%s", how, out)
		}
		_, text, _ := strings.Cut(string(out), "address ")
		addr, _, _ := strings.Cut(text, "\n")
		if addr == "" {
			t.Fatalf("%s: the output has no address:\n%s", how, out)
		}
		client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1})
		await(t, how+": the server to end", func() error {
			if client.Ping(t.Context()).Err() != nil {
				return nil
			}
			return errors.New("it replies")
		})
		client.Close()
	}
}

func TestEndsAbnormally(t *testing.T) {
	how := os.Getenv(abnormalEnd)
	if how == "" {
		return // only TestServersEndWithTheTest runs it
	}
	s := Start(t)
	os.Stdout.WriteString("address " + s.Addr() + "\n")
	if how == "panic" {
		panic("on purpose")
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
