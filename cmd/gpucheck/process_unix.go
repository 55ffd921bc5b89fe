//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup has a command lead a group of processes: what it starts belongs to it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// interruptGroup asks the processes of a group to end.
func interruptGroup(leader int) error { return syscall.Kill(-leader, syscall.SIGINT) }

// endGroup ends what is left of a group; it may be nothing.
func endGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGKILL) }
