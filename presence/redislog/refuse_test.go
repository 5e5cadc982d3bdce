package redislog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"onair/presence/redislog/redistest"
)

// A node that has been let in waits when it is not any more: for its list, and
// when it is to join again.
func TestPasswordChanges(t *testing.T) {
	r := redistest.Start(t, "--requirepass", "right")
	l := Open(Options{Client: Dial(Server{Addrs: []string{r.Addr()}, Password: "right"})})
	defer l.Close()
	l.yields = 0
	have, _, err := l.Load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Join(t.Context(), "n1", 0); err != nil {
		t.Fatal(err)
	}
	r.Do("ACL", "SETUSER", "default", "resetpass", ">other")
	r.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := l.Load(soon, have); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load gives up: %v", err)
	}
	if _, err := l.Join(soon, "n1", 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join gives up: %v", err)
	}
	if _, _, err := l.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("Load of a node that has no list: %v", err)
	}
}

// Keys that are somebody else's are left alone, and said.
func TestStranger(t *testing.T) {
	r := redistest.Start(t)
	for _, key := range []string{"log", "head", "nodes", "snapshots"} {
		t.Run(key, func(t *testing.T) {
			name := "{" + key + "}:" + key
			r.Do("SET", name, "a stranger's")
			l := Open(Options{Client: Dial(Server{Addrs: []string{r.Addr()}}), Prefix: key})
			defer l.Close()
			l.yields = 0
			if _, _, err := l.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "redis.prefix") {
				t.Errorf("Load: %v", err)
			}
			if got := r.Do("GET", name); got != "a stranger's" {
				t.Errorf("it is %v now", got)
			}
		})
	}
}
