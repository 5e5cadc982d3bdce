package redistest

import "syscall"

// ownProcessGroup keeps Ctrl-C on the terminal from the servers: the test ends them.
// The kernel ends them when the test binary is killed.
func ownProcessGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
