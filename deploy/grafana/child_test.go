package grafana

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// soon is how long tests wait for what must come: only one that fails takes so
// long.
const soon = 60 * time.Second

// child is a program that a test started.
type child struct {
	cmd  *exec.Cmd
	over chan struct{} // closed once it has ended

	mu  sync.Mutex
	log bytes.Buffer
}

// spawn starts a program, which is killed when the test ends. A test that failed
// shows what it said.
func spawn(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{cmd: cmd, over: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c, c
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make test installs it", err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(c.over)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-c.over
		if t.Failed() {
			said := c.said()
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), said[max(0, len(said)-4000):])
		}
	})
	return c
}

func (c *child) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(p)
}

func (c *child) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.String()
}

// line waits for a whole line with a text.
func (c *child) line(t *testing.T, text string) (found string) {
	t.Helper()
	await(t, c.cmd.Path+" to say "+text, func() bool {
		for line := range strings.Lines(c.said()) {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
				found = line
				return true
			}
		}
		select {
		case <-c.over:
			t.Fatalf("it ended: %s", c.cmd.ProcessState)
		default:
		}
		return false
	})
	return found
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
	cmd := exec.Command("go", "build", "-o", dir, "./server", "./loadtest")
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
