package main

import (
	"strings"
	"testing"

	"onair/presence/redislog/redistest"
	"onair/server/nodetest"
)

// runUntilExit runs a node on an unsuitable Redis, and returns how it ended.
func runUntilExit(t *testing.T, flags ...string) commandResult {
	t.Helper()
	end := runCommand(t, append([]string{
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0", "--auth.secret", nodetest.TokenSecret, "--push.key", "push", "--play.key", "play",
		"--push.key", "a key of pushes", "--play.key", "a key of plays",
	}, flags...)...)
	if end.code != exitFailure && end.code != exitUsage {
		t.Errorf("exit code %d", end.code)
	}
	return end
}

// TestRedisWrongPassword: a node that Redis rejects ends at once with the reason, without the
// password.
func TestRedisWrongPassword(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--requirepass", "right")
	r.Do("ACL", "SETUSER", "limited", "on", ">pass", "~*", "+@all", "-info")
	r.Do("ACL", "SETUSER", "timeless", "on", ">pass", "~*", "+@all", "-time")
	for _, c := range []struct{ flags, text string }{
		{"--redis.password=wrong-guess", "WRONGPASS"},
		{"", "NOAUTH"},
		{"--redis.username=limited --redis.password=pass", "INFO"},
		{"--redis.username=timeless --redis.password=pass", "TIME in scripts"},
		{"--redis.username=nobody --redis.password=wrong-guess", "WRONGPASS"},
	} {
		end := runUntilExit(t, append(strings.Fields(c.flags), "--redis.addrs", r.Addr())...)
		if !strings.Contains(end.err, c.text) || !strings.Contains(end.err, "redis") {
			t.Errorf("%q: it said %s", c.flags, end.err)
		}
		if strings.Contains(end.err+end.out, "wrong-guess") {
			t.Errorf("%q: the output has the password: %s%s", c.flags, end.out, end.err)
		}
	}
}

// TestForeignRedisKeys: a node whose keys belong to another application ends at once, and names
// the key to configure.
func TestForeignRedisKeys(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	r.Do("SET", "{onair}:log", "a stranger's")
	end := runUntilExit(t, "--redis.addrs", r.Addr())
	if !strings.Contains(end.err, "{onair}:log") || !strings.Contains(end.err, "redis.prefix") {
		t.Errorf("it said %s", end.err)
	}
}
