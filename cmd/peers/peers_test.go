package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseLine(t *testing.T) {
	const step = "Step/net=paper/norm=none/input=dense"
	for _, c := range []struct {
		line string
		want sample
		ok   bool
	}{
		{"Benchmark" + step + "/impl=driftless/workers=2-2 \t 100\t 5e+05 ns/op\t 0 B/op", sample{what: step, impl: "driftless", threads: 2, ns: 5e5}, true},
		{"Benchmark" + step + "/impl=driftless/workers=2 100 12.5 ns/op", sample{what: step, impl: "driftless", threads: 2, ns: 12.5}, true},
		{"Benchmark" + step + "/impl=gorgonia-16 1 9 ns/op", sample{what: step, impl: "gorgonia", ns: 9}, true},
		{"Benchmark" + step + "/impl=pytorch-eager/threads=1\t7\t9 ns/op", sample{what: step, impl: "pytorch-eager", threads: 1, ns: 9}, true},
		{"Benchmark" + step + "/impl=jax-scan 7 3 steps/s 9 ns/op", sample{what: step, impl: "jax-scan", ns: 9}, true},
		{"BenchmarkCompare/net=paper/replicas=6/norm=none/impl=jax-processes/processes=2 7 9 ns/op",
			sample{what: "Compare/net=paper/replicas=6/norm=none", impl: "jax-processes", threads: 2, ns: 9}, true},
		{"BenchmarkGemm-2 7 9 ns/op", sample{}, false}, // no impl
		{"Benchmark" + step + "/impl=driftless-2", sample{}, false},
		{"Benchmark" + step + "/impl=driftless-2 7 9 steps/s", sample{}, false},
		{"Benchmark" + step + "/impl=driftless-2 7 NaN ns/op", sample{}, false},
		{"Benchmark" + step + "/impl=driftless/workers=all 7 9 ns/op", sample{}, false},
		{"peer: jax 0.10.2", sample{}, false},
		{"PASS", sample{}, false},
		{"", sample{}, false},
	} {
		got, ok := parseLine(c.line)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q: got %+v, %v, want %+v, %v", c.line, got, ok, c.want, c.ok)
		}
	}
}

// readLines parses the lines of a file; the n-th line of a name is of round n.
func readLines(t *testing.T, file string) (samples []sample) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rounds := map[sample]int{}
	for line := range strings.Lines(string(b)) {
		s, ok := parseLine(line)
		if !ok {
			continue
		}
		key := s
		key.ns = 0
		s.round = rounds[key]
		rounds[key]++
		samples = append(samples, s)
	}
	return samples
}

func TestRender(t *testing.T) {
	samples := readLines(t, filepath.Join("testdata", "lines.txt"))
	for _, c := range []struct {
		file string
		all  bool
	}{{"best.md", false}, {"all.md", true}} {
		got := render(samples, c.all)
		want, err := os.ReadFile(filepath.Join("testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.file, got, want)
		}
	}
}

func TestTableFits80Columns(t *testing.T) {
	var samples []sample
	for round, f := range []float64{1, 0.9, 1.2} {
		for _, impl := range []string{"driftless", "gorgonia", "pytorch-processes", "pytorch-compile4"} {
			ns := 1234e6 * f
			if impl != ours {
				ns *= 11 * f
			}
			samples = append(samples, sample{what: "Step/net=wide/norm=batchnorm/input=dense", impl: impl, threads: 16, ns: ns, round: round})
		}
	}
	for line := range strings.Lines(render(samples, true)) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestDigits(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want string
	}{{0.01234, "0.012"}, {0.9994, "0.999"}, {0.9996, "1.00"}, {9.994, "9.99"}, {9.996, "10.0"}, {99.96, "100"}, {1376.4, "1376"}} {
		if got := digits(c.x); got != c.want {
			t.Errorf("%v: got %s, want %s", c.x, got, c.want)
		}
	}
}

func TestFlops(t *testing.T) {
	if got, want := flops("paper"), 60.0*(4*78400+6*21000); got != want {
		t.Errorf("paper: got %v, want %v", got, want)
	}
	if got := flops("narrow"); got != 0 {
		t.Errorf("unknown net: got %v", got)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args   string
		rounds int
		nets   string
		check  bool
		ok     bool
	}{
		{"", 5, "paper wide lenet", true, true},
		{"-quick", 1, "paper", false, true},
		{"-quick -rounds 2 -nets wide", 2, "wide", false, true},
		{"-nets narrow", 0, "", false, false},
		{"-rounds 0", 0, "", false, false},
		{"-benchtime 0s", 0, "", false, false},
		{"paper", 0, "", false, false},
		{"-unknown", 0, "", false, false},
	} {
		o, err := parseFlags(strings.Fields(c.args), io.Discard)
		if (err == nil) != c.ok {
			t.Errorf("%q: error %v", c.args, err)
			continue
		}
		if c.ok && (o.rounds != c.rounds || strings.Join(o.nets, " ") != c.nets || o.check != c.check) {
			t.Errorf("%q: got %+v", c.args, o)
		}
	}
}

// TestRecorderKeepsWhatRan has a command end half way, by failing and by Ctrl-C.
func TestRecorderKeepsWhatRan(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no shell")
	}
	const line = "BenchmarkStep/net=paper/impl=jax-scan 7 9 ns/op"
	for _, c := range []struct{ name, then, message string }{
		{"fails", "echo why >&2; exit 3", "why"},
		{"interrupted", "exec sleep 60", "interrupt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			file := filepath.Join(t.TempDir(), "out.txt")
			if c.name == "interrupted" {
				go func() { // once the line is there
					for {
						if b, _ := os.ReadFile(file); len(b) > 0 || t.Context().Err() != nil {
							cancel()
							return
						}
						time.Sleep(5 * time.Millisecond)
					}
				}()
			}
			var rec recorder
			err := rec.run(ctx, 2, job{"jax", "", []string{"/bin/sh", "-c", "echo " + line + "; " + c.then}}, file)
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %v, want one with %q", err, c.message)
			}
			if want := (sample{what: "Step/net=paper", impl: "jax-scan", ns: 9, round: 2}); len(rec.samples) != 1 || rec.samples[0] != want {
				t.Errorf("got %+v, want %+v", rec.samples, want)
			}
			if b, _ := os.ReadFile(file); string(b) != line+"\n" {
				t.Errorf("file holds %q", b)
			}
		})
	}
}
