package dataset

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var fileNames = []string{
	"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
	"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
}

// smallFiles returns the content of a set with 3 training and 2 test images.
func smallFiles() map[string][]byte {
	return map[string][]byte{
		fileNames[0]: idx(noise(3*side*side), 3, side, side),
		fileNames[1]: idx([]byte{7, 0, 9}, 3),
		fileNames[2]: idx(noise(2*side*side), 2, side, side),
		fileNames[3]: idx([]byte{1, 2}, 2),
	}
}

func write(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoad(t *testing.T) {
	for _, name := range []string{"mnist", "fashion"} {
		for _, form := range []string{"plain", "gzipped", "gzipped under the plain name", "plain beside a bad .gz"} {
			t.Run(name+" "+form, func(t *testing.T) {
				files := smallFiles()
				for _, f := range fileNames {
					content := files[f]
					switch form {
					case "gzipped":
						delete(files, f)
						files[f+".gz"] = gzipped(content)
					case "gzipped under the plain name":
						files[f] = gzipped(content)
					case "plain beside a bad .gz":
						files[f+".gz"] = []byte("not this one")
					}
				}
				dir := t.TempDir()
				write(t, filepath.Join(dir, name), files)
				set, err := Load(dir, name)
				if err != nil {
					t.Fatal(err)
				}
				if set.Name != name || set.Synthetic {
					t.Errorf("Name %q, Synthetic %v", set.Name, set.Synthetic)
				}
				for _, c := range []struct {
					got    Split
					labels []int
				}{{set.Train, []int{7, 0, 9}}, {set.Test, []int{1, 2}}} {
					n := len(c.labels)
					if c.got.N != n || c.got.Rows != side || c.got.Cols != side {
						t.Errorf("N, Rows, Cols = %d, %d, %d, want %d, 28, 28", c.got.N, c.got.Rows, c.got.Cols, n)
					}
					if !bytes.Equal(c.got.Images, noise(n*side*side)) || !slices.Equal(c.got.Labels, c.labels) {
						t.Error("images or labels differ from those written")
					}
				}
			})
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		spoil  func(files map[string][]byte)
		parts  []string // of the error
		absent bool     // errors.Is(err, fs.ErrNotExist)
	}{
		{"missing images", func(f map[string][]byte) { delete(f, fileNames[0]) }, []string{fileNames[0]}, true},
		{"missing labels", func(f map[string][]byte) { delete(f, fileNames[3]) }, []string{fileNames[3]}, true},
		{"truncated", func(f map[string][]byte) { f[fileNames[2]] = f[fileNames[2]][:100] }, []string{fileNames[2], "truncated"}, false},
		{"corrupt magic", func(f map[string][]byte) { f[fileNames[1]] = flip(f[fileNames[1]], 1) }, []string{fileNames[1], "magic"}, false},
		{"trailing garbage", func(f map[string][]byte) { f[fileNames[1]] = append(f[fileNames[1]], 1) }, []string{fileNames[1], "goes on"}, false},
		{"corrupt gzip", func(f map[string][]byte) { f[fileNames[3]] = gzipped(f[fileNames[3]])[:15] }, []string{fileNames[3], "truncated"}, false},
		{"a broken .gz is named with .gz", func(f map[string][]byte) {
			f[fileNames[0]+".gz"] = gzipped(f[fileNames[0]])[:500]
			delete(f, fileNames[0])
		}, []string{fileNames[0] + ".gz", "truncated"}, false},
		{"wrong image size", func(f map[string][]byte) { f[fileNames[0]] = idx(make([]byte, 3*27*29), 3, 27, 29) }, []string{fileNames[0], "is 27, want 28"}, false},
		{"images and labels swapped", func(f map[string][]byte) { f[fileNames[0]] = f[fileNames[1]] }, []string{fileNames[0], "magic"}, false},
		{"fewer labels than images", func(f map[string][]byte) { f[fileNames[1]] = idx([]byte{1, 2}, 2) }, []string{fileNames[0], fileNames[1], "3 images", "2 labels"}, false},
		{"label out of range", func(f map[string][]byte) { f[fileNames[3]] = idx([]byte{1, 10}, 2) }, []string{fileNames[3], "label 1 is 10, want 0 to 9"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			files := smallFiles()
			test.spoil(files)
			write(t, filepath.Join(dir, "mnist"), files)
			set, err := Load(dir, "mnist")
			if err == nil {
				t.Fatalf("no error, but %d training images", set.Train.N)
			}
			for _, part := range append(test.parts, "driftless data fetch mnist --data-dir", dir) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q does not contain %q", err, part)
				}
			}
			if errors.Is(err, fs.ErrNotExist) != test.absent {
				t.Errorf("errors.Is(%q, fs.ErrNotExist) = %v", err, !test.absent)
			}
		})
	}
}

func TestLoadDirectoryForFile(t *testing.T) {
	for _, name := range []string{fileNames[1], fileNames[1] + ".gz"} {
		dir := t.TempDir()
		files := smallFiles()
		delete(files, fileNames[1])
		write(t, filepath.Join(dir, "fashion"), files)
		path := filepath.Join(dir, "fashion", name)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir, "fashion")
		if err == nil || !strings.Contains(err.Error(), path+" is a directory") || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v, want one that says that %s is a directory", err, path)
		}
	}
}

// In the default directory the command needs no flag.
func TestLoadErrorInDefaultDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	dir, err := DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(dir) != "driftless" {
		t.Errorf("DefaultDir() = %s, want a folder driftless", dir)
	}
	_, err = Load(dir, "fashion")
	if err == nil || !strings.HasSuffix(err.Error(), "run driftless data fetch fashion") {
		t.Errorf("error %v, want one that ends with the command", err)
	}
}

func TestDefaultDirError(t *testing.T) {
	for _, v := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData", "home"} {
		t.Setenv(v, "")
	}
	if dir, err := DefaultDir(); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("DefaultDir() = %q, %v; want an error that names --data-dir", dir, err)
	}
}

func TestNames(t *testing.T) {
	if got, want := Names(), []string{"mnist", "fashion", "synthetic"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %v, want %v", got, want)
	}
	for _, test := range []struct{ name, part string }{
		{"cifar", "known are mnist, fashion"},
		{"", "known are"},
		{"../mnist", "known are"},
		{"synthetic", "built in"},
	} {
		dir := t.TempDir()
		_, loadErr := Load(dir, test.name)
		_, fetchErr := Fetch(t.Context(), dir, test.name, nil)
		for _, err := range []error{loadErr, fetchErr} {
			if err == nil || !strings.Contains(err.Error(), test.part) {
				t.Errorf("%q: error %v, want one with %q", test.name, err, test.part)
			}
		}
	}
}
