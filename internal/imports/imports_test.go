package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the top folders, from the one that may import all others down.
var layers = []string{"cmd", "cli", "benchmarks", "models", "engine", "kernels"}

// leaf is what the first three layers import beside them, and other programs.
const leaf = "dataset"

// knownTo lists the packages that may know a module or package.
var knownTo = map[string][]string{
	"gorgonia.org/gorgonia": {"models", "models/norm", "engine", "engine/ops", "engine/program"},
	"gorgonia.org/tensor":   {"models", "models/norm", "engine", "engine/ops", "engine/program"},
	"gorgonia.org/cu":       {"engine/device/cuda", "internal/cuda"},
	"driftless":             {"cli"}, // the licences, at the root
}

// common is the one internal package that the other internal packages may import. It
// imports nothing of the project itself.
const common = "internal/atomicfile"

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportsRunOneWay(t *testing.T) {
	for _, tags := range []string{"", "gpu"} {
		t.Run("tags "+tags, func(t *testing.T) { checkAll(t, tags) })
	}
}

func checkAll(t *testing.T, tags string) {
	cmd := exec.Command("go", "list", "-tags="+tags, "-json=ImportPath,Imports", "driftless/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // files of the tag gpu are for cgo
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	n := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); ; n++ {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, problem := range check(p) {
			t.Error(problem)
		}
	}
	if n < 10 {
		t.Fatalf("go list found %d packages: the test looks in the wrong place", n)
	}
}

// check returns what is wrong with a package's imports. Tests are free: they
// import peers and oracles.
func check(p pkg) []string {
	var bad []string
	from := strings.TrimPrefix(p.ImportPath, "driftless/")
	if strings.HasSuffix(from, "test") { // a suite that tests call, such as devicetest
		return nil
	}
	for _, imp := range p.Imports {
		to, own := strings.CutPrefix(imp, "driftless/")
		if own && !allowed(from, to) {
			bad = append(bad, p.ImportPath+" imports "+imp+": imports run "+strings.Join(layers, " → ")+", the first three may import "+leaf+", and it and internal packages are leaves, of which the others may import "+common)
		}
		if users := knownTo[imp]; users != nil && !slices.Contains(users, from) {
			bad = append(bad, p.ImportPath+" imports "+imp+": only "+strings.Join(users, ", ")+" may")
		}
	}
	return bad
}

func top(path string) string {
	t, _, _ := strings.Cut(path, "/")
	return t
}

// allowed reports whether package from may import package to.
func allowed(from, to string) bool {
	f, t := top(from), top(to)
	switch {
	case f == "internal": // but a package may have parts, and the CUDA driver runs PTX
		return strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, "internal/cuda") && to == "internal/ptx" || to == common
	case t == "internal":
		return true
	case f == leaf:
		return false
	case t == leaf:
		return slices.Contains(layers[:3], f)
	}
	i, j := slices.Index(layers, f), slices.Index(layers, t)
	if f == "engine" && t == "engine" { // the face imports its parts, not the reverse
		return to != "engine"
	}
	return i >= 0 && j >= 0 && i <= j
}

// TestCheckFindsWhatIsWrong plants the mistakes that check exists for.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		p   pkg
		bad int
	}{
		{pkg{ImportPath: "driftless/models", Imports: []string{"driftless/engine", "driftless/kernels/gemm", "gorgonia.org/gorgonia"}}, 0},
		{pkg{ImportPath: "driftless/kernels/gemm", Imports: []string{"driftless/engine"}}, 1},
		{pkg{ImportPath: "driftless/engine/program", Imports: []string{"driftless/engine"}}, 1},
		{pkg{ImportPath: "driftless/internal/report", Imports: []string{"driftless/kernels"}}, 1},
		{pkg{ImportPath: "driftless/internal/report", Imports: []string{"driftless/internal/atomicfile"}}, 0},
		{pkg{ImportPath: "driftless/internal/atomicfile", Imports: []string{"driftless/internal/report", "driftless/engine"}}, 2},
		{pkg{ImportPath: "driftless/internal/report", Imports: []string{"driftless/dataset"}}, 1},
		{pkg{ImportPath: "driftless/internal/cuda", Imports: []string{"driftless/internal/cuda/virtual", "driftless/internal/report"}}, 1},
		{pkg{ImportPath: "driftless/internal/report", Imports: []string{"driftless/dataset"}}, 1},
		{pkg{ImportPath: "driftless/dataset", Imports: []string{"driftless/internal/atomicfile"}}, 0},
		{pkg{ImportPath: "driftless/dataset", Imports: []string{"driftless/kernels/gather", "driftless/engine"}}, 2},
		{pkg{ImportPath: "driftless/benchmarks", Imports: []string{"driftless/dataset"}}, 0},
		{pkg{ImportPath: "driftless/models", Imports: []string{"driftless/dataset"}}, 1},
		{pkg{ImportPath: "driftless/cli", Imports: []string{"gorgonia.org/gorgonia", "gorgonia.org/cu"}}, 2},
		{pkg{ImportPath: "driftless/models", Imports: []string{"driftless"}}, 1},
		{pkg{ImportPath: "driftless/engine/device/cpu", Imports: []string{"gorgonia.org/tensor", "driftless/models"}}, 2},
	} {
		if got := check(c.p); len(got) != c.bad {
			t.Errorf("%v: %d problems found, %d planted: %v", c.p, len(got), c.bad, got)
		}
	}
}

// TestStandardLibraryFirst: in every file the imports of the standard library stand before
// all others, in a group of their own.
func TestStandardLibraryFirst(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if bad := misplaced(string(src)); bad != "" {
			t.Errorf("%s: %s stands before the standard library or in its group", path, bad)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("%d files were read, %v", files, err)
	}
	if bad := misplaced("package p\n\nimport (\n\t\"driftless/a\"\n\n\t\"fmt\"\n)\n"); bad != "driftless/a" {
		t.Errorf("of a planted mistake it finds %q", bad)
	}
}

// misplaced returns the first import of a file that stands before one of the standard
// library or in its group, "" where there is none.
func misplaced(src string) string {
	_, block, _ := strings.Cut(src, "\nimport (\n")
	block, _, _ = strings.Cut(block, "\n)")
	first := ""
	for group := range strings.SplitSeq(block, "\n\n") {
		standard := false
		for line := range strings.Lines(group) {
			if _, quoted, ok := strings.Cut(line, `"`); ok && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				path, _, _ := strings.Cut(quoted, `"`)
				if standard = standard || !foreign(path); foreign(path) && first == "" {
					first = path
				}
			}
		}
		if standard && first != "" {
			return first
		}
	}
	return ""
}

// foreign reports whether a package is not the standard library's.
func foreign(path string) bool { return top(path) == "driftless" || strings.Contains(top(path), ".") }
