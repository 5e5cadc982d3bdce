package main

import (
	"os/exec"
	"syscall"
)

// killWithTest makes the kernel kill the process of a command when the test process ends in any
// way, such as a panic or a timeout.
func killWithTest(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
