//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// There are no groups of processes: a part ends alone.
func ownGroup(*exec.Cmd) {}

func interruptGroup(leader int) error {
	p, err := os.FindProcess(leader)
	if err == nil {
		err = p.Signal(os.Interrupt)
	}
	return err
}

func endGroup(int) {}

// Nor are there locks that end with a process: what one that was killed leaves stays.
func hold(string) *os.File { return nil }

func removeAbandoned(string) {}
