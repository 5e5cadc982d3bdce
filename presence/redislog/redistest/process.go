package redistest

import (
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one process of a server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// startProcess starts a program whose output goes to log.
func startProcess(log *logBuffer, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = ownProcessGroup()
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // cmd.ProcessState has the result
		close(p.ended)
	}()
	return p, nil
}

func (p *process) isRunning() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// signal does nothing after the process has ended.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// kill ends the process at once, also a stopped one.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// terminate asks the process to end, and waits for that.
func (p *process) terminate(within time.Duration) (ended bool) {
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGCONT) // a stopped process handles no SIGTERM
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	select {
	case <-p.ended:
		return true
	case <-deadline.C:
		return false
	}
}

// maxLogBytes bounds the stored output of one server.
const maxLogBytes = 256 << 10

// logBuffer stores the end of a server's output.
type logBuffer struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if excess := len(l.text) - maxLogBytes; excess > 0 {
		l.text = append(l.text[:0], l.text[excess:]...)
	}
	return len(p), nil
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// lastLines returns at most n lines.
func (l *logBuffer) lastLines(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
