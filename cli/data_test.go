package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// data fetch offers only data sets that can be fetched.
func TestFetchOffersWhatCanBeFetched(t *testing.T) {
	got := call(t, "data", "fetch", "cifar", "--data-dir", t.TempDir())
	want(t, got, exitUsage)
	if m := got.message(t); !strings.HasSuffix(m, `unknown data set "cifar": choose one of mnist, fashion`) {
		t.Errorf("message %q", m)
	}
	if got := call(t, "data", "fetch", "--help"); !strings.Contains(got.out, "driftless data fetch mnist|fashion [flags]") {
		t.Errorf("the help is\n%s", got.out)
	}
}

// The shell completes data sets where they can be given.
func TestCompletion(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"data fetch ", "mnist fashion"},
		{"data fetch f", "fashion"},
		{"train --data ", "mnist fashion synthetic"},
		{"compare --data ", "mnist fashion synthetic"},
		{"eval --data ", "mnist fashion synthetic"},
	} {
		got := call(t, append([]string{"__complete"}, strings.Split(c.line, " ")...)...)
		want(t, got, exitDone)
		var offered []string
		for _, line := range strings.Fields(got.out) {
			if !strings.HasPrefix(line, ":") { // the directive
				offered = append(offered, line)
			}
		}
		if strings.Join(offered, " ") != c.want {
			t.Errorf("%q is completed by %q, want %q", c.line, offered, c.want)
		}
	}
}

// Without a home the program has no data directory of its own; the synthetic set
// needs none.
func TestNoHome(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData", "home"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "run")
	got := call(t, "train", "--data", "synthetic", "--hidden", "8", "--steps", "2", "--device", "cpu", "--out", out)
	want(t, got, exitDone)
	for _, args := range []string{"train --data mnist --out " + out + "2", "data fetch mnist"} {
		got := call(t, strings.Fields(args)...)
		want(t, got, exitFailed)
		if m := got.message(t); !strings.Contains(m, "--data-dir") {
			t.Errorf("%s: message %q does not name --data-dir", args, m)
		}
	}
}
