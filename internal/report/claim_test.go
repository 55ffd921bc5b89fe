package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"driftless/internal/atomicfile"
)

// together calls f n times at once and returns the results.
func together(n int, f func() (*Dir, error)) ([]*Dir, []error) {
	dirs, errs := make([]*Dir, n), make([]error, n)
	var ready, all sync.WaitGroup
	ready.Add(n)
	for i := range n {
		all.Go(func() {
			ready.Done()
			ready.Wait()
			dirs[i], errs[i] = f()
		})
	}
	all.Wait()
	return dirs, errs
}

// Of many runs that want a directory at the same time one gets it, whether it was
// there or not, and whether the one writes at once or not.
func TestOneOfManyGetsTheDirectory(t *testing.T) {
	for round := range 100 {
		dir := filepath.Join(t.TempDir(), "runs", "run")
		if round%2 == 1 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		dirs, errs := together(8, func() (*Dir, error) {
			d, err := Create(dir)
			if err == nil && round%4 > 1 {
				err = d.WriteConfig("config of the one")
			}
			return d, err
		})
		got := 0
		for _, err := range errs {
			switch {
			case err == nil:
				got++
			case !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), dir):
				t.Errorf("round %d: %v, want ErrNotEmpty", round, err)
			}
		}
		if got != 1 {
			t.Fatalf("round %d: %d runs got the directory", round, got)
		}
		for _, d := range dirs {
			if d != nil && d.claim != nil {
				if err := d.WriteConfig("config of the one"); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || entries[0].Name() != ConfigFile {
			t.Errorf("round %d: the directory holds %v, %v", round, entries, err)
		}
	}
}

// Runs that name themselves and runs that are given the same names never share.
func TestAutoDirAndCreateDoNotShare(t *testing.T) {
	for range 50 {
		root := t.TempDir()
		var n int
		var mu sync.Mutex
		dirs, errs := together(8, func() (*Dir, error) {
			mu.Lock()
			n++
			auto := n%2 == 0
			mu.Unlock()
			if auto {
				return AutoDir(root, "run")
			}
			return Create(filepath.Join(root, "run"))
		})
		seen := map[string]bool{}
		for i, d := range dirs {
			if errs[i] != nil {
				if !errors.Is(errs[i], ErrNotEmpty) {
					t.Error(errs[i])
				}
				continue
			}
			if seen[d.Path()] {
				t.Errorf("two runs got %s", d.Path())
			}
			seen[d.Path()] = true
		}
		if len(seen) < 4 {
			t.Errorf("runs got %v", seen)
		}
	}
}

const killMe = "DRIFTLESS_TEST_KILL_IN"

// TestMain makes the test binary a run that takes a directory, is half way through
// its first file, says so and waits to be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(killMe)
	if dir == "" {
		os.Exit(m.Run())
	}
	d, err := Create(dir)
	if err == nil {
		err = atomicfile.Write(filepath.Join(d.Path(), ConfigFile), func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
			fmt.Println("ready")
			select {}
		})
	}
	fmt.Println(err)
	os.Exit(1)
}

// A directory is taken for as long as its run lives. What a killed run left, before
// its first file was complete, does not make the directory a full one.
func TestKilledRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there the claim of a killed run stays")
	}
	dir := filepath.Join(t.TempDir(), "run")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killMe+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said string
	if _, err := fmt.Fscanln(out, &said); err != nil || said != "ready" {
		t.Fatalf("the run says %q, %v", said, err)
	}
	_, taken := Create(dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if !errors.Is(taken, ErrNotEmpty) || !strings.Contains(taken.Error(), "taken by another run") {
		t.Errorf("while the run lives: %v, want ErrNotEmpty", taken)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Fatalf("the killed run left %v, want its claim and a temporary file", entries)
	}
	d, err := Create(dir)
	if err != nil {
		t.Fatalf("after the run was killed: %v", err)
	}
	if err := d.WriteConfig(1); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the directory holds %v, want %s alone", entries, ConfigFile)
	}
}

// What only looks like something of ours is a user's, and stays.
func TestLooksLikeOurs(t *testing.T) {
	temp := ".driftless-ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp"
	for _, name := range []string{claimFile, temp} {
		for what, plant := range map[string]func(path string) error{
			"a link":   func(path string) error { return os.Symlink("elsewhere", path) },
			"a folder": func(path string) error { return os.Mkdir(path, 0o755) },
		} {
			dir := t.TempDir()
			if err := plant(filepath.Join(dir, name)); err != nil {
				t.Skip(err)
			}
			if _, err := Create(dir); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("%s called %s: %v, want ErrNotEmpty", what, name, err)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("%s called %s: the directory holds %v", what, name, entries)
			}
		}
	}
	// Temporary files of ours beside a user's file are not touched either.
	dir := t.TempDir()
	for _, name := range []string{temp, "precious"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Create(dir); !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), "precious") {
		t.Errorf("error %v, want one that names the user's file", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("the directory holds %v", entries)
	}
}
