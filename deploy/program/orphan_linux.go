package program

import "syscall"

// ownGroup gives a program a process group of its own, so that a Ctrl-C on the
// terminal reaches this process alone, which ends its programs in order. Should
// this process be killed, the kernel ends them.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
