//go:build !linux

package program

import "syscall"

// ownGroup gives a program a process group of its own, so that a Ctrl-C on the
// terminal reaches this process alone, which ends its programs in order.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
