package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// pythonVariable names an interpreter with the packages of .ci/python-requirements.txt.
const pythonVariable = "DRIFTLESS_PYTHON"

// python runs a script of testdata and returns what it prints. Without an interpreter the
// test is skipped.
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	needPython(t)
	out, err := exec.Command(os.Getenv(pythonVariable), append([]string{"testdata/" + script}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", script, err, strings.TrimSpace(string(out)))
	}
	return string(out)
}

func needPython(t *testing.T) {
	t.Helper()
	if os.Getenv(pythonVariable) == "" {
		t.Skipf("NOT CHECKED against other programs: %s names no Python interpreter (.ci/python makes one)", pythonVariable)
	}
}
