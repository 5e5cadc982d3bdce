package redislog

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/presence/redislog/redistest"
)

// checkLoadFails checks that Load of a node without a list returns an error with a text.
func checkLoadFails(t *testing.T, client redis.UniversalClient, prefix string, text string) {
	t.Helper()
	l := openLog(t, Options{Client: client, Prefix: prefix, Logger: zerolog.Nop()})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a Load that waits for ever
	defer cancel()
	_, _, err := l.Load(ctx, nil)
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("Load returns %v, want an error with %q", err, text)
	}
}

// TestRefusedCommands: Load of a node without a list names each command that a service
// refuses, in scripts or outside, and leaves no key.
func TestRefusedCommands(t *testing.T) {
	s := redistest.Start(t)
	for refused, want := range map[string]string{
		"-info": "commands refused: INFO: NOPERM", "-time": "TIME in scripts: ", "-xadd": "XADD in scripts: ", "-xtrim": "XTRIM in scripts: ",
		"-xread": "XREAD: NOPERM", "-zrevrangebylex": "ZREVRANGEBYLEX in scripts: ", "-expire": "EXPIRE: NOPERM",
		"-evalsha": "evalsha", "-time -type": "TYPE in scripts: ", "-lrange": "LRANGE: NOPERM",
	} {
		t.Run(refused, func(t *testing.T) {
			rules := append([]any{"ACL", "SETUSER", "limited", "reset", "on", ">secret", "~*", "+@all"}, toAny(strings.Fields(refused))...)
			s.Do(rules...)
			checkLoadFails(t, NewClient(ClientOptions{Addrs: []string{s.Addr()}, Username: "limited", Password: "secret"}), "onair", want)
			if n := s.Do("DBSIZE"); n != int64(0) {
				t.Errorf("the keys are %v", s.Do("KEYS", "*"))
			}
		})
	}
}

// TestRefusalsWithOneReply: commands with the same reply are named together. Some servers
// name the command in the reply.
func TestRefusalsWithOneReply(t *testing.T) {
	var l refusalList
	l.add("TIME", "NOPERM")
	l.add("XADD", "OOM")
	l.add("TYPE", "NOPERM")
	if got, want := l.err().Error(), "commands refused: TIME, TYPE: NOPERM; XADD: OOM"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func toAny(texts []string) (values []any) {
	for _, text := range texts {
		values = append(values, text)
	}
	return values
}

// scriptReplacer is a service where scripts get other results: it replaces texts in
// them.
type scriptReplacer struct{ *strings.Replacer }

func (scriptReplacer) DialHook(next redis.DialHook) redis.DialHook { return next }

func (scriptReplacer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (r scriptReplacer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "eval" {
			cmd.Args()[1] = r.Replace(cmd.Args()[1].(string))
		}
		return next(ctx, cmd)
	}
}

// TestForbiddenInScripts: Load of a node without a list names a command that a service
// forbids in scripts alone, or that lacks the replication id there.
func TestForbiddenInScripts(t *testing.T) {
	s := redistest.Start(t)
	const forbidden = "redis.call('SAVE'"
	for want, r := range map[string]*strings.Replacer{
		"TIME in scripts: ":                        strings.NewReplacer("redis.call('TIME'", forbidden),
		"INFO in scripts: ":                        strings.NewReplacer("redis.call('INFO'", forbidden),
		"INFO in scripts: it has no master_replid": strings.NewReplacer("'master_replid:", "'none:"),
		// Some services have the same id on each server.
		"it has no master_replid": strings.NewReplacer("redis.call('INFO', 'replication')", "'master_replid:0000000000000000'"),
	} {
		client := NewClient(ClientOptions{Addrs: []string{s.Addr()}})
		client.AddHook(scriptReplacer{r})
		checkLoadFails(t, client, "onair", want)
	}
}

// TestTrialIsComplete: the script of the trial has each command of the other scripts.
func TestTrialIsComplete(t *testing.T) {
	files, err := filepath.Glob("lua/*.lua")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	commands := map[string]bool{}
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`).FindAllSubmatch(script, -1) {
			commands[string(m[1])] = true
		}
	}
	for _, command := range slices.Sorted(maps.Keys(commands)) {
		if !strings.Contains(trialLua, "'"+command+"'") {
			t.Errorf("the trial lacks %s", command)
		}
	}
}

// TestUnsuitableServers: Load of a node without a list fails where the configured
// servers can never be used as configured.
func TestUnsuitableServers(t *testing.T) {
	s, sentinel := redistest.Start(t), redistest.StartSentinel(t, 0)
	for name, c := range map[string]struct {
		ClientOptions
		want string
	}{
		"several addresses, no Cluster": {ClientOptions{Addrs: []string{s.Addr(), sentinel.Primary().Addr()}}, "give one address"},
		"no such database":              {ClientOptions{Addrs: []string{s.Addr()}, DB: 99}, "DB index is out of range"},
		"a Sentinel":                    {ClientOptions{Addrs: sentinel.Addrs()[:1]}, "unknown command"},
		"another primary's name":        {ClientOptions{Addrs: sentinel.Addrs(), MasterName: "other"}, "redis.master_name"},
	} {
		t.Run(name, func(t *testing.T) { checkLoadFails(t, NewClient(c.ClientOptions), "onair", c.want) })
	}
	for _, s := range sentinel.Sentinels() {
		s.Do("ACL", "SETUSER", "default", "resetpass", ">right")
	}
	c := ClientOptions{Addrs: sentinel.Addrs(), MasterName: redistest.MasterName, SentinelPassword: "wrong-guess"}
	checkLoadFails(t, NewClient(c), "onair", "WRONGPASS")
}

// TestUnreadableList: Load of a node without a list fails where the stored list cannot be
// read. A node with a list waits. It writes its list again where the operator deletes the
// key of the snapshots.
func TestUnreadableList(t *testing.T) {
	newer := presence.Record{Kind: 200, Key: "x"}
	const deleteKey = "delete the key {TestUnreadableList-"
	for name, c := range map[string]struct {
		want   string
		damage func(b *testBackend, l *Log)
	}{
		"no chunks":      {deleteKey, func(b *testBackend, l *Log) { b.redis.Do("DEL", l.keys.snapshotPrefix+l.newest.Load().name) }},
		"not a snapshot": {deleteKey, func(b *testBackend, l *Log) { b.redis.Do("LSET", l.keys.snapshots, 0, "foreign") }},
		"no head":        {deleteKey, func(b *testBackend, l *Log) { b.redis.Do("DEL", l.keys.head) }},
		"a newer version": {"newer", func(b *testBackend, l *Log) {
			s := &snapshot{name: "newer", chunks: 1}
			b.redis.Do("HSET", l.keys.snapshotPrefix+s.name, 0, newer.Append(nil))
			b.redis.Do("LSET", l.keys.snapshots, 0, s.String())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBackend(t, redistest.Start(t))
			var out bytes.Buffer
			l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{b.redis.Addr()}}), Prefix: b.prefix, Logger: zerolog.New(zerolog.SyncWriter(&out))})
			have := mustLoad(t, l)
			c.damage(b, l)
			checkLoadFails(t, NewClient(ClientOptions{Addrs: []string{b.redis.Addr()}}), b.prefix, c.want)
			loaded := make(chan error, 1)
			go func() {
				_, _, err := l.Load(t.Context(), have)
				loaded <- err
			}()
			for l.outage.since.Load() == 0 {
				<-time.After(time.Millisecond)
			}
			b.redis.Do("DEL", l.keys.snapshots)
			if err := <-loaded; err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "list in redis unreadable") {
				t.Errorf("the log has %s", out.String())
			}
		})
	}
}

// TestTemporaryRefusals: Load waits where Redis refuses writes for a time, and logs the
// reply once.
func TestTemporaryRefusals(t *testing.T) {
	s := redistest.Start(t)
	for reply, c := range map[string]struct{ begin, end []any }{
		"READONLY":   {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}},
		"OOM":        {[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}},
		"NOREPLICAS": {[]any{"CONFIG", "SET", "min-replicas-to-write", "1"}, []any{"CONFIG", "SET", "min-replicas-to-write", "0"}},
	} {
		t.Run(reply, func(t *testing.T) {
			s.Do(c.begin...)
			var out bytes.Buffer
			l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}}), Prefix: reply, Logger: zerolog.New(zerolog.SyncWriter(&out))})
			loaded := make(chan error, 1)
			go func() {
				_, _, err := l.Load(t.Context(), nil)
				loaded <- err
			}()
			for l.outage.since.Load() == 0 {
				<-time.After(time.Millisecond)
			}
			s.Do(c.end...)
			if err := <-loaded; err != nil {
				t.Fatal(err)
			}
			if text := out.String(); strings.Count(text, "redis refuses commands") != 1 || !strings.Contains(text, reply) {
				t.Errorf("the log has %s", text)
			}
		})
	}
}

// TestChangedPassword: a node with a list waits when Redis rejects its password, in Load
// and in Join, and logs the reply.
func TestChangedPassword(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "right")
	var out bytes.Buffer
	l := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}, Password: "right"}), Logger: zerolog.New(zerolog.SyncWriter(&out))})
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
	if text := out.String(); !strings.Contains(text, "redis refuses commands") || !strings.Contains(text, "WRONGPASS") {
		t.Errorf("the log has %s", text)
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
