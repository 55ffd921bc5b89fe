package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"driftless/internal/atomicfile"

	"go.yaml.in/yaml/v3"
)

// ErrNotEmpty is what Create returns, wrapped, for a directory that holds
// anything or that another run has taken.
var ErrNotEmpty = errors.New("output directory is not empty")

// Names of the files in a run directory.
const (
	ConfigFile  = "config.yaml"
	MetricsFile = "metrics.jsonl"
	CurvesFile  = "curves.png"
	ReportFile  = "report.html"
)

// Dir is a run directory. Its methods may be called repeatedly, by one goroutine
// at a time: each call replaces the file it writes. Their errors name the file that
// was not written and those that the directory keeps.
type Dir struct {
	path string
	// claim is held until the first file is there, which from then on says that the
	// directory is taken; nil afterwards.
	claim *os.File
}

// Create makes the directory dir with its parents, or takes an existing empty
// one: one that holds nothing, or only what runs left there that were killed before
// their first file was complete, which it removes. Of runs that ask for the same
// directory at the same time one gets it. A directory that holds anything or is
// taken gives an error that is ErrNotEmpty, and nothing there is changed.
func Create(dir string) (*Dir, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot create output directory %s: %w", dir, atomicfile.Cause(err))
		}
	case err != nil:
		return nil, fmt.Errorf("cannot use output directory %s: %w", dir, atomicfile.Cause(err))
	case !info.IsDir():
		return nil, fmt.Errorf("output directory %s is a file; name another directory", dir)
	}
	f, err := claim(dir)
	if err != nil {
		return nil, err
	}
	return &Dir{path: dir, claim: f}, nil
}

// AutoDir makes a new directory under root, which it creates as needed, named
// after name: letters, digits, '.', '_', '+' and '-' stay, any other run of characters
// becomes one '-', and "-2", "-3" and so on is appended while the name is taken.
// Runs that start at the same time get different directories.
func AutoDir(root, name string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create output directory %s: %w", root, atomicfile.Cause(err))
	}
	base := filepath.Join(root, readableName(name))
	path := base
	for n := 2; ; n++ {
		err := os.Mkdir(path, 0o755)
		if err == nil {
			f, err := claim(path)
			if err == nil {
				return &Dir{path: path, claim: f}, nil
			}
			if !errors.Is(err, ErrNotEmpty) { // a run that names this very directory was faster
				return nil, err
			}
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("cannot create output directory %s: %w", path, atomicfile.Cause(err))
		}
		path = fmt.Sprintf("%s-%d", base, n)
	}
}

// readableName keeps a name usable as one path element on every system. It never
// returns an empty name, nor one that starts with '.' or '-'.
func readableName(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool {
		return r == '-' || r == unicode.ReplacementChar ||
			!(unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' || r == '_' || r == '+')
	})
	s := strings.Trim(strings.Join(words, "-"), ".-")
	const longest = 100 // bytes; file systems allow 255
	for len(s) > longest {
		runes := []rune(s)
		s = strings.Trim(string(runes[:len(runes)-1]), ".-")
	}
	if s == "" {
		return "run"
	}
	return s
}

// Path returns the directory as it was named to Create or made by AutoDir.
func (d *Dir) Path() string { return d.path }

// WriteConfig writes v as config.yaml. Map keys are sorted; a struct keeps its
// order.
func (d *Dir) WriteConfig(v any) error {
	data, err := encodeYAML(v)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Join(d.path, ConfigFile), err)
	}
	return d.WriteFile(ConfigFile, data)
}

// WriteMetrics writes points as metrics.jsonl, ordered by the first appearance of
// their arm, then seed, then step.
func (d *Dir) WriteMetrics(points []Point) error {
	data, err := encodeMetrics(points)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Join(d.path, MetricsFile), err)
	}
	return d.WriteFile(MetricsFile, data)
}

// WriteReport writes curves.png and report.html. Both are drawn in memory first,
// so that a failure to draw leaves both files as they were.
func (d *Dir) WriteReport(run Run) error {
	png, err := renderPNG(run, pngDPI)
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", filepath.Join(d.path, CurvesFile), err)
	}
	page, err := run.Page(false)
	if err != nil {
		return fmt.Errorf("cannot draw %s: %w", filepath.Join(d.path, ReportFile), err)
	}
	if err := d.WriteFile(CurvesFile, png); err != nil {
		return err
	}
	return d.WriteFile(ReportFile, page.HTML)
}

// WriteFile writes a file of that name: it is complete or as it was.
func (d *Dir) WriteFile(name string, data []byte) error {
	return d.wrote(atomicfile.Write(filepath.Join(d.path, name), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}))
}

// wrote ends the claim where a file is there, new and complete, and adds to the error of
// one that is not what the directory keeps.
func (d *Dir) wrote(err error) error {
	if err != nil && !errors.Is(err, atomicfile.ErrNotSynced) {
		if kept, _ := held(d.path); len(kept) > 0 {
			return fmt.Errorf("%w; %s keeps %s", err, d.path, strings.Join(kept, ", "))
		}
		return err
	}
	if d.claim != nil {
		release(d.claim)
		d.claim = nil
	}
	return err
}

func encodeYAML(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
