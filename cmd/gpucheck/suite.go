package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// suiteBinary returns the path of a binary of the suite; one that is gzipped is unpacked
// beside the report, since temporary folders may forbid execution.
func suiteBinary(o options, name string) (path string, done func(), err error) {
	plain := filepath.Join(o.suite, name)
	if _, err := os.Stat(plain); err == nil {
		path, err := filepath.Abs(plain)
		return path, func() {}, err
	}
	in, err := os.Open(plain + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("there is no %s, neither plain nor as .gz: make gpu-check and make gpu-bundle build it, and -suite says where it is", plain)
	}
	if err != nil {
		return "", nil, err
	}
	defer in.Close()
	dir, err := os.MkdirTemp(filepath.Dir(o.out), ".gpucheck-")
	if err != nil {
		return "", nil, err
	}
	done = func() { _ = os.RemoveAll(dir) }
	if path, err = filepath.Abs(filepath.Join(dir, name)); err == nil {
		err = gunzip(path, in)
	}
	if err != nil {
		done()
		return "", nil, fmt.Errorf("%s.gz cannot be unpacked: %w", plain, err)
	}
	return path, done, nil
}

func gunzip(path string, in io.Reader) error {
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, z)
	return errors.Join(err, f.Close())
}

// testDevice is the environment variable by which the tests of package
// engine/device/cuda learn on which device they run.
const testDevice = "DRIFTLESS_TEST_DEVICE"

// conformance runs the tests of package engine/device/cuda.
func conformance(ctx context.Context, o options, t *teller) error {
	path, done, err := suiteBinary(o, "cuda.test")
	if err != nil {
		return err
	}
	defer done()
	args := []string{"-test.v", "-test.timeout", "15m"}
	if o.virtual() {
		args = append(args, "-test.short")
	}
	if o.quick {
		args = append(args, "-test.run", "^(TestConformance|TestTwice)$")
	}
	cmd := command(ctx, path, args...)
	cmd.Env = append(os.Environ(), testDevice+"="+o.device)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	runErr := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	tests := parseTests(&out)
	t.table("test", "result", "seconds")
	failed := 0
	for _, test := range tests {
		if !strings.Contains(test.name, "/") {
			t.row(test.name, strings.TrimSpace(test.result+" "+test.why()), test.seconds)
		}
		if test.result == "FAIL" || test.result == "" {
			failed++
			t.check(false, test.name, "%s", test.text())
		}
	}
	passed, skipped := 0, 0
	for _, test := range tests {
		switch test.result {
		case "PASS":
			passed++
		case "SKIP":
			skipped++
		}
	}
	if runErr != nil && failed == 0 {
		return fmt.Errorf("cuda.test: %w\n%s", runErr, lastLines(out.String()+errs.String(), 30))
	}
	if failed == 0 {
		t.check(passed > 0, "conformance suite and tests of the device", "%d tests and subtests passed, %d skipped", passed, skipped)
	}
	if runErr != nil && strings.Contains(errs.String()+out.String(), "panic:") {
		return fmt.Errorf("cuda.test: %w\n%s", runErr, lastLines(errs.String(), 30))
	}
	return nil
}

// command is a command that is interrupted when ctx ends, and killed if it takes no
// notice.
func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// lastLines returns the last n lines of a text.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// test is what a test binary says of one test.
type test struct {
	name, result string // PASS, FAIL, SKIP; "" if it did not end
	seconds      string
	log          []string
}

// why is the reason of a test that was skipped.
func (t test) why() string {
	if t.result != "SKIP" || len(t.log) == 0 {
		return ""
	}
	_, why, _ := strings.Cut(t.log[len(t.log)-1], ": ")
	return "(" + why + ")"
}

// text is what a failed test printed.
func (t test) text() string {
	if t.result == "" {
		return strings.Join(append([]string{"it did not end"}, t.log...), "\n")
	}
	if len(t.log) == 0 {
		return "see its subtests"
	}
	return strings.Join(t.log, "\n")
}

// parseTests reads the output of a test binary run with -test.v, in the order in
// which the tests began.
func parseTests(r io.Reader) []test {
	var order []string
	tests := map[string]*test{}
	current := ""
	get := func(name string) *test {
		if tests[name] == nil {
			tests[name] = &test{name: name}
			order = append(order, name)
		}
		return tests[name]
	}
	for s := bufio.NewScanner(r); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		word, rest, _ := strings.Cut(line, "   ")
		switch {
		case word == "=== RUN":
			current = strings.TrimSpace(rest)
			get(current)
			continue
		case word == "=== NAME", word == "=== CONT", word == "=== PAUSE":
			current = strings.TrimSpace(rest)
			continue
		}
		if fields := strings.Fields(line); len(fields) >= 4 && fields[0] == "---" {
			t := get(strings.Join(fields[2:len(fields)-1], " "))
			t.result = strings.TrimSuffix(fields[1], ":")
			t.seconds = strings.Trim(fields[len(fields)-1], "(s)")
			continue
		}
		if current != "" && line != "" && line != "PASS" && line != "FAIL" {
			t := get(current)
			t.log = append(t.log, line)
		}
	}
	out := make([]test, len(order))
	for i, name := range order {
		out[i] = *tests[name]
	}
	return out
}
