//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// ownGroup has a command lead a group of processes: what it starts belongs to it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// interruptGroup asks the processes of a group to end.
func interruptGroup(leader int) error { return syscall.Kill(-leader, syscall.SIGINT) }

// lockName is a file of a work folder, locked while its process lives, however that ends.
const lockName = "in-use"

// hold locks a work folder until what it returns is closed, or the process has ended; nil where
// the file system has no locks.
func hold(dir string) *os.File {
	f, err := os.Create(filepath.Join(dir, lockName))
	if err != nil {
		return nil
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil
	}
	return f
}

// removeAbandoned removes the work folders in a folder that processes have left which were killed.
func removeAbandoned(parent string) {
	locks, _ := filepath.Glob(filepath.Join(parent, workPrefix+"*", lockName)) // the pattern is a good one
	for _, name := range locks {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		_ = f.Close()
	}
}

// endGroup ends what is left of a group; it may be nothing.
func endGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGKILL) }
