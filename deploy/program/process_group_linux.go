package program

import "syscall"

// ownProcessGroup keeps Ctrl-C on the terminal from the program: this process ends it in
// order. The kernel ends the program when this process is killed.
func ownProcessGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
