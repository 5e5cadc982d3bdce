//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// roleVar is the environment variable with the role of a started process: a server
// or a client.
const roleVar = "FANBENCH_ROLE"

// runRole runs a started process until its standard input ends, and returns the
// exit code. So no process outlives control.
func runRole(role string) (exitCode int) {
	var err error
	switch role {
	case roleClient:
		err = runClient()
	default:
		err = runServer(role, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "fanbench: %s: %v\n", role, err)
		return 1
	}
	return 0
}

// process is another process of this program. It receives requests and sends
// answers, as JSON.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	encoder *json.Encoder
	decoder *json.Decoder
}

// startProcess starts a process on one core, or on any with anyCore.
func startProcess(role string, core int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startOnCore(core, cmd.Start); err != nil {
		return nil, err
	}
	return &process{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, nil
}

// anyCore pins nothing.
const anyCore = -1

// startOnCore starts a process from a pinned thread. The process inherits the core
// before its first instruction, so its runtime has one P.
func startOnCore(core int, start func() error) error {
	if core == anyCore {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	defer unix.SchedSetaffinity(0, &before)
	return start()
}

// firstAndLastCore returns the first and the last core that this process may use.
func firstAndLastCore() (first, last int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, err
	}
	first = -1
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			if last = i; first < 0 {
				first = i
			}
		}
	}
	return first, last, nil
}

func (p *process) decodeAnswer(answer any) error { return p.decoder.Decode(answer) }

// call sends a request and receives its answer.
func (p *process) call(request, answer any) error {
	if err := p.encoder.Encode(request); err != nil {
		return err
	}
	return p.decodeAnswer(answer)
}

// stopAndWait closes the process's standard input and waits for its end.
func (p *process) stopAndWait() error {
	p.in.Close()
	return p.cmd.Wait()
}
