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

// built is the onair that all tests use.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "onair-demo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = filepath.Join(dir, "onair")
	build := exec.Command("go", "build", "-trimpath", "-o", built, "./server")
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

// longestTest bounds a test, whatever hangs in it.
const longestTest = 3 * time.Minute

// testSettings are the demo's, slower: machines that run tests are loaded.
func testSettings(t *testing.T) settings {
	t.Helper()
	uncached(t)
	set := defaults()
	set.Onair, set.Out = built, t.Output()
	set.Heartbeat, set.EndGrace, set.Grace = 3*time.Second, 6*time.Second, time.Second
	for _, name := range []*string{&set.Nginx, &set.FFmpeg, &set.FFprobe} {
		path, err := program.Locate(*name)
		if err != nil {
			t.Fatalf("make test installs it: %v", err)
		}
		*name = path
	}
	if _, err := program.FindRTMPModule(t.Context(), set.Nginx); err != nil {
		t.Fatalf("make test installs it: %v", err)
	}
	return set
}

// uncached has the go command run the tests again when the server has changed,
// of which it knows only that the tests look at its files.
func uncached(t *testing.T) {
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

// newStage raises a stage that ends with the test. A test that failed shows
// what the programs said.
func newStage(t *testing.T, set settings) (*stage, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longestTest)
	t.Cleanup(cancel)
	st, err := raise(ctx, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			st.logs(t.Output(), 1000)
		}
		st.end()
	})
	return st, ctx
}

func TestStory(t *testing.T) {
	t.Parallel()
	st, ctx := newStage(t, testSettings(t))
	if !tell(ctx, st) {
		t.Error("the story was not seen as it was told")
	}
}

// An interrupt in the middle of everything leaves no process and no file.
func TestInterrupted(t *testing.T) {
	set := testSettings(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, interrupt := context.WithTimeout(t.Context(), longestTest)
	defer interrupt()
	var errs bytes.Buffer
	out := &trigger{on: "is live", do: interrupt}
	if code := run(ctx, []string{"--onair", set.Onair}, io.MultiWriter(out, t.Output()), &errs); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if out.do != nil {
		t.Fatalf("it ended before the stream was live:\n%s", errs.String())
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		t.Errorf("left behind: %s", file.Name())
	}
}

// trigger does something once when a text is written to it.
type trigger struct {
	on string
	do func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if w.do != nil && strings.Contains(string(p), w.on) {
		w.do()
		w.do = nil
	}
	return len(p), nil
}

func TestMask(t *testing.T) {
	var m mask
	m.hide("a-key")
	for text, want := range map[string]string{
		"rtmp://h/live/8888_a?txSecret=0123abcd&txTime=6B059B20": "rtmp://h/live/8888_a?txSecret=…&txTime=6B059B20",
		`"GET /live/a.m3u8?txSecret=0123" 404`:                   `"GET /live/a.m3u8?txSecret=…" 404`,
		"POST /v1/hooks/nginx-rtmp/hush HTTP/1.0":                "POST /v1/hooks/nginx-rtmp/… HTTP/1.0",
		"Authorization: Bearer x.y.z":                            "Authorization: Bearer …",
		"a token eyJhbGciOiJI.eyJzdWIiOiJhIn0.c2ln it is":        "a token … it is",
		"the key is a-key.":                                      "the key is ….",
		"nothing here":                                           "nothing here",
	} {
		if got := m.apply(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
