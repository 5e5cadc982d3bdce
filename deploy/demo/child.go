package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a program that the demo started.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended

	mu    sync.Mutex
	log   []byte
	grown chan struct{} // closed when the log grows
}

// maxLog is how much of a child's log is kept.
const maxLog = 256 << 10

// spawn starts a program.
func spawn(name string, cmd *exec.Cmd) (*child, error) {
	c := &child{name: name, cmd: cmd, done: make(chan struct{}), grown: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c, c
	cmd.SysProcAttr = ownGroup()
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(c.done)
	}()
	return c, nil
}

// Write keeps what the program prints.
func (c *child) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, p...)
	if over := len(c.log) - maxLog; over > 0 {
		c.log = append(c.log[:0], c.log[over:]...)
	}
	close(c.grown)
	c.grown = make(chan struct{})
	return len(p), nil
}

// says waits until the program prints a line with that text, and returns it.
func (c *child) says(ctx context.Context, text string) (string, error) {
	for {
		c.mu.Lock()
		line, there := find(c.log, text)
		grown := c.grown
		c.mu.Unlock()
		if there {
			return line, nil
		}
		select {
		case <-grown:
		case <-c.done:
			return "", fmt.Errorf("%s ended: %s\n%s", c.name, c.cmd.ProcessState, c.tail(10))
		case <-ctx.Done():
			return "", fmt.Errorf("%s does not say %q: %w", c.name, text, context.Cause(ctx))
		}
	}
}

// find returns the first whole line of log with that text.
func find(log []byte, text string) (line string, there bool) {
	for line := range bytes.Lines(log) {
		if bytes.HasSuffix(line, []byte("\n")) && bytes.Contains(line, []byte(text)) {
			return strings.TrimSpace(string(line)), true
		}
	}
	return "", false
}

// tail is the end of the log.
func (c *child) tail(lines int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := strings.Split(strings.TrimSpace(string(c.log)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// result waits until the program ends by itself.
func (c *child) result(ctx context.Context) (code int, err error) {
	select {
	case <-c.done:
		return c.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s goes on: %w", c.name, context.Cause(ctx))
	}
}

// whileRunning is a context that ends, at the latest, with the program: there
// is no use in waiting for what it should do.
func (c *child) whileRunning(ctx context.Context) (running context.Context, release func()) {
	running, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-c.done:
			cancel(fmt.Errorf("%s ended: %s", c.name, c.cmd.ProcessState))
		case <-running.Done():
		}
	}()
	return running, func() { cancel(nil) }
}

// running tells whether the program has not ended.
func (c *child) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// kill ends the program as a crash does: at once, and nothing is said.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.done
}

// patience is how long a program may take to end in order.
const patience = 5 * time.Second

// stop asks the program to end, and kills it when it does not: with all of its
// group, since nginx has workers.
func (c *child) stop() {
	c.signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() {
		if c.running() {
			_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // it may have ended meanwhile
		}
	})
	defer late.Stop()
	<-c.done
}

// signal does nothing to a program that has ended.
func (c *child) signal(sig syscall.Signal) { _ = c.cmd.Process.Signal(sig) }
