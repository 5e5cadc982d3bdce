package grafana

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onair/deploy/program"
)

// waitTimeout bounds the wait for an expected event. Only a failing test waits that
// long.
const waitTimeout = 60 * time.Second

// startProgram starts a program, waits until it prints a line with a text, and
// returns the line. The program is killed at the end of the test. A test that failed
// logs its output.
func startProgram(t *testing.T, cmd *exec.Cmd, text string) string {
	t.Helper()
	p, err := program.Start(filepath.Base(cmd.Path), cmd)
	if err != nil {
		t.Fatalf("%v: make test installs it", err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", p.Name, p.LastLines(40))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	line, err := p.AwaitLine(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// waitUntil polls until a condition is true.
func waitUntil(t *testing.T, condition string, isTrue func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waitTimeout); !isTrue(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not true after %v: %s", waitTimeout, condition)
		}
	}
}

// buildPrograms builds the server and the load test, and returns their folder.
func buildPrograms(t *testing.T) string {
	t.Helper()
	trackSources(t)
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir, "./server", "./loadtest")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// trackSources reads the state of all source files of the built programs, so that
// the go command does not use cached test results after they change.
func trackSources(t *testing.T) {
	t.Helper()
	for _, part := range []string{"server", "loadtest", "hub", "presence", "signing"} {
		err := filepath.WalkDir(filepath.Join("..", "..", part), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
