package redistest

import (
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one life of a server.
type process struct {
	cmd  *exec.Cmd
	log  *logbook
	done chan struct{} // closed once it has ended
}

// spawn starts a program that prints into log.
func spawn(log *logbook, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

// running tells whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal does nothing to a process that has ended.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// kill ends it as a crash does, also when it is stopped.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop asks it to end in order, and tells whether it did in time.
func (p *process) stop(within time.Duration) bool {
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGCONT) // a paused one would not hear the first
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-p.done:
		return true
	case <-late.C:
		return false
	}
}

// maxLog is how much of a server's log is kept.
const maxLog = 256 << 10

// logbook keeps the end of what a server printed, in all its lives.
type logbook struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps what the server prints.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - maxLog; over > 0 {
		l.text = append(l.text[:0], l.text[over:]...)
	}
	return len(p), nil
}

// String is what is kept.
func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// tail is the last lines.
func (l *logbook) tail(lines int) string {
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
