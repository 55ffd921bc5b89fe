package cli

import (
	"strings"
	"testing"

	"driftless/models/norm"
)

// TestNorms: every registered method is listed under its class, its settings on demand,
// in lines of at most 80 columns, and in the README; an unknown one is wrong usage.
func TestNorms(t *testing.T) {
	page := func(args ...string) string {
		t.Helper()
		o := call(t, append([]string{"norms"}, args...)...)
		want(t, o, 0)
		for line := range strings.Lines(o.out) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("a line has %d columns: %s", n, line)
			}
		}
		return o.out
	}
	list := page()
	for _, m := range norm.Forms() {
		_, class, _ := strings.Cut(list, sentence(strings.Fields(norm.ClassOf(m).Meaning())[0]))
		if !strings.Contains(class, "\n  "+norm.String(m)+" ") {
			t.Errorf("the list lacks %s under its class:\n%s", norm.String(m), list)
		}
		one := page(m.Name())
		fresh, _ := norm.New(m.Name())
		for _, s := range norm.Settings(fresh) {
			if !strings.Contains(one, "\n  "+s.Text()+" ") || !strings.Contains(one, strings.Fields(s.Help)[0]) {
				t.Errorf("norms %s lacks %s:\n%s", m.Name(), s.Text(), one)
			}
		}
	}
	readme := read(t, "..", "README.md")
	for _, name := range norm.Names() {
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("README.md does not name %s", name)
		}
	}
	unknown := call(t, "norms", "batchnrm")
	want(t, unknown, 2)
	if msg := unknown.message(t); !strings.Contains(msg, `did you mean "batchnorm"?`) {
		t.Errorf("an unknown norm: %s", msg)
	}
}
