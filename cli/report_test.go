package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A page of two runs names what differs between them, and neither run is touched.
func TestReportOfSeveralRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	dir := t.TempDir()
	a, b, out := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "both.html")
	for _, args := range [][]string{{"--lr", "0.1", "--out", a}, {"--lr", "0.5", "--out", b}} {
		want(t, call(t, append([]string{"train", "--data", "synthetic", "--hidden", "4", "--steps", "4", "--eval-every", "2"}, args...)...), exitDone)
	}
	before, err := os.ReadFile(filepath.Join(a, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	got := call(t, "report", a, b, "--out", out)
	want(t, got, exitDone)
	if got.out != "report: "+out+"\n" {
		t.Errorf("it says %q", got.out)
	}
	page, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"2 arms of 2 runs", "batchnorm · lr=0.1", "batchnorm · lr=0.5"} {
		if !strings.Contains(string(page), s) {
			t.Errorf("the page lacks %q", s)
		}
	}
	if strings.Contains(string(page), ", steps=") || strings.Contains(string(page), "· steps=") {
		t.Error("the page names what both runs have")
	}
	if after, err := os.ReadFile(filepath.Join(a, "report.html")); err != nil || string(after) != string(before) {
		t.Errorf("the page of a run was written: %v", err)
	}
	got = call(t, "report", a, filepath.Join(dir, "none"), "--out", filepath.Join(dir, "c.html"))
	want(t, got, exitFailed)
	if _, err := os.Stat(filepath.Join(dir, "c.html")); err == nil {
		t.Error("a page was written of a run that is not there")
	}
}
