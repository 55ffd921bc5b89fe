package report

import (
	"errors"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
	if _, err := Create(fresh); err != nil {
		t.Errorf("an existing empty directory is refused: %v", err)
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

// failingFiles fails one call with err and passes the others on.
type failingFiles struct {
	osFiles
	fail string
	err  error
}

func (f failingFiles) create(path string) (file, error) {
	if f.fail == "create" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: f.err}
	}
	inner, err := f.osFiles.create(path)
	return failingFile{inner, f}, err
}

func (f failingFiles) rename(from, to string) error {
	if f.fail == "rename" {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: f.err}
	}
	return f.osFiles.rename(from, to)
}

func (f failingFiles) syncDir(path string) error {
	if f.fail == "syncDir" {
		return &fs.PathError{Op: "sync", Path: path, Err: f.err}
	}
	return f.osFiles.syncDir(path)
}

type failingFile struct {
	file
	owner failingFiles
}

func (f failingFile) Write(data []byte) (int, error) {
	switch f.owner.fail {
	case "write":
		n, _ := f.file.Write(data[:len(data)/2])
		return n, &fs.PathError{Op: "write", Path: "temporary", Err: f.owner.err}
	case "short write":
		return f.file.Write(data[:len(data)/2])
	}
	return f.file.Write(data)
}

func (f failingFile) Sync() error {
	if f.owner.fail == "sync" {
		return f.owner.err
	}
	return f.file.Sync()
}

func (f failingFile) Close() error {
	err := f.file.Close()
	if f.owner.fail == "close" {
		return f.owner.err
	}
	return err
}

func TestFailedWriteKeepsThePreviousFile(t *testing.T) {
	old, fresh := fakeRun().Points[:5], fakeRun().Points[:9]
	oldBytes, _ := encodeMetrics(old)
	freshBytes, _ := encodeMetrics(fresh)
	for _, step := range []string{"create", "write", "short write", "sync", "close", "rename", "syncDir"} {
		for _, hasOld := range []bool{false, true} {
			d, err := Create(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if hasOld {
				if err := d.WriteMetrics(old); err != nil {
					t.Fatal(err)
				}
			}
			d.files = failingFiles{fail: step, err: syscall.ENOSPC}
			err = d.WriteMetrics(fresh)
			if err == nil {
				t.Errorf("%s: no error", step)
				continue
			}
			path := filepath.Join(d.Path(), MetricsFile)
			text := err.Error()
			if !strings.Contains(text, path) || strings.Contains(text, ".tmp") || strings.Contains(text, "\n") {
				t.Errorf("%s: %q does not name the file in one sentence", step, text)
			}
			if step != "short write" && (!errors.Is(err, syscall.ENOSPC) || !strings.Contains(text, "free some space")) {
				t.Errorf("%s: %q does not say that the disk is full", step, text)
			}
			want := []byte(nil)
			switch {
			case step == "syncDir": // the rename is done: the new file is complete
				want = freshBytes
			case hasOld:
				want = oldBytes
			}
			got, err := os.ReadFile(path)
			if want == nil && !errors.Is(err, fs.ErrNotExist) || want != nil && string(got) != string(want) {
				t.Errorf("%s, previous file %v: file holds %d bytes, %v; want %d bytes", step, hasOld, len(got), err, len(want))
			}
			entries, err := os.ReadDir(d.Path())
			if err != nil || len(entries) > 1 {
				t.Errorf("%s: left behind %v, %v", step, entries, err)
			}
		}
	}
}

func TestFailedConfigNamesItsFile(t *testing.T) {
	d, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d.files = failingFiles{fail: "write", err: syscall.ENOSPC}
	if err := d.WriteConfig(map[string]int{"a": 1}); err == nil || !strings.Contains(err.Error(), ConfigFile) {
		t.Errorf("got %v", err)
	}
}
