// Command results makes the tables and figures of the README and of benchmarks/RESULTS.md from
// the committed result files in benchmarks/results: make results. It takes no arguments and runs
// in the repository's root.
//
// A result file is what a preset's run leaves as results.json:
//
//	bin/driftless paper --out runs/paper
//	cp runs/paper/results.json benchmarks/results/paper.json
//	make results
//
// In the README what stands between the lines
//
//	<!-- results NAME SECTION -->
//	<!-- end of results -->
//
// is that section of benchmarks/results/NAME.json, nothing as long as there is no such file.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"driftless/benchmarks/presets"
	"driftless/internal/report"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

// run writes everything anew in the repository at root.
func run(root string) error {
	docs, err := documents(filepath.Join(root, "benchmarks", "results"))
	if err != nil {
		return err
	}
	texts, err := texts(root, docs)
	if err != nil {
		return err
	}
	for _, n := range order(docs) {
		pictures, err := presets.Figures(docs[n])
		if err != nil {
			return err
		}
		for name, png := range pictures {
			if err := os.WriteFile(filepath.Join(root, "benchmarks", "pictures", name), png, 0o644); err != nil {
				return err
			}
		}
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// documents reads every result file of a folder, by name.
func documents(folder string) (map[string]*report.Document, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	docs := map[string]*report.Document{}
	for _, path := range paths {
		r, err := presets.Read(path)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if name != r.Preset || r.Interrupted || len(r.Changed) > 0 {
			return nil, fmt.Errorf("%s is not a complete run of the whole preset %s: commit one that is", path, name)
		}
		if docs[name], err = r.Document(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return docs, nil
}

// commands are the presets as RESULTS.md has them, each with what runs it.
var commands = []struct{ preset, command string }{
	{"families", "driftless compare --preset families"},
	{"blowup", "driftless compare --preset blowup"},
	{"paper", "driftless paper"},
	{"udacity", "driftless table udacity"},
	{"demo", "driftless compare --preset demo"},
}

// order lists the documents as RESULTS.md has them.
func order(docs map[string]*report.Document) []string {
	var out []string
	for _, c := range commands {
		if docs[c.preset] != nil {
			out = append(out, c.preset)
		}
	}
	return out
}

const preamble = `# Results

Every table and figure here is made by ` + "`make results`" + ` from the files in
[results](results), each of which a run of a committed [preset](presets) left as results.json.
Tables say under which seeds, steps, device and commit their numbers came about. One command runs
an experiment anew:

`

// texts returns the files of the repository that hold results, by path.
func texts(root string, docs map[string]*report.Document) (map[string]string, error) {
	var b strings.Builder
	b.WriteString(preamble)
	for _, c := range commands {
		fmt.Fprintf(&b, "    %s\n", c.command)
	}
	b.WriteByte('\n')
	for _, n := range order(docs) {
		b.WriteString(docs[n].Markdown(2, "pictures/"))
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	filled, err := fill(string(readme), docs)
	if err != nil {
		return nil, fmt.Errorf("README.md: %w", err)
	}
	return map[string]string{filepath.Join("benchmarks", "RESULTS.md"): strings.TrimRight(b.String(), "\n") + "\n", "README.md": filled}, nil
}

var marked = regexp.MustCompile(`(?s)<!-- results (\S+) (\S+) -->\n.*?<!-- end of results -->`)

// fill puts sections between the markers of a text.
func fill(text string, docs map[string]*report.Document) (string, error) {
	var errs []error
	out := marked.ReplaceAllStringFunc(text, func(block string) string {
		m := marked.FindStringSubmatch(block)
		body := ""
		if doc := docs[m[1]]; doc != nil {
			s, ok := doc.Section(m[2])
			if !ok {
				errs = append(errs, fmt.Errorf("results %s have no section %q", m[1], m[2]))
			}
			body = s.Markdown("benchmarks/pictures/")
		} else if !slices.Contains(presets.Names(), m[1]) {
			errs = append(errs, fmt.Errorf("there is no preset %q", m[1]))
		}
		return fmt.Sprintf("<!-- results %s %s -->\n%s<!-- end of results -->", m[1], m[2], body)
	})
	return out, errors.Join(errs...)
}

// missing lists pictures that the texts show and the folder lacks.
func missing(root string, docs map[string]*report.Document) []string {
	var out []string
	for _, n := range order(docs) {
		for _, s := range docs[n].Sections {
			if s.Figure == nil {
				continue
			}
			path := filepath.Join("benchmarks", "pictures", s.Figure.File)
			if _, err := os.Stat(filepath.Join(root, path)); errors.Is(err, fs.ErrNotExist) {
				out = append(out, path)
			}
		}
	}
	return out
}
