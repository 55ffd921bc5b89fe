package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/benchmarks/presets"
	"driftless/internal/report"
)

// The README and RESULTS.md are what the committed result files make.
func TestResultsAreCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	root := filepath.Join("..", "..")
	docs, err := documents(filepath.Join(root, "benchmarks", "results"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := texts(root, docs)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		have, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(have) != text {
			t.Errorf("%s is not what benchmarks/results makes (%v): run make results", name, err)
		}
	}
	for _, path := range missing(root, docs) {
		t.Errorf("%s is missing: run make results", path)
	}
}

// Every preset has its place in RESULTS.md.
func TestEveryPresetIsShown(t *testing.T) {
	var shown []string
	for _, c := range commands {
		shown = append(shown, c.preset)
	}
	slices.Sort(shown)
	if want := presets.Names(); !slices.Equal(shown, want) {
		t.Errorf("%q are shown, and there are %q", shown, want)
	}
}

func TestFill(t *testing.T) {
	docs := map[string]*report.Document{"demo": {Sections: []report.Section{{Name: "mnist", Table: report.Table{Head: []string{"a", "b"}, Rows: [][]string{{"1", "2"}}}}}}}
	const text = "x\n<!-- results demo mnist -->\nold\n<!-- end of results -->\ny\n<!-- results paper table -->\n<!-- end of results -->\n"
	got, err := fill(text, docs)
	if err != nil || !strings.Contains(got, "| 1 | 2 |") || strings.Contains(got, "old") || !strings.HasSuffix(got, "<!-- results paper table -->\n<!-- end of results -->\n") {
		t.Errorf("%q, %v", got, err)
	}
	if again, err := fill(got, docs); err != nil || again != got {
		t.Errorf("not the same again: %q, %v", again, err)
	}
	for _, bad := range []string{"<!-- results demo x -->\n<!-- end of results -->", "<!-- results x mnist -->\n<!-- end of results -->"} {
		if _, err := fill(bad, docs); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

// Only a complete run of a whole preset is shown.
func TestQuickLooksAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"quick": `{"preset":"demo","changed":["steps 2, not 3000"],"parts":[]}`, "cut": `{"preset":"demo","interrupted":true,"parts":[]}`,
		"other": `{"preset":"paper","parts":[]}`, "none": `{`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "demo.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := documents(dir); err == nil || !strings.Contains(err.Error(), "demo.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
