package cli

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A flag that changes nothing gives a message that says so.
func TestFlagsThatChangeNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	for _, c := range []struct {
		args string
		idle []string
	}{
		{"train --norm none --eps 0.1", []string{"--eps changes nothing here: not used by none"}},
		{"train --norm none --affine --grad naive --stats full --alpha 0.5 --interval 3", []string{"--affine", "--grad", "--stats", "--alpha", "--interval"}},
		{"train --norm batchnorm --eps 0.1 --affine=false", nil},
		{"train --norm batchnorm --stats full", []string{"--stats changes nothing here: not used by batchnorm"}},
		{"train --norm center:naive --eps 0.1", []string{"--eps"}},
		{"train --norm center:naive --stats ema --alpha 0.5 --interval 3", nil},
		{"train --norm center:naive --alpha 0.5", []string{"--alpha"}},
		{"train --norm ngsgd --alpha 0.5", []string{"--alpha"}}, // it has one of its own
		{"train --norm center:naive --grad naive", []string{"--grad"}},
		{"train --norm center --grad naive", nil},
		{"train --norm whiten:naive --hidden 16 --eps 0.1 --interval 5 --stats full", nil},
		{"compare --norms none,batchnorm --eps 0.1 --interval 3", []string{"--interval changes nothing here: not used by none, batchnorm"}},
		{"train --data synthetic --data-dir .", []string{"--data-dir changes nothing here"}},
	} {
		args := strings.Fields(c.args)
		got := call(t, with(filepath.Join(t.TempDir(), "run"), args...)...)
		want(t, got, exitDone)
		var idle []string
		for line := range strings.Lines(got.err) {
			if strings.Contains(line, "changes nothing here") {
				idle = append(idle, strings.TrimSpace(line))
			}
		}
		if len(idle) != len(c.idle) {
			t.Errorf("%s: %q, want %q", c.args, idle, c.idle)
			continue
		}
		for _, w := range c.idle {
			if !slices.ContainsFunc(idle, func(s string) bool { return strings.HasPrefix(s, w) }) {
				t.Errorf("%s: %q lacks %q", c.args, idle, w)
			}
		}
	}
}

// An interval of statistics that is longer than the run does not make its timing longer.
func TestIntervalLongerThanTheRun(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	for _, interval := range []string{"100000", "9223372036854775807"} {
		want(t, call(t, with(filepath.Join(t.TempDir(), "run"), "train", "--norm", "center:naive", "--interval", interval)...), exitDone)
	}
}

func TestFlagCompletion(t *testing.T) {
	for args, values := range map[string]string{
		"train --norm ":             "none center:naive center:graph standardize:naive batchnorm",
		"compare --norms none,":     "none,center:naive none,batchnorm",
		"train --data ":             "mnist fashion synthetic",
		"train --device ":           "auto cpu cuda virtual",
		"train --optimizer ":        "sgd momentum adam adamw",
		"train --activation ":       "sigmoid relu tanh",
		"train --stats ":            "batch ema full",
		"train --grad ":             "naive graph",
		"eval weights --data ":      "mnist fashion synthetic",
		"drift --device ":           "auto cpu",
		"eval weights --device cpu": "",
	} {
		got := call(t, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		want(t, got, exitDone)
		lines := strings.Split(got.out, "\n")
		for _, v := range strings.Fields(values) {
			if !slices.Contains(lines, v) {
				t.Errorf("%q completes to %q, which lacks %q", args, lines, v)
			}
		}
	}
}

// A quoted word is one word to the shell, with the same bytes.
func TestShellWord(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not here")
	}
	for _, s := range []string{"--lr=0.1", "", "a b", "it's", `a\b"c$d` + "`e`", "a;rm -rf *", "new\nline", "esc\x1b[31m", "bad\xff\xfeutf8", "tab\t'quoted'", "ü ∂", "-n"} {
		word := shellWord(s)
		out, err := exec.Command(bash, "-c", "printf %s "+word).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q quoted as %s is %q to the shell, %v", s, word, out, err)
		}
		if !utf8.ValidString(word) || strings.ContainsAny(word, "\x1b\n") {
			t.Errorf("%q is quoted as %q", s, word)
		}
	}
}

// Progress lines fit 80 columns, also where no terminal is written to.
func TestProgressFitsATerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	got := call(t, with(filepath.Join(t.TempDir(), "run"), "compare", "--norms", "none,standardize:naive:affine", "--steps", "2000", "--eval-every", "1000")...)
	want(t, got, exitDone)
	for line := range strings.Lines(got.err) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for line := range strings.Lines(got.out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 && !strings.HasPrefix(line, "report: ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	line := progressLine("standardize:naive:affine", 99_999_000, 100_000_000, "loss 0.1234  acc 0.987", "123456 steps/s", "ETA 12h34m56s")
	if n := utf8.RuneCountInString(line); n > 80 || !strings.Contains(line, "acc 0.987") {
		t.Errorf("%d columns: %s", n, line)
	}
}
