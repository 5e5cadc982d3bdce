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

// roleVar names the environment variable that makes this program a server or a
// client.
const roleVar = "FANBENCH_ROLE"

// play is what a process does that another one started. It ends when nobody
// asks it any more, so that none is left behind.
func play(role string) int {
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

// A process is another one of this program: it is told things, and answers.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	encoder *json.Encoder
	decoder *json.Decoder
}

// launch starts a process on one core, or on any.
func launch(role string, core int) (*process, error) {
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
	if err := onCore(core, cmd.Start); err != nil {
		return nil, err
	}
	return &process{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, nil
}

// anyCore pins nothing.
const anyCore = -1

// onCore starts a process from a thread that is pinned: it inherits that with
// its first instruction, and its runtime makes as many Ps as it has cores.
func onCore(core int, start func() error) error {
	if core == anyCore {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var was, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &was); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	defer unix.SchedSetaffinity(0, &was)
	return start()
}

// cores returns the first and the last core that we may run on.
func cores() (first, last int, err error) {
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

func (p *process) tell(question any) error { return p.encoder.Encode(question) }

func (p *process) hear(answer any) error { return p.decoder.Decode(answer) }

func (p *process) ask(question, answer any) error {
	if err := p.tell(question); err != nil {
		return err
	}
	return p.hear(answer)
}

// stop ends the process, which sees that nothing can be asked any more.
func (p *process) stop() error {
	p.in.Close()
	return p.cmd.Wait()
}
