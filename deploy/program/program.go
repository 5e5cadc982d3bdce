// Package program starts programs, waits for their output, and stops them. The demo, the
// local stack and the tests with other programs use it.
package program

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

// Program is a started program. Its methods may be called concurrently.
type Program struct {
	Name string

	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended

	mu         sync.Mutex // guards below
	log        []byte
	logChanged chan struct{} // closed and replaced with each output
}

// maxLogBytes bounds the stored output of one program.
const maxLogBytes = 256 << 10

// Start starts a program, and stores its output.
func Start(name string, cmd *exec.Cmd) (*Program, error) {
	p := &Program{Name: name, cmd: cmd, ended: make(chan struct{}), logChanged: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	cmd.SysProcAttr = ownProcessGroup()
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // cmd.ProcessState has the result
		close(p.ended)
	}()
	return p, nil
}

// Write implements io.Writer for the program's output.
func (p *Program) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, text...)
	if excess := len(p.log) - maxLogBytes; excess > 0 {
		p.log = append(p.log[:0], p.log[excess:]...)
	}
	close(p.logChanged)
	p.logChanged = make(chan struct{})
	return len(text), nil
}

// AwaitLine waits until the output has a line with that text, and returns the first
// one. It returns an error when the program ends before.
func (p *Program) AwaitLine(ctx context.Context, text string) (line string, err error) {
	for {
		p.mu.Lock()
		line, found := findLine(p.log, text)
		changed := p.logChanged
		p.mu.Unlock()
		if found {
			return line, nil
		}
		select {
		case <-changed:
		case <-p.ended:
			return "", fmt.Errorf("%s ended: %s\n%s", p.Name, p.cmd.ProcessState, p.LastLines(10))
		case <-ctx.Done():
			return "", fmt.Errorf("%s printed no line with %q: %w", p.Name, text, context.Cause(ctx))
		}
	}
}

// findLine returns the first complete line with that text.
func findLine(log []byte, text string) (line string, found bool) {
	for line := range bytes.Lines(log) {
		if bytes.HasSuffix(line, []byte("\n")) && bytes.Contains(line, []byte(text)) {
			return strings.TrimSpace(string(line)), true
		}
	}
	return "", false
}

// LastLines returns at most n lines of the output.
func (p *Program) LastLines(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(p.log)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// AwaitExit waits until the program ends, and returns its exit code.
func (p *Program) AwaitExit(ctx context.Context) (code int, err error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s still runs: %w", p.Name, context.Cause(ctx))
	}
}

// WhileRunning returns a context that ends with ctx, with the program, or with cancel.
func (p *Program) WhileRunning(ctx context.Context) (running context.Context, cancel func()) {
	running, cancelCause := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-p.ended:
			cancelCause(fmt.Errorf("%s ended: %s", p.Name, p.cmd.ProcessState))
		case <-running.Done():
		}
	}()
	return running, func() { cancelCause(nil) }
}

// IsRunning reports whether the program has not ended.
func (p *Program) IsRunning() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends the program at once, as a crash does.
func (p *Program) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// stopTimeout is how long Stop waits before it kills the program.
const stopTimeout = 5 * time.Second

// Stop sends SIGTERM. After stopTimeout it kills the process group: nginx has workers.
func (p *Program) Stop() {
	p.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopTimeout, func() {
		if p.IsRunning() {
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended meanwhile
		}
	})
	defer kill.Stop()
	<-p.ended
}

// Signal does nothing after the program has ended.
func (p *Program) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }
