package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	driver "driftless/internal/cuda"
)

// testDevice is the environment variable by which the tests of package
// engine/device/cuda learn on which device they run.
const testDevice = "DRIFTLESS_TEST_DEVICE"

// rehearsal is what the tests take for a virtual device of compute capability 9.0 on which they do
// as on hardware.
const rehearsal = "virtual:90"

// enoughForAll is the time from which the tests run in their long form.
const enoughForAll = 5 * time.Minute

// conformance runs the tests of package engine/device/cuda. What they print is in a file
// beside the report as it comes; the report has a row for each test that has ended.
func conformance(ctx context.Context, o options, t *teller) error {
	path, err := suiteBinary(o, "cuda.test")
	if err != nil {
		return err
	}
	log, err := os.Create(o.file("conformance.txt"))
	if err != nil {
		return err
	}
	defer log.Close()
	t.note("What the tests printed is in %s.", filepath.Base(log.Name()))

	t.table("test", "result", "seconds")
	passed, skipped, failed := 0, 0, 0
	var done []string // in processes that did not come to their end
	for {
		left := o.time
		if deadline, ok := ctx.Deadline(); ok {
			left = time.Until(deadline)
		}
		run, stop := context.WithCancel(ctx)
		lost := "" // the test in which a kernel was at fault, after which all fail
		tests := &testLog{ended: func(test *test) {
			name := top(test.name)
			if lost != "" && name != lost {
				return
			}
			if name == test.name {
				t.row(test.name, strings.TrimSpace(test.result+" "+test.why()), test.seconds)
			}
			switch test.result {
			case "PASS":
				passed++
			case "SKIP":
				skipped++
			default:
				failed++
				t.check(false, test.name, "%s", test.text())
				if strings.Contains(test.text(), driver.Restart) {
					lost = name
					stop()
				}
			}
		}}
		runErr := o.runTests(run, path, left, done, io.MultiWriter(log, tests))
		stop()
		if ctx.Err() != nil || strings.Contains(tests.fatal, "panic: test timed out") {
			t.note("The time was up in %s: %d tests and subtests had passed.", tests.current, passed)
			if passed > 0 && failed == 0 {
				t.check(true, "conformance suite and tests of the device, as far as they came", "%d tests and subtests passed, %d skipped", passed, skipped)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return context.DeadlineExceeded
		}
		if lost == "" {
			tests.unfinished(func(test *test) {
				failed++
				t.check(false, test.name, "%s", test.text())
			})
		}
		if lost != "" || tests.fatal != "" {
			if began := tests.until(lost); len(began) > 0 && !slices.Contains(done, began[0]) {
				done = append(done, began...)
				t.note("After %s a process can do no more: the tests that come then are another's.", done[len(done)-1])
				continue
			}
		}
		if runErr != nil && (failed == 0 || tests.fatal != "") {
			return fmt.Errorf("cuda.test: %w\n%s", runErr, tests.last.String())
		}
		if failed == 0 {
			t.check(passed > 0, "conformance suite and tests of the device", "%d tests and subtests passed, %d skipped", passed, skipped)
		}
		return nil
	}
}

// runTests runs the tests that are not done, which stop themselves when the time is up, and so print
// what they were at.
func (o options) runTests(ctx context.Context, path string, left time.Duration, done []string, out io.Writer) error {
	limit := max(time.Second, left-2*time.Second) // the part ends after them
	args := []string{"-test.v", "-test.timeout", limit.String()}
	if o.virtual() || left < enoughForAll {
		args = append(args, "-test.short")
	}
	if o.quick {
		args = append(args, "-test.run", "^(TestConformance|TestTwice)$")
	}
	if len(done) > 0 {
		args = append(args, "-test.skip", "^("+strings.Join(done, "|")+")$")
	}
	device := o.device
	if o.virtual() {
		device = rehearsal
	}
	cmd := command(ctx, path, args...)
	cmd.Env = append(os.Environ(), testDevice+"="+device)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// top is the name of the test that a subtest belongs to.
func top(name string) string {
	name, _, _ = strings.Cut(name, "/")
	return name
}

// test is what a test binary says of one test.
type test struct {
	name, result string // PASS, FAIL, SKIP; "" if it did not end
	seconds      string
	log          []string
}

// why is the reason of a test that was skipped.
func (t *test) why() string {
	if t.result != "SKIP" || len(t.log) == 0 {
		return ""
	}
	_, why, _ := strings.Cut(t.log[len(t.log)-1], ": ")
	return "(" + why + ")"
}

// text is what a failed test printed.
func (t *test) text() string {
	if t.result == "" {
		return strings.Join(append([]string{"it did not end"}, t.log...), "\n")
	}
	if len(t.log) == 0 {
		return "see its subtests"
	}
	return strings.Join(t.log, "\n")
}

// testLog reads the output of a test binary run with -test.v as it comes.
type testLog struct {
	ended   func(*test) // of each test, when it has
	begun   []*test
	current string // the test whose output comes
	fatal   string // the line with which the binary ended itself
	line    []byte // that has no end yet
	last    tail
}

func (l *testLog) Write(p []byte) (int, error) {
	_, _ = l.last.Write(p)
	l.line = append(l.line, p...)
	for {
		line, rest, ok := bytes.Cut(l.line, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.line = rest
		l.read(strings.TrimSpace(string(line)))
	}
}

func (l *testLog) read(line string) {
	word, rest, _ := strings.Cut(line, "   ")
	switch word {
	case "=== RUN", "=== NAME", "=== CONT", "=== PAUSE":
		l.current = strings.TrimSpace(rest)
		l.get(l.current)
		return
	}
	if fields := strings.Fields(line); len(fields) >= 4 && fields[0] == "---" {
		t := l.get(strings.Join(fields[2:len(fields)-1], " "))
		t.result = strings.TrimSuffix(fields[1], ":")
		t.seconds = strings.Trim(fields[len(fields)-1], "(s)")
		l.ended(t)
		return
	}
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "SIG") {
		l.fatal = line
	}
	const most = 200 // lines in the report; the file has all
	if t := l.get(l.current); l.current != "" && line != "" && line != "PASS" && line != "FAIL" && len(t.log) < most {
		t.log = append(t.log, line)
	}
}

// get returns a test by its name.
func (l *testLog) get(name string) *test {
	for _, t := range l.begun {
		if t.name == name {
			return t
		}
	}
	t := &test{name: name}
	if name != "" {
		l.begun = append(l.begun, t)
	}
	return t
}

// until lists the tests that have begun up to one, or all, without their subtests.
func (l *testLog) until(last string) (out []string) {
	for _, t := range l.begun {
		if name := top(t.name); !slices.Contains(out, name) {
			if out = append(out, name); name == last {
				break
			}
		}
	}
	return out
}

// unfinished calls f for each test that began and did not end.
func (l *testLog) unfinished(f func(*test)) {
	for _, t := range l.begun {
		if t.result == "" {
			f(t)
		}
	}
}
