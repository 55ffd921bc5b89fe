//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRunScript: a bundle's run.sh goes by its own folder, not by the variable OUT, and
// where that cannot be written to, by the present one; what is said on the command line
// comes last, and so counts.
func TestRunScript(t *testing.T) {
	text, err := os.ReadFile("run.sh")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	if err := os.Chmod(filepath.Dir(temp), 0o755); err != nil { // for another user
		t.Fatal(err)
	}
	dir := filepath.Join(temp, "a bundle")
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "bin", "gpucheck")
	script(t, program, `[ "$1" = -help ] || for a; do echo "$a"; done`+"\n")
	if out, err := exec.Command("gzip", program).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func() string {
		t.Helper()
		cmd := exec.Command("/bin/sh", filepath.Join(dir, "run.sh"), "-out", "mine")
		cmd.Env, cmd.Dir = []string{"PATH=/usr/bin:/bin", "OUT=" + t.TempDir()}, "/"
		if os.Geteuid() == 0 { // whom no folder refuses
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		flag, rest, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		work, rest, _ := strings.Cut(rest, "\n")
		if _, err := os.Stat(filepath.Join(work, "gpucheck")); flag != "-work" || err != nil {
			t.Errorf("the program does not lie in %s %s: %v", flag, work, err)
		}
		if err := os.RemoveAll(work); err != nil {
			t.Error(err)
		}
		return rest
	}
	lines := func(out string) string {
		return strings.Join([]string{"-suite", dir + "/bin", "-data", dir + "/data", "-out", out, "-plan", "quarter-hour", "-out", "mine"}, "\n")
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := run(); got != lines(dir) {
		t.Errorf("arguments\n%s", got)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	if got := run(); got != lines(".") {
		t.Errorf("from a folder that cannot be written to, arguments\n%s", got)
	}
}
