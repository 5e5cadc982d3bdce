package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"onair/presence/redislog/redistest"
	"onair/server/auth"
	"onair/server/nodetest"
)

// writeConfig writes a configuration with secrets, and returns its path.
func writeConfig(t *testing.T, lines ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "onair.yaml")
	lines = append(lines, "auth.secret: "+nodetest.TokenSecret, "push.key: a key of pushes", "play.key: a key of plays", "")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// migratedFleet is a fleet that moves from one store to another.
type migratedFleet struct {
	*clientGroup
	backend *nodetest.Backend
	live    map[string]string // state and session by live code, before the first move
	ended   map[string]string
	dora    string // the answer to her start
}

// startMigratedFleet starts one node on a directory, with six anchors that beat, one away, one
// that has ended, a start with a key, a ban and two recordings. The back end takes no webhook.
func startMigratedFleet(t *testing.T, dir string) *migratedFleet {
	t.Helper()
	backend := &nodetest.Backend{Status: 503}
	srv := httptest.NewServer(backend)
	t.Cleanup(srv.Close)
	f := newFleet(t, "--heartbeat.interval", "60s", "--liveness.end-grace", "1h", "--hooks.srs.enabled", "true",
		"--webhooks.url", srv.URL, "--webhooks.secret", nodetest.WebhookSecret)
	f.addNodes(&fleetNode{flags: []string{"--data", dir}})
	ctx, stop := context.WithCancel(context.Background())
	m := &migratedFleet{clientGroup: &clientGroup{fleet: f, ctx: ctx}, backend: backend}
	t.Cleanup(func() {
		stop()
		m.tasks.Wait()
	})
	m.awaitStarted(m.startAnchors("steady", 6, false))
	_, pushQuery, _ := strings.Cut(m.startOverHTTP("bob", "").Push.RTMP, "?")
	for _, hook := range []string{
		`"action":"on_publish","client_id":"c","param":"?` + pushQuery + `"`, `"action":"on_unpublish","client_id":"c","param":"?` + pushQuery + `"`,
		`"action":"on_dvr","client_id":"c","cwd":"/rec","file":"./a.mp4"`, `"action":"on_dvr","client_id":"c","cwd":"/rec","file":"./b.mp4"`,
	} {
		m.mustCall(http.StatusOK, "POST", "/v1/hooks/srs", "", `{"server_id":"s","app":"live","stream":"8888_bob",`+hook+`}`)
	}
	m.mustCall(http.StatusOK, "DELETE", "/v1/streams/8888_cid?session="+m.startOverHTTP("cid", "").Session, nodetest.SignToken(t, auth.Anchor, "cid"), "")
	m.dora = m.startOverHTTP("dora", "key of dora").Session
	if err := f.ban(f.allNodes()[0], "mallory"); err != nil {
		t.Fatal(err)
	}
	m.await("the recordings to be archived", nodetest.ProcessTimeout, func() error { return m.checkRecordings(f.allNodes()[0]) })
	m.live, m.ended = m.sessions(f.allNodes()[0], "live"), m.sessions(f.allNodes()[0], "ended")
	if len(m.live) != 8 || !strings.HasPrefix(m.live["8888_bob"], "away media") || len(m.ended) != 1 {
		t.Fatalf("live %v, ended %v", m.live, m.ended)
	}
	return m
}

func (m *migratedFleet) checkRecordings(n *fleetNode) error {
	status, body, err := m.call("GET", "http://"+n.address+"/v1/recordings?code=8888_bob", "", "")
	if err != nil || status != http.StatusOK || strings.Count(string(body), `"title":"t"`) != 2 {
		return fmt.Errorf("%s: recordings: %d %s %v", n.name, status, body, err)
	}
	return nil
}

// move stops all nodes, migrates, and starts others on the new store.
func (m *migratedFleet) move(from, to string, nodes ...*fleetNode) {
	m.t.Helper()
	old := m.allNodes()
	for _, n := range old {
		n.signalAndWait(syscall.SIGTERM)
	}
	got := runCommand(m.t, "migrate", "--from", from, "--to", to)
	if got.code != 0 || !strings.Contains(got.out, "8 live sessions, 1 ended sessions, 1 bans, 7 idempotency keys") || !strings.Contains(got.out, "2 recordings") {
		m.t.Fatalf("exit code %d, output %q %q", got.code, got.out, got.err)
	}
	m.addNodes(nodes...)
	m.mu.Lock()
	m.nodes = slices.Clone(nodes)
	m.mu.Unlock()
}

// checkMoved checks on all nodes that everything is as before the first move, and that the
// anchors have resumed their sessions.
func (m *migratedFleet) checkMoved() {
	m.t.Helper()
	m.await("the anchors to resume", nodetest.ProcessTimeout, func() error {
		for _, p := range m.allAnchors() {
			if !slices.Contains(m.allNodes(), p.node()) {
				return errors.New(p.sub + " has no socket")
			}
		}
		return nil
	})
	for _, n := range m.allNodes() {
		if live := m.sessions(n, "live"); !maps.Equal(live, m.live) {
			m.t.Errorf("%s: live are %v, before %v", n.name, live, m.live)
		}
		if ended := m.sessions(n, "ended"); !maps.Equal(ended, m.ended) {
			m.t.Errorf("%s: ended are %v, before %v", n.name, ended, m.ended)
		}
		if err := errors.Join(m.checkBanned(n, "mallory"), m.checkRecordings(n)); err != nil {
			m.t.Error(err)
		}
	}
	m.mustCall(http.StatusForbidden, "POST", "/v1/streams", nodetest.SignToken(m.t, auth.Anchor, "mallory"), `{"title":"t"}`)
	if again := m.startOverHTTP("dora", "key of dora"); again.Session != m.dora {
		m.t.Errorf("a repeated start is session %s, want %s", again.Session, m.dora)
	}
	for _, p := range m.allAnchors() {
		if p.startCount.Load() != 1 {
			m.t.Errorf("%s has started %d times", p.sub, p.startCount.Load())
		}
	}
	m.checkNoFalseEnds()
}

// TestMigrate: a fleet moves from the embedded store to two nodes on Redis, and back. Nothing
// is lost, and webhooks that could not be delivered before are delivered there.
func TestMigrate(t *testing.T) {
	t.Parallel()
	first, second, addr := t.TempDir(), t.TempDir(), redistest.Start(t).Addr()
	m := startMigratedFleet(t, first)
	onFirst, onRedis, onSecond := writeConfig(t, "data: "+first), writeConfig(t, "redis.addrs: ["+addr+"]"), writeConfig(t, "data: "+second)
	if got := runCommand(t, "migrate", "--from", onFirst, "--to", onRedis); got.code != 1 || !strings.Contains(got.err, "stop all servers") {
		t.Errorf("with a running source: exit code %d, %s", got.code, got.err)
	}
	m.move(onFirst, onRedis, &fleetNode{name: "r1", flags: []string{"--redis.addrs", addr}}, &fleetNode{name: "r2", flags: []string{"--redis.addrs", addr}})
	m.checkMoved()
	for source, want := range map[string]string{onFirst: "the target is not empty: it has a list with 8 live sessions", onRedis: "the source is in use"} {
		target := onRedis
		if source == onRedis {
			target = onSecond
		}
		if got := runCommand(t, "migrate", "--from", source, "--to", target); got.code != 1 || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit code %d, %s", want, got.code, got.err)
		}
	}
	m.move(onRedis, onSecond, &fleetNode{name: "e1", flags: []string{"--data", second}})
	m.checkMoved()
	m.backend.SetStatus(http.StatusOK)
	m.await("the webhooks", nodetest.ProcessTimeout, func() error {
		counts := map[string]int{}
		for _, e := range m.backend.ReceivedEvents() {
			counts[e.Type]++
		}
		if counts["stream.started"] != 9 || counts["stream.ended"] != 1 || counts["stream.away"] != 1 || counts["recording.ready"] != 2 {
			return fmt.Errorf("received %v", counts)
		}
		return nil
	})
}

// TestMigrateRefuses: wrong usage and wrong sources are named, and change nothing.
func TestMigrateRefuses(t *testing.T) {
	empty, damaged := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "onair.db"), []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	onEmpty, onDamaged, onTarget, onMemory := writeConfig(t, "data: "+empty), writeConfig(t, "data: "+damaged), writeConfig(t, "data: "+t.TempDir()), writeConfig(t, "data: memory")
	onRedis, away := writeConfig(t, "redis.addrs: ["+redistest.Start(t).Addr()+"]"), writeConfig(t, "redis.addrs: ['127.0.0.1:1']")
	for name, c := range map[string]struct {
		from, to string
		code     int
		text     string
	}{
		"no files":           {"", "", 2, "--from and --to are required"},
		"missing file":       {onEmpty, "missing.yaml", 2, "--to: --config: open missing.yaml"},
		"memory":             {onRedis, onMemory, 2, "must be a directory"},
		"same directory":     {onEmpty, onEmpty, 2, "the same directory"},
		"no database":        {onEmpty, onRedis, 1, filepath.Join(empty, "onair.db")},
		"damaged database":   {onDamaged, onRedis, 1, "not a database"},
		"empty redis":        {onRedis, onTarget, 1, "the source is empty"},
		"redis is not there": {away, onTarget, 1, "127.0.0.1:1"},
	} {
		got := runCommand(t, "migrate", "--from", c.from, "--to", c.to)
		if got.code != c.code || !strings.Contains(got.err, c.text) {
			t.Errorf("%s: exit code %d, %q, want %d and %q", name, got.code, got.err, c.code, c.text)
		}
	}
	if got := runCommand(t, "migrate", "--data", empty, "--from", onEmpty, "--to", onRedis); got.code != 2 || !strings.Contains(got.err, "--data") {
		t.Errorf("with a flag of the server: exit code %d, %s", got.code, got.err)
	}
	if files, err := filepath.Glob(filepath.Join(damaged, "*.damaged*")); len(files) != 0 || err != nil {
		t.Errorf("the damaged source was moved aside: %v, %v", files, err)
	}
}
