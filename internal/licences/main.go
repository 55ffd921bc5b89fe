// Command licences writes THIRD_PARTY.txt: the licences of the modules that are
// linked into the binaries, each text once, in full.
//
//	go generate .    # at the root, whose licences.go names the binaries
//
// It reads the module cache, so it needs no network and writes the same bytes
// everywhere. Tools that classify licences, google/go-licenses among them, leave out
// what this file is for: the texts of both choices and of the parts of a module, and
// the notes that a licence asks for.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A build is a form in which binaries are built.
type build struct{ os, arch, tags, cgo string }

var builds = []build{
	{"linux", "amd64", "", "0"},
	{"linux", "amd64", "gpu", "1"},
	{"darwin", "arm64", "", "0"},
	{"windows", "amd64", "", "0"},
}

// special says of a module which of its files count, where it offers a choice, and
// what its licence wants to be said.
var special = map[string]struct {
	files []string
	note  string
}{
	"github.com/golang/freetype": {
		[]string{"LICENSE", "licenses/ftl.txt"},
		"Of the two licences Driftless chooses the FreeType License.\n" +
			"Portions of this software are copyright © 2010 The FreeType Project\n" +
			"(www.freetype.org). All rights reserved.",
	},
	"github.com/ajstarks/svgo": {
		[]string{"LICENSE", "LICENSE-link.txt"},
		"SVGo by Anthony Starks, https://github.com/ajstarks/svgo, unchanged, licensed\n" +
			"under Creative Commons Attribution 4.0 International\n" +
			"(https://creativecommons.org/licenses/by/4.0/).",
	},
}

// A part is a module, or Go itself.
type part struct {
	name, version string
	texts         []text
}

type text struct{ file, content string }

func main() {
	out := flag.String("o", "THIRD_PARTY.txt", "file to write")
	tests := flag.String("test", "", "a package whose test binary is shipped too")
	flag.Parse()
	if err := run(*out, flag.Args(), *tests); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(out string, packages []string, tests string) error {
	if len(packages) == 0 {
		return errors.New("name the packages of the binaries")
	}
	parts, err := linked(packages, tests)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := render(&buf, parts); err != nil {
		return err
	}
	return os.WriteFile(out, buf.Bytes(), 0o644)
}

// linked returns Go and the modules that any build links into the packages, with
// their texts.
func linked(packages []string, tests string) ([]part, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	golang, err := read("", strings.TrimSpace(string(goroot)))
	if err != nil {
		return nil, fmt.Errorf("the Go standard library: %w", err)
	}
	parts := []part{{"the Go standard library and runtime", "", golang}}
	modules := map[string]module{}
	for _, b := range builds {
		if err := list(b, modules, append([]string{"-deps"}, packages...)...); err != nil {
			return nil, err
		}
		if tests != "" {
			if err := list(b, modules, "-deps", "-test", tests); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range modules {
		texts, err := read(m.Path, m.Dir)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
		parts = append(parts, part{m.Path, m.Version, texts})
	}
	slices.SortFunc(parts[1:], func(a, b part) int { return strings.Compare(a.name, b.name) })
	return parts, nil
}

type module struct {
	Path, Version, Dir string
	Main               bool
}

// list adds the modules of what go list lists in a build.
func list(b build, modules map[string]module, args ...string) error {
	cmd := exec.Command("go", append([]string{"list", "-tags=" + b.tags, "-json=Module"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS="+b.os, "GOARCH="+b.arch, "CGO_ENABLED="+b.cgo, "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		if err := dec.Decode(&p); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module != nil && !p.Module.Main {
			modules[p.Module.Path] = *p.Module
		}
	}
}

// licence matches the names of files that hold a licence, or a folder of them.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents|third.party.licen[cs]es)`)

// read returns the licence texts of a module: its special files, or those at its root
// and in a folder for them.
func read(name, dir string) ([]text, error) {
	files := special[name].files
	if files == nil {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			rel, relErr := filepath.Rel(dir, p)
			switch {
			case err != nil || relErr != nil:
				return errors.Join(err, relErr)
			case rel == ".":
				return nil
			case !licence.MatchString(strings.Split(filepath.ToSlash(rel), "/")[0]):
				if d.IsDir() {
					return fs.SkipDir
				}
			case d.Type().IsRegular() && !strings.HasSuffix(rel, ".go"):
				files = append(files, filepath.ToSlash(rel))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var texts []text
	found := false
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f)))
		if err != nil {
			return nil, err
		}
		found = found || !strings.HasPrefix(strings.ToLower(path.Base(f)), "patents")
		texts = append(texts, text{f, tidy(string(content))})
	}
	if !found {
		return nil, errors.New("it has no licence")
	}
	return texts, nil
}

// tidy takes out what differs between copies of one text: line ends, trailing space
// and empty lines around it.
func tidy(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\r\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// render writes the list of parts and then every text once.
func render(w *bytes.Buffer, parts []part) error {
	number := map[string]int{}
	var texts, owners []string
	fmt.Fprint(w, `What the binaries of Driftless contain of others
================================================

The texts that each part names by their numbers follow the list, in full.
Written by "go generate ." from the modules that are linked; do not edit.

`)
	for _, p := range parts {
		var refs []string
		for _, t := range p.texts {
			n, ok := number[t.content]
			if !ok {
				n = len(texts) + 1
				number[t.content] = n
				texts, owners = append(texts, t.content), append(owners, "")
			}
			if owners[n-1] != "" {
				owners[n-1] += ", "
			}
			owners[n-1] += strings.TrimSpace(p.name + " " + t.file)
			refs = append(refs, fmt.Sprint(n))
		}
		fmt.Fprintf(w, "%s: %s\n", strings.TrimSpace(p.name+" "+p.version), strings.Join(refs, ", "))
		if note := special[p.name].note; note != "" {
			fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(note, "\n", "\n    "))
		}
	}
	for name := range special {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("%s is no longer linked: take it out of the special ones", name)
		}
	}
	rule := strings.Repeat("-", 80)
	for i, t := range texts {
		fmt.Fprintf(w, "\n%s\n%d. %s\n%s\n\n%s\n", rule, i+1, owners[i], rule, t)
	}
	return nil
}
