package cli

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/benchmarks/presets"
)

// A preset's run leaves its results, figures and page, with a directory for each part, and says
// that a quick look is one.
func TestPaperQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	got := call(t, "paper", "--data-dir", dataDirOfTests, "--steps", "3", "--seeds", "1", "--out", dir, "--json")
	want(t, got, exitDone)
	var res presets.Results
	if err := json.Unmarshal([]byte(got.out), &res); err != nil || res.Preset != "paper" || res.Interrupted || len(res.Parts) != 1 || len(res.Parts[0].Arms) != 4 {
		t.Errorf("%v: %+v", err, res)
	}
	if want := []string{"steps 3, not 50000", "seeds 1, not 5"}; !slices.Equal(res.Changed, want) || !strings.Contains(got.err, "a quick look") {
		t.Errorf("%v, want %v; stderr %s", res.Changed, want, got.err)
	}
	if n := names(t, dir); !slices.Equal(n, []string{"config.yaml", "mnist", "paper.png", "report.html", "results.json"}) {
		t.Errorf("the directory holds %v", n)
	}
	if n := names(t, filepath.Join(dir, "mnist")); !slices.Equal(n, runFiles) {
		t.Errorf("the part's directory holds %v", n)
	}
	page := read(t, dir, "report.html")
	got = call(t, "report", dir)
	want(t, got, exitDone)
	if again := read(t, dir, "report.html"); again != page {
		t.Error("report writes another page than the run did")
	}
}

// What does not go together with a preset is wrong usage, in a sentence.
func TestPresetUsage(t *testing.T) {
	t.Parallel()
	for text, args := range map[string][]string{
		`unknown preset "papre"`:                               {"compare", "--preset", "papre"},
		"--norms is fixed by --preset paper":                   {"compare", "--preset", "paper", "--norms", "none"},
		"--lr is fixed by --preset blowup":                     {"compare", "--preset", "blowup", "--lr", "1"},
		"--steps 0 is not a positive number":                   {"paper", "--steps", "0"},
		"table has udacity":                                    {"table", "x"},
		`unknown data set "x"`:                                 {"paper", "--data", "x"},
		"choose one of blowup, demo, families, paper, udacity": {"compare", "--preset", ""},
	} {
		got := call(t, args...)
		want(t, got, exitUsage)
		if !strings.Contains(got.err, text) {
			t.Errorf("%v: %q lacks %q", args, got.err, text)
		}
	}
	got := call(t, "__complete", "compare", "--preset", "")
	if !strings.Contains(got.out, "families") {
		t.Errorf("the shell is not offered the presets: %s", got.out)
	}
}
