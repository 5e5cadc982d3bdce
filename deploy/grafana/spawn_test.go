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

// soon is how long tests wait for what must come: only one that fails takes so
// long.
const soon = 60 * time.Second

// spawn starts a program, waits until it prints a line with a text, and gives the
// line. The program is killed when the test ends; a test that failed shows what it
// said.
func spawn(t *testing.T, cmd *exec.Cmd, text string) string {
	t.Helper()
	p, err := program.Start(filepath.Base(cmd.Path), cmd)
	if err != nil {
		t.Fatalf("%v: make test installs it", err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.Name, p.LastLines(40))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	line, err := p.AwaitLine(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// await asks again until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(soon); !holds(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not within %v: %s", soon, what)
		}
	}
}

// build builds the server and the load test, and gives the folder that has both.
func build(t *testing.T) string {
	t.Helper()
	uncached(t)
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir, "./server", "./loadtest")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// uncached has the go command run the tests again when what they build has changed,
// of which it knows only that the tests look at its files.
func uncached(t *testing.T) {
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
