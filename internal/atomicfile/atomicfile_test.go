package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// text is content for Write.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func names(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	if err := os.WriteFile(path, []byte("from before"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"", "short", strings.Repeat("longer than the buffer ", 1<<14)} {
		if err := Write(path, text(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("the file holds %d bytes, %v; want %d", len(got), err, len(want))
		}
		if got := names(t, folder); got != "f" {
			t.Errorf("the folder holds %s", got)
		}
	}
}

// The umask takes from the mode what it takes from every file's.
func TestMode(t *testing.T) {
	folder := t.TempDir()
	plain, path := filepath.Join(folder, "plain"), filepath.Join(folder, "f")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, text("x")); err != nil {
		t.Fatal(err)
	}
	want, _ := os.Stat(plain)
	if got, err := os.Stat(path); err != nil || got.Mode() != want.Mode() {
		t.Errorf("the mode is %v, that of any file of 0644 is %v", got.Mode(), want.Mode())
	}
}

// failing fails one call with err and passes the others on. It knows the names of
// temporary files that are to come.
type failing struct {
	osFiles
	fail   string
	err    error
	toCome *[]string
}

func (f failing) tempName() string {
	if f.toCome == nil || len(*f.toCome) == 0 {
		return f.osFiles.tempName()
	}
	name := (*f.toCome)[0]
	*f.toCome = (*f.toCome)[1:]
	return name
}

func (f failing) create(path string) (file, error) {
	if f.fail == "create" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: f.err}
	}
	inner, err := f.osFiles.create(path)
	return failingFile{inner, path, f}, err
}

func (f failing) rename(from, to string) error {
	if f.fail == "rename" {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: f.err}
	}
	return f.osFiles.rename(from, to)
}

func (f failing) syncDir(path string) error {
	if f.fail == "syncDir" {
		return &fs.PathError{Op: "sync", Path: path, Err: f.err}
	}
	return f.osFiles.syncDir(path)
}

type failingFile struct {
	file
	path  string
	owner failing
}

func (f failingFile) error(op string) error {
	return &fs.PathError{Op: op, Path: f.path, Err: f.owner.err}
}

func (f failingFile) Write(data []byte) (int, error) {
	switch f.owner.fail {
	case "write":
		n, _ := f.file.Write(data[:len(data)/2])
		return n, f.error("write")
	case "short write":
		return f.file.Write(data[:len(data)/2])
	}
	return f.file.Write(data)
}

func (f failingFile) Sync() error {
	if f.owner.fail == "sync" {
		return f.error("sync")
	}
	return f.file.Sync()
}

func (f failingFile) Close() error {
	err := f.file.Close()
	if f.owner.fail == "close" {
		return f.error("close")
	}
	return err
}

// Whatever call fails, the file is what it was, nothing is left beside it, and the
// error is a sentence that names the file and says what is kept and what to do.
func TestFailures(t *testing.T) {
	fresh := strings.Repeat("new", 50000) // more than a buffer
	for _, step := range []string{"create", "write", "short write", "content", "sync", "close", "rename", "syncDir"} {
		for _, had := range []bool{false, true} {
			for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO} {
				folder := t.TempDir()
				path := filepath.Join(folder, "file")
				if had {
					if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				content := text(fresh)
				if step == "content" {
					content = func(w io.Writer) error {
						_, _ = io.WriteString(w, fresh)
						return fmt.Errorf("the content: %w", cause)
					}
				}
				err := write(failing{fail: step, err: cause}, path, content)
				what := fmt.Sprintf("%s, %v, file before %v", step, cause, had)
				if err == nil {
					t.Errorf("%s: no error", what)
					continue
				}
				said := err.Error()
				if !strings.Contains(said, path) || strings.Contains(said, ".tmp") || strings.Contains(said, "\n") {
					t.Errorf("%s: %q does not name the file in one sentence", what, said)
				}
				if errors.Is(err, ErrNotSynced) != (step == "syncDir") {
					t.Errorf("%s: the file is new: %v, and %q is ErrNotSynced: %v", what, step == "syncDir", said, errors.Is(err, ErrNotSynced))
				}
				if step != "short write" && !errors.Is(err, cause) {
					t.Errorf("%s: %q lost its cause", what, said)
				}
				full := cause != syscall.EIO && step != "content" && step != "short write"
				if strings.Contains(said, "free some space") != full {
					t.Errorf("%s: %q, of a full disk: %v", what, said, full)
				}
				if kept := had && step != "syncDir"; strings.Contains(said, "what is there is kept") != kept {
					t.Errorf("%s: %q, a file is kept: %v", what, said, kept)
				}
				want, there := "old", had
				if step == "syncDir" { // the rename is done: the new file is complete
					want, there = fresh, true
				}
				got, err := os.ReadFile(path)
				if there && string(got) != want || !there && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: the file holds %d bytes, %v", what, len(got), err)
				}
				if left := names(t, folder); left != "file" && left != "" {
					t.Errorf("%s: the folder holds %s", what, left)
				}
			}
		}
	}
}

func TestPanicLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	func() {
		defer func() { _ = recover() }()
		_ = Write(filepath.Join(folder, "f"), func(io.Writer) error { panic("content") })
	}()
	if left := names(t, folder); left != "" {
		t.Errorf("the folder holds %s", left)
	}
}

func TestNoFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	err := Write(filepath.Join(folder, "f"), text("x"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "the folder "+folder+" is not there") {
		t.Errorf("error %v, want one that says that the folder is not there", err)
	}
}

// An error of the content that is about another file still names it.
func TestContentNamesItsFile(t *testing.T) {
	folder := t.TempDir()
	other := filepath.Join(folder, "other")
	err := Write(filepath.Join(folder, "f"), func(io.Writer) error { _, err := os.Open(other); return err })
	if err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("error %v, want one that names %s", err, other)
	}
}

// What was planted at a temporary name is neither followed nor overwritten, even if
// the name was known.
func TestPlanted(t *testing.T) {
	folder := t.TempDir()
	victim := filepath.Join(folder, "victim")
	for _, path := range []string{victim, filepath.Join(folder, "b")} {
		if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"a": victim, "c": filepath.Join(folder, "new")} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Skip("no symbolic links here")
		}
	}
	toCome := []string{"a", "b", "c"}
	if err := write(failing{toCome: &toCome}, filepath.Join(folder, "f"), text("content")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"victim": "precious", "a": "precious", "b": "precious", "f": "content"} {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	if got := names(t, folder); got != "a b c f victim" {
		t.Errorf("the folder holds %s", got)
	}

	endless := strings.Split(strings.Repeat("b ", 100), " ")
	if err := write(failing{toCome: &endless}, filepath.Join(folder, "f"), text("other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v where every temporary name is taken", err)
	}
}

// A symbolic link at the final name is replaced, not followed.
func TestLinkAtTheName(t *testing.T) {
	folder := t.TempDir()
	victim, path := filepath.Join(folder, "victim"), filepath.Join(folder, "f")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path); err != nil {
		t.Skip("no symbolic links here")
	}
	if err := Write(path, text("content")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("the link's target holds %q", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if err := Write(path, text(strings.Repeat(string(rune('a'+i)), 200000))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 200000 || len(bytes.Trim(got, string(got[:1]))) != 0 {
		t.Errorf("%d bytes of more than one writer, %v", len(got), err)
	}
	if left := names(t, folder); left != "f" {
		t.Errorf("the folder holds %s", left)
	}
}

// Sweep removes what killed writers left, and nothing else.
func TestSweep(t *testing.T) {
	folder := t.TempDir()
	fresh, stale := osFiles{}.tempName(), osFiles{}.tempName()
	link, inside := osFiles{}.tempName(), osFiles{}.tempName()
	users := []string{".driftless-notes.tmp", "driftless-" + stale, stale + "x", ".driftless-abcdefghijklmnopqrstuvwxyz.tmp", "model.tmp"}
	hourAgo := time.Now().Add(-time.Hour)
	for _, name := range append([]string{fresh, stale}, users...) {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if name != fresh {
			if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Mkdir(filepath.Join(folder, inside), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(folder, users[0]), filepath.Join(folder, link)); err != nil {
		t.Skip("no symbolic links here")
	}
	for _, c := range []struct {
		idle time.Duration
		gone []string
	}{{2 * time.Hour, nil}, {time.Minute, []string{stale}}, {0, []string{stale, fresh}}} {
		Sweep(folder, c.idle)
		left := names(t, folder)
		for _, name := range append([]string{fresh, stale, link, inside}, users...) {
			gone := false
			for _, g := range c.gone {
				gone = gone || g == name
			}
			if there := strings.Contains(" "+left+" ", " "+name+" "); there == gone {
				t.Errorf("Sweep(%v): %s is there: %v, want %v", c.idle, name, there, !gone)
			}
		}
	}
	Sweep(filepath.Join(folder, "no such folder"), 0)
}

func TestTempNames(t *testing.T) {
	a, b := osFiles{}.tempName(), osFiles{}.tempName()
	if a == b || !IsTemp(a) || !IsTemp(b) {
		t.Errorf("temporary names %q and %q", a, b)
	}
}
