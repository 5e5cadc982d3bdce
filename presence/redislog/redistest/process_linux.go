package redistest

import "syscall"

// ownGroup keeps a Ctrl-C on the terminal from reaching the servers before the
// test ends them. Should the test binary be killed, the kernel ends them.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
