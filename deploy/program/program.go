// Package program starts other programs, listens to what they print and ends
// them: the demo and the picture are made of such.
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

// Program is one that was started.
type Program struct {
	Name string

	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended

	mu    sync.Mutex
	log   []byte
	grown chan struct{} // closed when the log grows
}

// maxLog is how much of a program's log is kept.
const maxLog = 256 << 10

// Start starts a program.
func Start(name string, cmd *exec.Cmd) (*Program, error) {
	p := &Program{Name: name, cmd: cmd, done: make(chan struct{}), grown: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	cmd.SysProcAttr = ownGroup()
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

// Write keeps what the program prints.
func (p *Program) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, text...)
	if over := len(p.log) - maxLog; over > 0 {
		p.log = append(p.log[:0], p.log[over:]...)
	}
	close(p.grown)
	p.grown = make(chan struct{})
	return len(text), nil
}

// Says waits until the program prints a line with that text, and returns it.
func (p *Program) Says(ctx context.Context, text string) (string, error) {
	for {
		p.mu.Lock()
		line, there := find(p.log, text)
		grown := p.grown
		p.mu.Unlock()
		if there {
			return line, nil
		}
		select {
		case <-grown:
		case <-p.done:
			return "", fmt.Errorf("%s ended: %s\n%s", p.Name, p.cmd.ProcessState, p.Tail(10))
		case <-ctx.Done():
			return "", fmt.Errorf("%s does not say %q: %w", p.Name, text, context.Cause(ctx))
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

// Tail is the end of the log.
func (p *Program) Tail(lines int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := strings.Split(strings.TrimSpace(string(p.log)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Result waits until the program ends by itself.
func (p *Program) Result(ctx context.Context) (code int, err error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s goes on: %w", p.Name, context.Cause(ctx))
	}
}

// WhileRunning is a context that ends, at the latest, with the program: there
// is no use in waiting for what it should do.
func (p *Program) WhileRunning(ctx context.Context) (running context.Context, release func()) {
	running, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-p.done:
			cancel(fmt.Errorf("%s ended: %s", p.Name, p.cmd.ProcessState))
		case <-running.Done():
		}
	}()
	return running, func() { cancel(nil) }
}

// Running tells whether the program has not ended.
func (p *Program) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Kill ends the program as a crash does: at once, and nothing is said.
func (p *Program) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// patience is how long a program may take to end in order.
const patience = 5 * time.Second

// Stop asks the program to end, and kills it when it does not: with all of its
// group, since nginx has workers.
func (p *Program) Stop() {
	p.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() {
		if p.Running() {
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended meanwhile
		}
	})
	defer late.Stop()
	<-p.done
}

// Signal does nothing to a program that has ended.
func (p *Program) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }
