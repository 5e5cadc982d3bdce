package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"onair/server/auth"
	"onair/server/config"
	"onair/server/nodetest"
)

// TestCommands: what the command line answers, and with which exit code.
func TestCommands(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for name, c := range map[string]struct {
		args []string
		code int
		text string
	}{
		"version":           {[]string{"version"}, 0, ""},
		"help":              {[]string{"--help"}, 0, "--heartbeat.interval"},
		"unknown command":   {[]string{"dance"}, 2, `"dance"`},
		"unknown flag":      {[]string{"--dance"}, 2, "--dance"},
		"bad value":         {[]string{"--heartbeat.interval", "soon"}, 2, "--heartbeat.interval"},
		"bad start":         {[]string{"serve", "--listen", "0.0.0.0:0"}, 2, "development secrets"},
		"missing file":      {[]string{"--config", missing}, 2, missing},
		"token, no secret":  {[]string{"token", "--sub", "alice"}, 2, "auth.secret"},
		"token, no sub":     {[]string{"token", "--auth.secret", nodetest.TokenSecret}, 2, "--sub"},
		"token, bad role":   {[]string{"token", "--auth.secret", nodetest.TokenSecret, "--sub", "a", "--role", "king"}, 2, "king"},
		"conformance, of":   {[]string{"conformance", "dance"}, 2, "anchor or viewer"},
		"conformance, busy": {[]string{"conformance", "anchor", "--listen", "256.0.0.1:1"}, 1, "listen"},
		"health, no server": {[]string{"health", "--ops.listen", "127.0.0.1:1"}, 1, "127.0.0.1:1"},
		"health, any port":  {[]string{"health", "--ops.listen", ":0"}, 1, `":0"`},
		"no such address":   {[]string{"--listen", "127.0.0.1:1", "--data", "memory", "--ops.listen", "256.0.0.1:1"}, 1, "ops.listen"},
		"a file for a data": {[]string{"--data", "command_test.go", "--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0"}, 1, "command_test.go"},
	} {
		got := runCommand(t, c.args...)
		if got.code != c.code || !strings.Contains(got.out+got.err, c.text) {
			t.Errorf("%s: exit code %d, output %q %q, want %d and %q", name, got.code, got.out, got.err, c.code, c.text)
		}
	}
}

// TestTokenCommand: a minted token is one that the server takes.
func TestTokenCommand(t *testing.T) {
	for _, secret := range []string{"--auth.secret=" + nodetest.TokenSecret, "--auth.secrets=a=" + nodetest.TokenSecret + ",b=x" + nodetest.TokenSecret} {
		got := runCommand(t, "token", secret, "--role", "anchor", "--sub", "alice")
		if got.code != 0 {
			t.Fatalf("exit code %d: %s", got.code, got.err)
		}
		c := config.Auth{Secret: nodetest.TokenSecret}
		if strings.Contains(secret, "secrets") {
			c = config.Auth{Secrets: map[string]config.Secret{"a": nodetest.TokenSecret, "b": "x" + nodetest.TokenSecret}}
		}
		v, err := auth.NewVerifier(t.Context(), &c, nil, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		who, err := v.Verify(t.Context(), strings.TrimSpace(got.out))
		if err != nil || who.Subject != "alice" || who.Role != auth.Anchor {
			t.Errorf("%s: %+v, %v", secret, who, err)
		}
	}
}

// TestHealthCommand: a server that runs is found by the address that it was
// given, and is well also when its file has been spoilt since.
func TestHealthCommand(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	file := filepath.Join(t.TempDir(), "onair.yaml")
	if err := os.WriteFile(file, []byte("ops.listen: 0.0.0.0:"+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startServer(t, testBinary(), nil, "--ops.listen", ":"+port, "--drain", "1m")
	well := func(when string, args ...string) {
		t.Helper()
		if got := runCommand(t, append([]string{"health"}, args...)...); got.code != 0 || !strings.HasPrefix(got.out, "200") {
			t.Errorf("%s: exit code %d, %q %q", when, got.code, got.out, got.err)
		}
	}
	well("by flag", "--ops.listen", ":"+port)
	well("by file", "--config", file)
	if err := os.WriteFile(file, []byte("lists: [\"\"]\nno.such: key\nops.listen: 127.0.0.1:"+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	well("spoilt", "--config", file)

	p.signalAndWait(syscall.SIGTERM)
	if got := runCommand(t, "health", "--ops.listen", ":"+port); got.code != 1 {
		t.Errorf("a server that is gone: exit code %d, %q", got.code, got.out)
	}
}
