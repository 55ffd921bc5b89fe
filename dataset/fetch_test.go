package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// describe describes a file with the given content.
func describe(name string, content []byte) file {
	sum := sha256.Sum256(content)
	return file{name, int64(len(content)), hex.EncodeToString(sum[:])}
}

// small returns an entry for the set of smallFiles with the given sources.
func small(sources ...source) *entry {
	e := &entry{name: "mnist", sources: sources, help: "some-command mnist"}
	for i, name := range fileNames {
		e.files[i] = describe(name, smallFiles()[name])
	}
	return e
}

// memory is a source that has the files given, under their names in a source.
func memory(name string, files map[string][]byte) source {
	return source{name: name, prepare: func(context.Context) (opener, error) {
		return func(_ context.Context, name string) (io.ReadCloser, error) {
			content, ok := files[name]
			if !ok {
				return nil, errors.New(name + " is not here")
			}
			return io.NopCloser(bytes.NewReader(content)), nil
		}, nil
	}}
}

// forbidden is a source that must not be asked.
func forbidden(t *testing.T) source {
	return source{name: "forbidden", prepare: func(context.Context) (opener, error) {
		t.Error("a source was asked although an earlier one has all files")
		return nil, errors.New("forbidden")
	}}
}

// zipped returns smallFiles as a source has them, without the names in except.
func zipped(except ...string) map[string][]byte {
	files := make(map[string][]byte)
	for name, content := range smallFiles() {
		files[name+".gz"] = gzipped(content)
	}
	for _, name := range except {
		delete(files, name+".gz")
	}
	return files
}

// checkFolder requires that a folder holds these names of smallFiles, right and
// plain, and nothing else.
func checkFolder(t *testing.T, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Errorf("%s holds %v, want %v", folder, entries, names)
	}
	for _, name := range names {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, smallFiles()[name]) {
			t.Errorf("%s has the wrong content", name)
		}
	}
}

func TestFetchOrder(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "mnist")
	broken := source{name: "broken", limit: "given up after 1h", prepare: func(context.Context) (opener, error) { return nil, errors.New("unplugged") }}
	// The second source has the smallest file, the third the others, one of them plain.
	third := zipped()
	third[fileNames[2]+".gz"] = smallFiles()[fileNames[2]]
	e := small(broken, memory("second", zipped(fileNames[:3]...)), memory("third", third), forbidden(t))
	var lines []string
	from, err := e.fetch(t.Context(), dir, func(s string) { lines = append(lines, s) })
	if err != nil {
		t.Fatal(err)
	}
	if from != "second, third" {
		t.Errorf("from %q, want %q", from, "second, third")
	}
	checkFolder(t, folder, fileNames...)
	if _, err := Load(dir, "mnist"); err != nil {
		t.Error(err)
	}
	log := strings.Join(lines, "\n")
	for _, part := range []string{"trying broken (given up after 1h)\n", "broken: unplugged", "trying second\n", "second: " + fileNames[1], "trying third", "wrote " + filepath.Join(folder, fileNames[2])} {
		if !strings.Contains(log, part) {
			t.Errorf("the log does not contain %q:\n%s", part, log)
		}
	}

	// What is there is enough, and is not written again.
	from, err = small(forbidden(t)).fetch(t.Context(), dir, func(string) {})
	if err != nil || from != folder {
		t.Errorf("second fetch: from %q, error %v, want %q and none", from, err, folder)
	}
}

func TestFetchKeepsAndReplaces(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "mnist")
	all := smallFiles()
	write(t, folder, map[string][]byte{
		fileNames[0] + ".gz": gzipped(all[fileNames[0]]),      // right: kept
		fileNames[1]:         all[fileNames[1]],               // right: kept
		fileNames[2]:         flip(all[fileNames[2]], -1),     // wrong: replaced
		fileNames[3] + ".gz": gzipped(all[fileNames[3]])[:20], // broken: the plain file goes before it
	})
	e := small(memory("source", zipped(fileNames[:2]...)), forbidden(t))
	var log strings.Builder
	from, err := e.fetch(t.Context(), dir, func(s string) { log.WriteString(s + "\n") })
	if err != nil {
		t.Fatal(err)
	}
	if want := folder + ", source"; from != want {
		t.Errorf("from %q, want %q", from, want)
	}
	for _, name := range []string{fileNames[2], fileNames[3] + ".gz"} {
		if want := filepath.Join(folder, name) + " is not the file wanted"; !strings.Contains(log.String(), want) {
			t.Errorf("the log does not contain %q:\n%s", want, log.String())
		}
	}
	set, err := Load(dir, "mnist")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(set.Test.Images, noise(2*side*side)) {
		t.Error("the wrong file was not replaced")
	}
}

// A source with a wrong file leaves nothing of it behind.
func TestFetchRejects(t *testing.T) {
	name := fileNames[0]
	content := smallFiles()[name]
	for _, test := range []struct {
		what  string
		input []byte
		err   string
	}{
		{"checksum", gzipped(flip(content, -1)), "SHA-256"},
		{"checksum of a plain file", flip(content, -1), "SHA-256"},
		{"too short", gzipped(content[:100]), "truncated"},
		{"too long", gzipped(append(content[:len(content):len(content)], 0)), "longer than"},
		{"much too long", gzipped(make([]byte, 1<<20)), "longer than"},
		{"right, but behind a lot of nothing", append(bytes.Repeat(gzipped(nil), 1<<13), gzipped(content)...), "truncated"},
		{"broken gzip", gzipped(content)[:100], "truncated"},
		{"an HTML page", []byte("<!DOCTYPE html><title>Sign in to the network</title>"), `begins with "<!DOCTYPE html><", which is neither gzip nor IDX`},
		{"the start of gzip", []byte("\x1f"), "truncated"},
		{"empty", nil, "truncated"},
	} {
		t.Run(test.what, func(t *testing.T) {
			dir := t.TempDir()
			files := zipped()
			files[name+".gz"] = test.input
			_, err := small(memory("the source", files)).fetch(t.Context(), dir, func(string) {})
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range []string{"the source", name, test.err, "some-command mnist", "--data synthetic"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q does not contain %q", err, part)
				}
			}
			checkFolder(t, filepath.Join(dir, "mnist"), fileNames[1:]...) // the wrong one is the last
		})
	}
}

// The error where nothing works names every source with its reason.
func TestFetchNothingWorks(t *testing.T) {
	dir := t.TempDir()
	e := small(folder(filepath.Join(dir, "nowhere")), memory("second", nil))
	_, err := e.fetch(t.Context(), dir, func(string) {})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"nowhere: there is no such folder", "second: " + fileNames[3] + ".gz is not here", `run "some-command mnist"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not contain %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error %q is not one sentence", err)
	}
}

func TestFetchCancelled(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := small(forbidden(t)).fetch(ctx, t.TempDir(), func(string) {})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
	t.Run("between files", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped by the test")
		src := source{name: "source", prepare: func(ctx context.Context) (opener, error) {
			files, _ := memory("", zipped()).prepare(ctx)
			return func(ctx context.Context, name string) (io.ReadCloser, error) {
				if name == fileNames[2]+".gz" {
					cancel(stopped)
				}
				return files(ctx, name)
			}, nil
		}}
		dir := t.TempDir()
		_, err := small(src, forbidden(t)).fetch(ctx, dir, func(string) {})
		if !errors.Is(err, stopped) || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled and the cause", err)
		}
		// The file that was open when it stopped was still complete.
		checkFolder(t, filepath.Join(dir, "mnist"), fileNames[1:]...)
	})
}

// What another source could not mend ends the fetch at once.
func TestFetchCannotWrite(t *testing.T) {
	t.Run("a file for the data directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(dir, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := small(forbidden(t)).fetch(t.Context(), dir, func(string) {})
		if err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v, want one that names %s", err, dir)
		}
	})
	t.Run("a directory for a file", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "mnist", fileNames[1])
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := small(forbidden(t)).fetch(t.Context(), dir, func(string) {})
		if err == nil || !strings.Contains(err.Error(), path+" is a directory") {
			t.Errorf("error %v, want one that names %s", err, path)
		}
	})
	t.Run("a directory appears under the file's name", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "mnist", fileNames[0])
		src := memory("source", zipped())
		src.prepare = func(prepare func(context.Context) (opener, error)) func(context.Context) (opener, error) {
			return func(ctx context.Context) (opener, error) {
				if err := os.MkdirAll(path, 0o755); err != nil {
					return nil, err
				}
				return prepare(ctx)
			}
		}(src.prepare)
		_, err := small(src, forbidden(t)).fetch(t.Context(), dir, func(string) {})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one that names %s", err, path)
		}
		checkFolderHolds(t, filepath.Join(dir, "mnist"), fileNames)
	})
}

// checkFolderHolds requires that a folder holds nothing but these names.
func checkFolderHolds(t *testing.T, folder string, names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) {
			t.Errorf("%s holds %s", folder, e.Name())
		}
	}
}

// What a killed fetch left is removed by the next one, once it is old; a user's file
// is not.
func TestFetchRemovesOrphans(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "mnist")
	old, fresh, users := ".driftless-ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp", ".driftless-ABCDEFGHIJKLMNOPQRSTUVWXY2.tmp", ".notes.tmp"
	write(t, folder, smallFiles())
	write(t, folder, map[string][]byte{old: {1}, fresh: {2}, users: {3}})
	for _, name := range []string{old, users} {
		then := time.Now().Add(-2 * orphaned)
		if err := os.Chtimes(filepath.Join(folder, name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := small(forbidden(t)).fetch(t.Context(), dir, func(string) {}); err != nil {
		t.Fatal(err)
	}
	checkFolderHolds(t, folder, append([]string{fresh, users}, fileNames...))
	for _, name := range []string{fresh, users} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestCatalogue(t *testing.T) {
	sums := make(map[string]string)
	for _, e := range catalogue {
		for i, f := range e.files {
			if f.name != fileNames[i] || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(f.sha256) {
				t.Errorf("%s: file %d is %q with SHA-256 %q", e.name, i, f.name, f.sha256)
			}
			if other, ok := sums[f.sha256]; ok {
				t.Errorf("%s/%s has the SHA-256 of %s", e.name, f.name, other)
			}
			sums[f.sha256] = e.name + "/" + f.name
		}
		// Without a network there is a way, and mirrors come last.
		for i, s := range e.sources {
			if remote := strings.HasPrefix(s.name, "https://") && strings.HasSuffix(s.name, "/"); remote != (i > 0) {
				t.Errorf("%s: source %d is %q", e.name, i, s.name)
			}
		}
	}
}

// Where nothing answers Fetch returns within a minute and a half.
func TestNothingAnswers(t *testing.T) {
	for _, e := range catalogue {
		var longest time.Duration
		for _, s := range e.sources {
			switch {
			case s.limit == patient.String():
				longest += patient.silence
			case strings.HasPrefix(s.name, "the Go module "):
				longest += goLimit + goGrace
			}
		}
		if longest < patient.silence || longest > 90*time.Second {
			t.Errorf("%s: it takes up to %v", e.name, longest)
		}
	}
}
