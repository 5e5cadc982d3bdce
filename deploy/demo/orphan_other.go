//go:build !linux

package main

import "syscall"

// ownGroup gives a program a process group of its own, so that a Ctrl-C on the
// terminal reaches the demo alone, which ends its children in order.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
