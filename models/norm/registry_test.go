package norm

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// infrastructure are the files that are no method's.
var infrastructure = []string{"doc", "method", "register", "settings", "parse", "names", "scope", "running", "rows", "external", "blocks"}

// TestEveryFileIsAMethods: a file is called as the method that it registers ("+" is
// "_plus"), which is a documented type with documented settings, and no file names
// another method.
func TestEveryFileIsAMethods(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, path := range paths {
		file := strings.TrimSuffix(path, ".go")
		if slices.Contains(infrastructure, file) || strings.HasSuffix(file, "_test") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(file, "_plus", "+")
		files = append(files, name)
		info, ok := registry[name]
		if !ok {
			t.Errorf("%s registers no method %q", path, name)
			continue
		}
		m := info.New()
		if info.Title == "" {
			t.Errorf("%s has no title", name)
		}
		if err := m.Validate(); err != nil {
			t.Errorf("defaults of %s: %v", name, err)
		}
		for _, s := range settings(m) {
			if s.Help == "" {
				t.Errorf("setting %s of %s has no help", s.Key, name)
			}
		}
		if doc := docOf(f, reflect.TypeOf(m).Elem().Name()); len(strings.Fields(doc)) < 8 {
			t.Errorf("%s: the method's type is documented with %q", path, doc)
		}
	}
	for _, name := range Names() {
		if !slices.Contains(files, name) {
			t.Errorf("%s is not in a file of its own", name)
		}
	}
}

func docOf(f *ast.File, typ string) string {
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Specs[0].(*ast.TypeSpec).Name.Name == typ {
			return g.Doc.Text()
		}
	}
	return ""
}

// TestInfrastructureNamesNoMethod: what holds for all methods knows none.
func TestInfrastructureNamesNoMethod(t *testing.T) {
	for _, file := range infrastructure {
		if file == "doc" {
			continue // examples
		}
		src, err := os.ReadFile(file + ".go")
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && slices.Contains(Names(), strings.Trim(lit.Value, "`\"")) && lit.Value != `"none"` {
				t.Errorf("%s.go knows the method %s", file, lit.Value)
			}
			return true
		})
	}
}
