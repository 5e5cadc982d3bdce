//go:build !linux

package program

import "syscall"

// ownProcessGroup keeps Ctrl-C on the terminal from the program: this process ends it in
// order.
func ownProcessGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
