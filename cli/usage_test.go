package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Bad input gives one sentence on standard error, exit code 2, and leaves no
// directory behind.
func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		args string // --out is added to commands that have it
		want string // part of the message
	}{
		{"trian", `unknown command "trian" (did you mean "train"?): driftless has audit, compare, data, drift, env, eval, export, licences, norms, paper, probes, report, table, train, view`},
		{"version", `unknown command "version": driftless has`},
		{"help trian", `unknown command "trian" (did you mean "train"?)`},
		{"data fecth mnist", `unknown command "fecth" (did you mean "fetch"?): driftless data has fetch`},
		{"data fetch", "driftless data fetch needs one argument, the name of a data set, and got 0"},
		{"data fetch mnits", `unknown data set "mnits": choose one of mnist, fashion`},
		{"data fetch synthetic", "use --data synthetic"},
		{"data fetch mnist fashion", "needs one argument, the name of a data set, and got 2"},
		{"eval", "driftless eval needs one argument, the path of a weights file or of a run directory, and got 0"},
		{"eval w --data mnits", `unknown data set "mnits": choose one of mnist, fashion, synthetic`},
		{"drift extra", `driftless drift takes no arguments but flags, and got "extra"`},
		{"licences MIT", `driftless licences takes no arguments but flags, and got "MIT"`},
		{"drift --device x", `--device "x" is not available`},
		{"drift --explain --json", "leave out --json"},
		{"audit --explain --json", "leave out --json"},
		{"audit extra", `driftless audit takes no arguments but flags, and got "extra"`},
		{"audit --steps -1", "--steps -1 is outside"},
		{"audit --data synthetic --batch 100000", "is larger than the training set"},
		{"audit --norms batchnrom", `unknown norm "batchnrom" (did you mean "batchnorm"?)`},
		{"train --data synthetic --precision fp16", `--precision: precision "fp16" is none of float32, tf32, bf16`},
		{"eval w --precision fp16", `--precision: precision "fp16" is none of float32, tf32, bf16`},
		{"train --data synthetic --device cpu --precision tf32", "products in tf32 (--precision) need a CUDA device of compute capability 8.0 or later, and --device cpu is cpu/"},
		{"compare --data synthetic --device cpu --precision bf16", "products in bf16 (--precision) need a CUDA device"},
		{"compare --preset demo --precision tf32", "--precision is fixed by --preset demo"},
		{"train batchnorm", `driftless train takes no arguments but flags, and got "batchnorm"`},
		{"train --nope", "unknown flag: --nope: see driftless train --help"},
		{"train --steps", "flag needs an argument: --steps"},
		{"train --data mnits", `unknown data set "mnits": choose one of mnist, fashion, synthetic`},
		{"train --norm batchnrom", `unknown norm "batchnrom" (did you mean "batchnorm"?): choose one of none, center, standardize, whiten, `},
		{"train --norm xyz", `unknown norm "xyz": choose one of none, center, standardize, whiten, `},
		{"train --norm=", `unknown norm "": choose one of none`},
		{"train --norm center:foo", `"foo" is none of naive, graph, affine, noaffine`},
		{"train --norm batchnorm:naive", "use standardize:naive:affine"},
		{"train --seed 9223372036854775807 --steps 1 --lr 0", "learning rate 0"},
		{"compare --seed 9223372036854775806 --seeds 3", "--seed 9223372036854775806 with 3 seeds goes past the largest whole number"},
		{"train --norm center:graph --batch 1", "center:graph needs a batch of at least 2 rows"},
		{"report", "driftless report needs a run directory or several, and got none"},
		{"report a b a/", "a/ is named twice: name each run directory once"},
		{"view", "driftless view needs a run directory or several, and got none"},
		{"train --live=8080", `--live: "8080" is no address to serve on: give a host and a port, such as 127.0.0.1:8080`},
		{"train --live=127.0.0.1:99999", "--live: cannot serve on 127.0.0.1:99999"},
		{"compare --preset demo --live", "--live is fixed by --preset demo: leave one of them out"},
		{"train --net lenet --hidden 8", "--net and --hidden both say what the network is"},
		{"train --net lenett", `--net "lenett" is none: give lenet, lenet:average, channels such as cnn:32,64 or layer sizes`},
		{"train --net cnn:32,x", `--net "cnn:32,x": "x" is not a positive number of channels`},
		{"train --net cnn:4,4,4,4,4", "images of 28×28 do not do for layer conv5, which pools 2×2 of their 1×1 positions"},
		{"train --net 100-10-10", "--net 100-10-10 takes 100 inputs, and the images have 784 pixels"},
		{"train --net 784-10-9", "--net 784-10-9 gives 9 classes, and the data have 10"},
		{"train --net 784-10", "--net 784-10 has no hidden layer"},
		{"train --net lenet --norm raiko", "raiko links every layer to all before it, which convolution layers cannot be"},
		{"train --norm none --affine --norm none:affine", "none has no gamma and beta"},
		{"train --grad foo", `--grad "foo" is neither naive nor graph`},
		{"train --stats foo", `--stats "foo" is unknown: choose batch, ema, sample or full`},
		{"train --alpha 2", "--alpha 2 is outside (0, 1]"},
		{"train --alpha NaN", "--alpha NaN is outside (0, 1]"},
		{"train --eps -1", "--eps -1 is not a number of at least 0"},
		{"train --eps NaN", "--eps NaN is not a number of at least 0"},
		{"train --eps Inf", "eps +Inf is not a number of at least 0"},
		{"train --interval 0", "--interval 0 is not a positive number of steps"},
		{"train --lr NaN", "learning rate NaN is not a positive finite number"},
		{"train --lr -0.1", "learning rate -0.1 is not a positive finite number"},
		{"train --lr 0", "learning rate 0 is not a positive finite number"},
		{"train --lr Inf", "learning rate +Inf is not a positive finite number"},
		{"train --lr fast", `--lr "fast" is not a number`},
		{"train --steps 1.5", `--steps "1.5" is not a whole number`},
		{"train --steps 99999999999999999999", `--steps "99999999999999999999" is not a whole number in range`},
		{"train --steps 0", "--steps 0 is outside 1 …"},
		{"train --steps -5", "--steps -5 is outside 1 …"},
		{"train --eval-every 0", "--eval-every 0 is outside 1 …"},
		{"train --batch 0", "--batch 0 is outside 1 …"},
		{"train --batch 100000", "--batch 100000 is larger than the training set of synthetic, which has 6000 images"},
		{"train --batch 1", "batchnorm needs a batch of at least 2 rows"},
		{"train --hidden 100,0", `--hidden "100,0": "0" is not a positive layer size`},
		{"train --hidden 100,-1", `"-1" is not a positive layer size`},
		{"train --hidden=", "is not a positive layer size"},
		{"train --hidden ten", `"ten" is not a positive layer size`},
		{"train --hidden 99999999", "layer size 99999999 is outside 1 …"},
		{"train --hidden 60000,60000", "more than the limit of"},
		{"compare --hidden 65536 --batch 6000", "more than the limit of"},
		{"train --hidden 9999999999999999999999", "is not a positive layer size"},
		{"train --activation swish", `unknown activation "swish": choose one of sigmoid, relu, tanh`},
		{"train --optimizer adm", `unknown optimizer "adm": choose one of sgd, momentum, adam`},
		{"train --init-sd NaN", "init-sd NaN is not a number of at least 0"},
		{"train --init-sd -1", "init-sd -1 is not a number of at least 0"},
		{"compare --norms none,none", `arm "none" is named twice`},
		{"compare --norms batchnorm,batchnorm:affine", `arm "batchnorm" is named twice`},
		{"compare --norms none,batchnrom", `did you mean "batchnorm"?`},
		{"compare --norms none,,center", `unknown norm ""`},
		{"compare --norms=", `unknown norm ""`},
		{"compare --seeds 0", "--seeds 0 is outside 1 …"},
		{"compare --seeds 9999", "--seeds 9999 is outside 1 …"},
		{"compare --hidden 4000,4000 --seeds 100", "6 arms with 100 seeds of a net 784-4000-4000-10 with batch 60 need"},
		{"compare --norms whiten:naive --hidden 600", "the statistics of layer norm1 (600 wide) need at least 1200 rows, and there are 1000"},
	} {
		t.Run(c.args, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			args := strings.Fields(c.args)
			if args[0] == "train" || args[0] == "compare" {
				args = append([]string{args[0], "--data", "synthetic", "--out", dir}, args[1:]...)
			}
			got := call(t, args...)
			want(t, got, exitUsage)
			if m := got.message(t); !strings.Contains(m, c.want) {
				t.Errorf("%q does not contain %q", m, c.want)
			} else if strings.Count(m, "driftless: ") > 1 || strings.Count(m, ": ") > 4 {
				t.Errorf("%q has more prefixes than it needs", m)
			}
			if got.out != "" {
				t.Errorf("standard output holds %q", got.out)
			}
			if !missing(dir) {
				t.Error("a run directory was left behind")
			}
		})
	}
}

// A directory that holds anything is left alone.
func TestOutIsNotEmpty(t *testing.T) {
	for _, command := range [][]string{with("", "train"), with("", "compare"), {"drift"}} {
		dir := t.TempDir()
		precious := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(precious, []byte("keep"), 0o644); err != nil {
			t.Fatal(err)
		}
		got := call(t, append(command, "--out", dir)...)
		want(t, got, exitUsage)
		if m := got.message(t); !strings.Contains(m, dir) || !strings.Contains(m, "nothing was overwritten") {
			t.Errorf("%s: %q", command[0], m)
		}
		if n := names(t, dir); len(n) != 1 || read(t, precious) != "keep" {
			t.Errorf("%s changed the directory: %v", command[0], n)
		}

		got = call(t, append(command, "--out", precious)...)
		want(t, got, exitFailed)
		if m := got.message(t); !strings.Contains(m, precious+" is a file") || read(t, precious) != "keep" {
			t.Errorf("%s: %q", command[0], m)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"", "--help", "help", "help train", "help data fetch", "data", "data --help", "data fetch --help", "drift --help", "compare --help", "train --help", "eval --help", "report --help", "licences --help", "env --help", "--version"} {
		got := call(t, strings.Fields(args)...)
		want(t, got, exitDone)
		if !strings.Contains(got.out, "Usage:") && args != "--version" || got.err != "" {
			t.Errorf("driftless %s prints %q and %q", args, got.out, got.err)
		}
		for _, line := range strings.Split(got.out, "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("driftless %s: %d columns: %s", args, utf8.RuneCountInString(line), line)
			}
		}
		if strings.Contains(got.out, "(default )") {
			t.Errorf("driftless %s shows an empty default", args)
		}
	}
}

// The program's help lists every exit code.
func TestHelpListsExitCodes(t *testing.T) {
	got := call(t, "help")
	words := strings.FieldsFunc(got.out, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, code := range []int{exitDone, exitFailed, exitUsage, exitFault, exitInterrupted} {
		if !slices.Contains(words, strconv.Itoa(code)) {
			t.Errorf("driftless help does not mention exit code %d:\n%s", code, got.out)
		}
	}
}
