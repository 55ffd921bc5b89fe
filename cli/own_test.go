package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// table is a CSV of n rows of two features, which tell three classes apart.
func table(n int) []byte {
	var b strings.Builder
	b.WriteString("a,label,b\n")
	for i := range n {
		fmt.Fprintf(&b, "%d.%d,%d,%d\n", i%3, i%7, i%3, -2*(i%3))
	}
	return []byte(b.String())
}

// inFolder puts data of one's own into a new folder, and goes there.
func inFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "iris.csv", table(210))
	write(t, "test.csv", table(30))
}

func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
}

// Every command that takes data takes one's own, and weights know theirs by the path.
func TestOwnData(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	inFolder(t)
	const data = "iris.csv,test.csv"
	got := call(t, "train", "--data", data, "--steps", "200", "--eval-every", "100", "--lr", "0.5", "--binarize", "--data-dir", "x")
	want(t, got, exitDone)
	narrow(t, got.out)
	for _, part := range []string{data + " (float features as they are; 210 + 30 rows); 2-100-100-100-3 sigmoid"} {
		if text := strings.Join(strings.Fields(got.out), " "); !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
	for _, part := range []string{"--binarize changes nothing here: float features", "--data-dir changes nothing here: --data is a path"} {
		if !strings.Contains(got.err, part) {
			t.Errorf("%q lacks %q", got.err, part)
		}
	}
	run := filepath.Join("runs", "train-iris-batchnorm-lr0.5")
	if config := read(t, run, "config.yaml"); !strings.HasPrefix(config, "data: "+data+"\nbinarize: false\n") {
		t.Errorf("config.yaml is\n%s", config)
	}

	got = call(t, "eval", run, "--predictions", "p.csv")
	want(t, got, exitDone)
	narrow(t, got.out)
	if !strings.Contains(got.out, "test accuracy 1.0000") || !strings.HasPrefix(read(t, "p.csv"), "row,label,prediction,logit0,logit1,logit2\n0,0,0,") {
		t.Errorf("%s\n%s", got.out, read(t, "p.csv"))
	}
	want(t, call(t, "eval", run, "--data", "./iris.csv,./test.csv"), exitDone)
	if err := os.Remove("test.csv"); err != nil {
		t.Fatal(err)
	}
	got = call(t, "eval", run)
	want(t, got, exitFailed)
	if m := got.message(t); !strings.Contains(m, "test.csv: file does not exist") || !strings.Contains(m, "name the data with --data") {
		t.Errorf("%q", m)
	}
	write(t, "test.csv", table(30))

	for _, args := range [][]string{
		{"compare", "--norms", "none,batchnorm", "--seeds", "1", "--steps", "20", "--net", "2-8-3"},
		{"compare", "--preset", "demo", "--steps", "10", "--seeds", "1"},
		{"audit", "--norms", "center:naive", "--steps", "5", "--hidden", "8"},
	} {
		got := call(t, append(args, "--data", data)...)
		want(t, got, exitDone)
		narrow(t, got.out)
		if !strings.Contains(got.out, data) {
			t.Errorf("%v: %s", args, got.out)
		}
	}
}

// What is wrong with data of one's own ends a command before it leaves a directory.
func TestOwnDataRefused(t *testing.T) {
	inFolder(t)
	write(t, "bad.csv", []byte("a,label,b\n1,0,x\n"))
	for _, c := range []struct {
		data, net string
		code      int
		want      string
	}{
		{"iris.csv,none.csv", "2-8-3", exitFailed, "none.csv: file does not exist: check the path"},
		{"iris.csv,bad.csv", "2-8-3", exitFailed, `bad.csv: line 2, column 3 (b): "x" is not a number`},
		{"iris.csv", "2-8-3", exitUsage, `"iris.csv" is not two CSV files`},
		{"./none", "2-8-3", exitFailed, "./none: file does not exist: give a folder of IDX files"},
		{"iris", "2-8-3", exitUsage, `unknown data set "iris": choose one of mnist, fashion, synthetic, or files of your own`},
		{"iris.csv,test.csv", "3-8-3", exitUsage, "--net 3-8-3 takes 3 inputs, and the data have 2 features"},
		{"iris.csv,test.csv", "2-8-4", exitUsage, "--net 2-8-4 gives 4 classes, and the data have 3"},
		{"iris.csv,test.csv", "lenet", exitUsage, "images of 1×2 do not do for layer conv1"},
	} {
		got := call(t, "train", "--data", c.data, "--net", c.net, "--steps", "1")
		want(t, got, c.code)
		if m := got.message(t); !strings.Contains(m, c.want) {
			t.Errorf("%q lacks %q", m, c.want)
		}
		if !missing("runs") {
			t.Errorf("%s: a run directory was left behind", c.want)
		}
	}
}
