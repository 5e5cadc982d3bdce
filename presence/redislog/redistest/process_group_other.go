//go:build !linux

package redistest

import "syscall"

// ownProcessGroup keeps Ctrl-C on the terminal from the servers: the test ends them.
func ownProcessGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
