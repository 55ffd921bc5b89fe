package cli

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/benchmarks/probe"
)

// TestProbes: every instrument is listed, with its columns on demand, in lines of at most 80
// columns, in the README and the manual; an unknown one is wrong usage.
func TestProbes(t *testing.T) {
	page := func(args ...string) string {
		t.Helper()
		o := call(t, append([]string{"probes"}, args...)...)
		want(t, o, 0)
		for line := range strings.Lines(o.out) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("a line has %d columns: %s", n, line)
			}
		}
		return o.out
	}
	list, readme, manual := page(), read(t, "..", "README.md"), read(t, "..", "benchmarks", "doc.go")
	for _, name := range probe.Names() {
		if !strings.Contains(list, "\n  "+name+" ") && !strings.HasPrefix(list, "  "+name+" ") || !strings.Contains(readme, "`"+name+"`") || !strings.Contains(manual, "//	"+name+" ") {
			t.Errorf("the list, the README or benchmarks/doc.go lacks %s", name)
		}
		in, _ := probe.Lookup(name)
		one := page(name)
		for _, c := range in.Columns {
			if !strings.Contains(one, "\n  "+c.Key+" ") {
				t.Errorf("probes %s lacks %s:\n%s", name, c.Key, one)
			}
		}
	}
	for _, c := range [][2]string{{"probes undo-ration", `did you mean "undo-ratio"?`}, {"probes all", "name one"}, {"probes a b", "takes one name, and got 2"},
		{"train --probe undo", `--probe: unknown probe "undo"`}, {"compare --probe=", `--probe: unknown probe ""`}, {"compare --probe undo-ratio,smothness", `did you mean "smoothness"?`}} {
		o := call(t, strings.Fields(c[0])...)
		want(t, o, 2)
		if msg := o.message(t); !strings.Contains(msg, c[1]) {
			t.Errorf("%s: %s", c[0], msg)
		}
	}
	if o := call(t, "__complete", "compare", "--probe", "norms,und"); !strings.Contains(o.out, "norms,undo-ratio\n") {
		t.Errorf("completion gives %s", o.out)
	}
}

// A run with instruments keeps what they saw, says which they were, and shows them, also when
// the page is written anew.
func TestProbedRun(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	dir := filepath.Join(t.TempDir(), "run")
	want(t, call(t, with(dir, "train", "--norm", "center:naive", "--probe", "undo-ratio,loss-variation")...), 0)
	for line := range strings.Lines(read(t, dir, "metrics.jsonl")) {
		var p struct{ Probes map[string][]*float64 }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"undo_ratio", "loss_variation", "loss_variation_lo", "loss_variation_held_hi"} {
			if v := p.Probes[key]; len(v) == 0 || slices.Contains(v, nil) {
				t.Errorf("%s is missing in %s", key, line)
			}
		}
	}
	page := read(t, dir, "report.html")
	for _, text := range []string{"<h2>Instruments</h2>", "What a refresh of statistics undoes of a step", "Layer 1: undo ratio", "loss along the gradient", "--probe=undo-ratio,loss-variation"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if config := read(t, dir, "config.yaml"); !strings.Contains(config, "probe: [undo-ratio, loss-variation]") {
		t.Errorf("%s", config)
	}
	want(t, call(t, "report", dir), 0)
	if again := read(t, dir, "report.html"); again != page {
		t.Error("the page that report writes is another")
	}
}
