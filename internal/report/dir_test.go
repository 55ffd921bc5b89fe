package report

import (
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/internal/atomicfile"
)

func TestCreate(t *testing.T) {
	root := t.TempDir()
	fresh := filepath.Join(root, "a", "b")
	d, err := Create(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if d.Path() != fresh {
		t.Errorf("Path() = %q, want %q", d.Path(), fresh)
	}
	if _, err := Create(fresh); !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), fresh) {
		t.Errorf("a directory that was just taken gives %v, want ErrNotEmpty", err)
	}
	fresh = filepath.Join(root, "empty")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(fresh); err != nil {
		t.Errorf("an existing empty directory is refused: %v", err)
	}
	fresh = filepath.Join(root, "full")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"precious", ".hidden"} {
		path := filepath.Join(fresh, name)
		if err := os.WriteFile(path, []byte("keep"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = Create(fresh)
		if !errors.Is(err, ErrNotEmpty) {
			t.Fatalf("a directory with %s gives %v, want ErrNotEmpty", name, err)
		}
		if !strings.Contains(err.Error(), fresh) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q does not name the directory in one sentence", err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != "keep" {
			t.Errorf("content after refusal: %q, %v", data, err)
		}
		if entries, err := os.ReadDir(fresh); err != nil || len(entries) != 1 {
			t.Errorf("after refusal the directory holds %v, %v", entries, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	plain := filepath.Join(root, "file")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(plain); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file gives %v", err)
	}
	if _, err := Create(filepath.Join(plain, "sub")); err == nil {
		t.Error("a directory under a file is accepted")
	}
}

func TestAutoDir(t *testing.T) {
	root := filepath.Join(t.TempDir(), "runs")
	long := strings.Repeat("é", 80)
	for _, c := range []struct{ name, want string }{
		{"mnist sgd", "mnist-sgd"},
		{"mnist sgd", "mnist-sgd-2"},
		{"mnist  /  sgd", "mnist-sgd-3"},
		{"center:naive_lr0.1", "center-naive_lr0.1"},
		{"../../etc", "etc"},
		{"..", "run"},
		{"", "run-2"},
		{"\xff\x00", "run-3"},
		{long, strings.Repeat("é", 50)},
	} {
		d, err := AutoDir(root, c.name)
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(root, c.want); d.Path() != want {
			t.Errorf("AutoDir(%q) made %q, want %q", c.name, d.Path(), want)
		}
		if info, err := os.Stat(d.Path()); err != nil || !info.IsDir() {
			t.Errorf("%q: %v", d.Path(), err)
		}
	}
}

func TestFilesOfARun(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	d, err := Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	run := fakeRun()
	run.Points = run.Points[:20]
	config := struct {
		LR    float64        `yaml:"lr"`
		Batch int            `yaml:"batch"`
		Norm  map[string]any `yaml:"norm"`
	}{.1, 60, map[string]any{"name": "batchnorm", "eps": 1e-5}}
	if err := os.WriteFile(filepath.Join(d.Path(), ReportFile), []byte("from before"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.WriteConfig(config), d.WriteMetrics(run.Points), d.WriteReport(run)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, want := strings.Join(names, " "), "config.yaml curves.png metrics.jsonl report.html"; got != want {
		t.Errorf("directory holds %s, want %s", got, want)
	}
	page, err := os.ReadFile(filepath.Join(d.Path(), ReportFile))
	if err != nil || !strings.HasPrefix(string(page), "<!doctype html>") {
		t.Errorf("report.html begins with %.20q, %v", page, err)
	}
	curves, err := os.Open(filepath.Join(d.Path(), CurvesFile))
	if err != nil {
		t.Fatal(err)
	}
	defer curves.Close()
	if size, err := png.DecodeConfig(curves); err != nil || size.Width != 1440 || size.Height < 1000 {
		t.Errorf("curves.png: %d by %d pixels, %v", size.Width, size.Height, err)
	}
	got, err := os.ReadFile(filepath.Join(d.Path(), ConfigFile))
	if want := "lr: 0.1\nbatch: 60\nnorm:\n  eps: 1e-05\n  name: batchnorm\n"; err != nil || string(got) != want {
		t.Errorf("config.yaml is %q, %v, want %q", got, err, want)
	}
}

// A file that cannot be written is named, and so is what the directory keeps. Each
// file of the report in turn cannot be written, since a directory has its name.
func TestErrorsSayWhatIsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	run := fakeRun()
	run.Points = run.Points[:20]
	files := []string{ConfigFile, MetricsFile, CurvesFile, ReportFile}
	for i, bad := range files {
		d, err := Create(filepath.Join(t.TempDir(), "run"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(d.Path(), bad)
		if err := os.MkdirAll(filepath.Join(path, "inside"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, write := range []func() error{func() error { return d.WriteConfig(1) }, func() error { return d.WriteMetrics(run.Points) }, func() error { return d.WriteReport(run) }} {
			if err = write(); err != nil {
				break
			}
		}
		if err == nil || !strings.HasPrefix(err.Error(), "cannot write "+path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s cannot be written: %v", bad, err)
			continue
		}
		kept := append(slices.Clone(files[:i]), bad) // the directory in the way
		slices.Sort(kept)
		if want := "; " + d.Path() + " keeps " + strings.Join(kept, ", "); !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q does not end with %q", err, want)
		}
	}
}

// A run directory that was removed while the run went on is named.
func TestRemovedDirectory(t *testing.T) {
	d, err := Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.WriteConfig(1), os.RemoveAll(d.Path())); err != nil {
		t.Fatal(err)
	}
	err = d.WriteMetrics(nil)
	if err == nil || !strings.Contains(err.Error(), "the folder "+d.Path()+" is not there") {
		t.Errorf("error %v, want one that says that the directory is gone", err)
	}
	if _, err := os.Stat(d.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there again: %v", err)
	}
}

// A file that is complete, and of which only the folder could not be flushed, is there: the
// directory is taken without the claim, and nothing else is said to be kept.
func TestNotSyncedIsWritten(t *testing.T) {
	for _, c := range []struct {
		err     error
		claimed bool
	}{{nil, false}, {fmt.Errorf("f is written but %w", atomicfile.ErrNotSynced), false}, {errors.New("cannot write f"), true}} {
		d, err := Create(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if got := d.wrote(c.err); got != c.err || (d.claim != nil) != c.claimed {
			t.Errorf("after %v: error %v, claim held: %v", c.err, got, d.claim != nil)
		}
		if d.claim != nil {
			release(d.claim)
		}
	}
}
