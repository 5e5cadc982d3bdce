package main

import (
	"strings"
	"testing"

	"onair/presence/redislog/redistest"
	"onair/server/nodetest"
)

// endsAtStart runs a node on a Redis that will not do, and returns what it says.
func endsAtStart(t *testing.T, flags ...string) exited {
	t.Helper()
	end := exitCode(t, append([]string{
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0", "--auth.secret", nodetest.TokenSecret,
		"--push.key", "a key of pushes", "--play.key", "a key of plays",
	}, flags...)...)
	if end.code != exitFailure && end.code != exitUsage {
		t.Errorf("exit code %d", end.code)
	}
	return end
}

// TestRedisWrongPassword: a node that Redis does not let in ends at once, says
// why, and says no password.
func TestRedisWrongPassword(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--requirepass", "right")
	r.Do("ACL", "SETUSER", "limited", "on", ">pass", "~*", "+@all", "-info")
	for _, c := range []struct{ flags, says string }{
		{"--redis.password=wrong-guess", "WRONGPASS"},
		{"", "NOAUTH"},
		{"--redis.username=limited --redis.password=pass", "INFO"},
		{"--redis.username=nobody --redis.password=wrong-guess", "WRONGPASS"},
	} {
		end := endsAtStart(t, append(strings.Fields(c.flags), "--redis.addrs", r.Addr())...)
		if !strings.Contains(end.err, c.says) || !strings.Contains(end.err, "redis") {
			t.Errorf("%q: it said %s", c.flags, end.err)
		}
		if strings.Contains(end.err+end.out, "wrong-guess") {
			t.Errorf("%q: it said the password: %s%s", c.flags, end.out, end.err)
		}
	}
}

// TestRedisStranger: a node whose keys are somebody else's ends at once, and says
// what to do.
func TestRedisStranger(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	r.Do("SET", "{onair}:log", "a stranger's")
	end := endsAtStart(t, "--redis.addrs", r.Addr())
	if !strings.Contains(end.err, "{onair}:log") || !strings.Contains(end.err, "redis.prefix") {
		t.Errorf("it said %s", end.err)
	}
}
