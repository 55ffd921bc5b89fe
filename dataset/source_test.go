package dataset

import (
	ziparchive "archive/zip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	testModule  = "example.com/digits"
	testVersion = "v1.2.3"
)

// moduleProxy makes the go command see one module, with smallFiles in its
// folder data, and no network.
func moduleProxy(t *testing.T) {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, "proxy", testModule, "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, testVersion+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	w := ziparchive.NewWriter(f)
	for name, content := range zipped() {
		part, err := w.Create(testModule + "@" + testVersion + "/data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		part.Write(content)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, folder, map[string][]byte{
		testVersion + ".mod":  []byte("module " + testModule + "\n"),
		testVersion + ".info": []byte(`{"Version":"` + testVersion + `"}`),
	})
	cache := filepath.Join(root, "cache")
	t.Cleanup(func() { // the go command writes folders that cannot be emptied
		filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(path, 0o755)
			}
			return nil
		})
	})
	t.Setenv("GOMODCACHE", cache)
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(filepath.Join(root, "proxy")))
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("GOTOOLCHAIN", "local")
}

// The go command finds the module whatever the user's Go settings are, and
// neither reads nor writes a go.mod or go.work above the temporary folder: these
// here would make it fail.
func TestGoModDownload(t *testing.T) {
	moduleProxy(t)
	user := t.TempDir()
	goMod := []byte("module user\n\ngo 9.9\n")
	write(t, user, map[string][]byte{"go.mod": goMod, "go.work": goMod})
	write(t, filepath.Join(user, "tmp"), nil)
	t.Setenv("TMPDIR", filepath.Join(user, "tmp"))
	t.Setenv("GOWORK", filepath.Join(user, "go.work"))
	t.Setenv("GOFLAGS", "-modfile="+filepath.Join(user, "go.mod"))
	t.Setenv("GO111MODULE", "off")
	t.Chdir(user)

	dir := t.TempDir()
	src := goModule(testModule+"@"+testVersion, "data", time.Minute, goModDownload)
	from, err := small(src, forbidden(t)).fetch(t.Context(), dir, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if want := "the Go module " + testModule + "@" + testVersion; from != want {
		t.Errorf("from %q, want %q", from, want)
	}
	checkFolder(t, filepath.Join(dir, "mnist"), fileNames...)

	if got, err := os.ReadFile("go.mod"); err != nil || string(got) != string(goMod) {
		t.Errorf("go.mod is now %q (%v)", got, err)
	}
	for _, pattern := range []string{"go.sum", "go.work.sum", "tmp/*"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("%v left behind", left)
		}
	}
}

func TestGoModDownloadErrors(t *testing.T) {
	moduleProxy(t)
	t.Run("unknown version", func(t *testing.T) {
		_, err := goModDownload(t.Context(), testModule+"@v9.9.9")
		if err == nil || !strings.Contains(err.Error(), "go mod download: reading file://") {
			t.Errorf("error %v, want what the go command says", err)
		}
	})
	t.Run("a module without the files", func(t *testing.T) {
		src := goModule(testModule+"@"+testVersion, "elsewhere", time.Minute, goModDownload)
		dir := t.TempDir()
		_, err := small(src).fetch(t.Context(), dir, func(string) {})
		if err == nil || !strings.Contains(err.Error(), fileNames[3]+".gz: no such file") {
			t.Errorf("error %v, want one that names the file", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := goModDownload(ctx, testModule+"@"+testVersion); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
	t.Run("a proxy that never answers", func(t *testing.T) {
		t.Setenv("GOPROXY", "http://"+silent(t))
		t.Setenv("GOMODCACHE", t.TempDir())
		src := goModule(testModule+"@"+testVersion, "data", 200*time.Millisecond, goModDownload)
		start := time.Now()
		_, err := small(src).fetch(t.Context(), t.TempDir(), func(string) {})
		if err == nil || !strings.Contains(err.Error(), src.name+": given up after 200ms") {
			t.Errorf("error %v, want one that says when it was given up", err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("bad setting", func(t *testing.T) {
		t.Setenv("GOPROXY", "no-such-scheme://x")
		_, err := goModDownload(t.Context(), testModule+"@"+testVersion)
		if err == nil || !strings.Contains(err.Error(), "no-such-scheme") || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with the reason", err)
		}
	})
	t.Run("no go command", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := goModDownload(t.Context(), testModule+"@"+testVersion)
		if err == nil || !strings.Contains(err.Error(), "not on the PATH") {
			t.Errorf("error %v, want one that says that there is no go command", err)
		}
	})
}

func TestFolder(t *testing.T) {
	shelf, dir := t.TempDir(), t.TempDir()
	write(t, shelf, zipped())
	from, err := small(folder(shelf), forbidden(t)).fetch(t.Context(), dir, func(string) {})
	if err != nil || from != shelf {
		t.Errorf("from %q, error %v, want %q and none", from, err, shelf)
	}
	checkFolder(t, filepath.Join(dir, "mnist"), fileNames...)
}
