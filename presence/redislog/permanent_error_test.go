package redislog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
)

// TestChangedPassword: a node with a list waits when Redis rejects its password, in Load
// and in Join.
func TestChangedPassword(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "right")
	l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}, Password: "right"})})
	have := mustLoad(t, l)
	if _, err := l.Join(t.Context(), "n1", 0); err != nil {
		t.Fatal(err)
	}
	s.Do("ACL", "SETUSER", "default", "resetpass", ">other")
	s.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := l.Load(soon, have); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load does not wait: %v", err)
	}
	if _, err := l.Join(soon, "n1", 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join does not wait: %v", err)
	}
	if _, _, err := l.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("Load of a node without a list: %v", err)
	}
}

// TestForeignKeys: Load fails where another application uses a key, and leaves the key.
func TestForeignKeys(t *testing.T) {
	s := redistest.Start(t)
	for _, key := range []string{"log", "head", "nodes", "snapshots"} {
		t.Run(key, func(t *testing.T) {
			name := "{" + key + "}:" + key
			s.Do("SET", name, "foreign")
			l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}}), Prefix: key})
			if _, _, err := l.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "redis.prefix") {
				t.Errorf("Load: %v", err)
			}
			if got := s.Do("GET", name); got != "foreign" {
				t.Errorf("the key has %v", got)
			}
		})
	}
}
