//go:build !linux

package redistest

import "syscall"

// ownGroup keeps a Ctrl-C on the terminal from reaching the servers before the
// test ends them.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
