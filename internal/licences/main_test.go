package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// modul writes the files of a module and returns its folder.
func modul(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A module's licences are those at its root and in a folder for them, whatever they
// are called; what other folders hold belongs to test data.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // names of files
	}{
		{"m", map[string]string{"LICENSE": "a", "go.mod": "module m", "license.go": "package m", "testdata/LICENSE": "no"}, "LICENSE"},
		{"m", map[string]string{"LICENCE.md": "a", "NOTICE": "b", "PATENTS": "c", "README": "no"}, "LICENCE.md NOTICE PATENTS"},
		{"m", map[string]string{"COPYING": "a", "THIRD_PARTY_LICENSES/X-LICENSE": "b", "sub/LICENSE": "no"}, "COPYING THIRD_PARTY_LICENSES/X-LICENSE"},
		{"github.com/golang/freetype", map[string]string{"LICENSE": "choose", "licenses/ftl.txt": "a", "licenses/gpl.txt": "no"}, "LICENSE licenses/ftl.txt"},
	} {
		texts, err := read(c.name, modul(t, c.files))
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, x := range texts {
			names = append(names, x.file)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%v: read %s, want %s", c.files, got, c.want)
		}
	}
	for _, files := range []map[string]string{{"README": ""}, {"PATENTS": ""}} {
		if _, err := read("m", modul(t, files)); err == nil || !strings.Contains(err.Error(), "no licence") {
			t.Errorf("%v: error %v, want that there is no licence", files, err)
		}
	}
}

// Texts that differ in white space at the ends of lines are one.
func TestRender(t *testing.T) {
	var parts []part
	for name := range special {
		parts = append(parts, part{name: name, texts: []text{{"LICENSE", "special"}}})
	}
	parts = append(parts, part{"a", "v1", []text{{"LICENSE", tidy("\nsame \r\ntext\n\n")}}}, part{"b", "v2", []text{{"COPYING", tidy("same\ntext")}, {"NOTICE", "other"}}})
	var buf bytes.Buffer
	if err := render(&buf, parts); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\na v1: 2\n", "\nb v2: 2, 3\n", "\n2. a LICENSE, b COPYING\n", "\n\nsame\ntext\n", "\n3. b NOTICE\n"} {
		if strings.Count(buf.String(), want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, buf.String())
		}
	}
	if err := render(&buf, parts[:1]); err == nil || !strings.Contains(err.Error(), "no longer linked") {
		t.Errorf("a special module that is not linked: %v", err)
	}
}
