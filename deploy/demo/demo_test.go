package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"onair/deploy/program"
)

// onairBinary is the path of the built server.
var onairBinary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "onair-demo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	onairBinary = filepath.Join(dir, "onair")
	build := exec.Command("go", "build", "-trimpath", "-o", onairBinary, "./server")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// testTimeout bounds one test.
const testTimeout = 3 * time.Minute

// testSettings has longer times than the demo, because machines that run tests are busy.
func testSettings(t *testing.T) settings {
	t.Helper()
	dependOnSources(t)
	set := defaultSettings()
	set.Onair, set.Out = onairBinary, t.Output()
	set.Heartbeat, set.EndGrace, set.Grace = 3*time.Second, 6*time.Second, time.Second
	for _, name := range []*string{&set.Nginx, &set.FFmpeg, &set.FFprobe} {
		path, err := program.Locate(*name)
		if err != nil {
			t.Fatalf("%v: make test installs it", err)
		}
		*name = path
	}
	if _, err := program.FindRTMPModule(t.Context(), set.Nginx); err != nil {
		t.Fatalf("%v: make test installs it", err)
	}
	return set
}

// dependOnSources stats the server's files, so that the go command does not use cached
// results after they change.
func dependOnSources(t *testing.T) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "data"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// newEnvironment starts an environment, and stops it when the test ends. A failed test
// logs the programs' output.
func newEnvironment(t *testing.T, set settings) (*environment, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	env, err := startEnvironment(ctx, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			env.printLogs(t.Output(), 1000)
		}
		env.stop()
	})
	return env, ctx
}

func TestScenario(t *testing.T) {
	t.Parallel()
	env, ctx := newEnvironment(t, testSettings(t))
	if !runScenario(ctx, env) {
		t.Error("a step failed")
	}
}

// TestInterruptLeavesNothing: after an interrupt no process and no file is left.
func TestInterruptLeavesNothing(t *testing.T) {
	set := testSettings(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, interrupt := context.WithTimeout(t.Context(), testTimeout)
	defer interrupt()
	var errs bytes.Buffer
	out := &triggerWriter{text: "is live", action: interrupt}
	if code := run(ctx, []string{"--onair", set.Onair}, io.MultiWriter(out, t.Output()), &errs); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if out.action != nil {
		t.Fatalf("it ended before the stream was live:\n%s", errs.String())
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		t.Errorf("not removed: %s", file.Name())
	}
}

// triggerWriter runs an action once, when a text is written to it.
type triggerWriter struct {
	text   string
	action func()
}

func (w *triggerWriter) Write(p []byte) (int, error) {
	if w.action != nil && strings.Contains(string(p), w.text) {
		w.action()
		w.action = nil
	}
	return len(p), nil
}

func TestRedactor(t *testing.T) {
	var r redactor
	r.addSecrets("a-key")
	for text, want := range map[string]string{
		"rtmp://h/live/8888_a?txSecret=0123abcd&txTime=6B059B20": "rtmp://h/live/8888_a?txSecret=…&txTime=6B059B20",
		`"GET /live/a.m3u8?txSecret=0123" 404`:                   `"GET /live/a.m3u8?txSecret=…" 404`,
		"POST /v1/hooks/nginx-rtmp/hush HTTP/1.0":                "POST /v1/hooks/nginx-rtmp/… HTTP/1.0",
		"Authorization: Bearer x.y.z":                            "Authorization: Bearer …",
		"a token eyJhbGciOiJI.eyJzdWIiOiJhIn0.c2ln it is":        "a token … it is",
		"the key is a-key.":                                      "the key is ….",
		"no secret":                                              "no secret",
	} {
		if got := r.redact(text); got != want {
			t.Errorf("%q is redacted to %q, want %q", text, got, want)
		}
	}
}
