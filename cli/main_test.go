package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asCommand makes the test binary behave as driftless, for tests that need a
// process of its own: signals, limits, exit codes.
const asCommand = "DRIFTLESS_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		Main()
	}
	dir, err := os.MkdirTemp("", "driftless-test-")
	if err == nil {
		err = writeMNIST(dir, 200)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	small = append(small, "--data-dir", dir)
	dataDirOfTests = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// dataDirOfTests holds a data set of 200 + 200 images under the name mnist.
var dataDirOfTests string

// small are flags of a run that takes a fraction of a second.
var small = []string{"--data", "mnist", "--hidden", "16,8", "--batch", "20", "--steps", "20", "--eval-every", "10"}

// output is what one call of the command line came to.
type output struct {
	code     int
	out, err string
}

func call(t *testing.T, args ...string) output {
	t.Helper()
	var out, err bytes.Buffer
	code := Run(args, &out, &err)
	return output{code, out.String(), err.String()}
}

// with returns args followed by the small run's flags and a directory for it.
func with(dir string, args ...string) []string {
	return append(append(append([]string{args[0]}, small...), "--out", dir), args[1:]...)
}

// process returns driftless as a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// message returns the line that says what went wrong, and requires that it is one.
func (o output) message(t *testing.T) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(o.err, "\n"), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, "driftless: ") {
		t.Fatalf("the last line of standard error is no message: %q", o.err)
	}
	for _, line := range lines[:len(lines)-1] {
		if strings.HasPrefix(line, "driftless:") {
			t.Errorf("more than one message: %q", o.err)
		}
	}
	return last
}

// missing reports whether nothing was made at a path.
func missing(path string) bool {
	_, err := os.Lstat(path)
	return os.IsNotExist(err)
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// object decodes standard output, which must be one JSON object on one line.
func (o output) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(o.out), &v); err != nil {
		t.Fatalf("standard output is not one JSON object: %v\n%s", err, o.out)
	}
	if strings.Count(o.out, "\n") != 1 || !strings.HasSuffix(o.out, "}\n") {
		t.Errorf("standard output is not one line: %q", o.out)
	}
	return v
}

func want(t *testing.T, got output, code int) {
	t.Helper()
	if got.code != code {
		t.Fatalf("exit code %d, want %d\nout: %s\nerr: %s", got.code, code, got.out, got.err)
	}
}
