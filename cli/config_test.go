package cli

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var timing = regexp.MustCompile(`,?"seconds":[^,}]*`)

// TestConfigRunsAgain: config.yaml of a run trains the same again, and flags come before it.
func TestConfigRunsAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	base := t.TempDir()
	first, again := filepath.Join(base, "first"), filepath.Join(base, "again")
	want(t, call(t, with(first, "compare", "--seeds", "2", "--eps", "0.25", "--norms", "none:batch=10,batchnorm:optimizer=adam:lr=0.01,standardize:naive")...), exitDone)
	config := filepath.Join(first, "config.yaml")
	run := func(dir string, args ...string) output {
		return call(t, append([]string{args[0], "--config", config, "--data-dir", dataDirOfTests, "--out", filepath.Join(base, dir)}, args[1:]...)...)
	}
	want(t, run("again", "compare"), exitDone)
	a, b := timing.ReplaceAllString(read(t, first, "metrics.jsonl"), ""), timing.ReplaceAllString(read(t, again, "metrics.jsonl"), "")
	if a != b || len(strings.Split(a, "\n")) < 10 {
		t.Errorf("run again it measures\n%s\nand first\n%s", b, a)
	}

	// Flags, also those of a setting that the arms in the file give.
	want(t, run("flags", "compare", "--lr", "0.3", "--eps", "0.125", "--seeds", "1", "--hidden", "9", "--probe", "norms"), exitDone)
	got := read(t, base, "flags", "config.yaml")
	for _, w := range []string{"lr: 0.3\n", "seeds: 1\n", "hidden: [9]\n", "probe: [norms]\n", "eps: 0.125\n", "arm: batchnorm:eps=0.125:optimizer=adam:lr=0.01\n", "batch: 20\n", "command: driftless compare --config="} {
		if !strings.Contains(got, w) {
			t.Errorf("config.yaml lacks %q:\n%s", w, got)
		}
	}
	if strings.Contains(got, "0.25") {
		t.Errorf("the file's eps comes before the flag's:\n%s", got)
	}
	want(t, run("affine", "compare", "--affine"), exitDone)
	if got := read(t, base, "affine", "config.yaml"); !strings.Contains(got, "arm: standardize:naive:affine:eps=0.25\n") {
		t.Errorf("--affine does not reach the arms of the file:\n%s", got)
	}

	// train takes one arm with one seed.
	o := run("train", "train")
	want(t, o, exitUsage)
	if m := o.message(t); !strings.Contains(m, "has 3 arms with 2 seeds, and train takes one of each") {
		t.Errorf("message %q", m)
	}
	want(t, run("train", "train", "--norm", "batchnorm"), exitDone)
	want(t, run("train again", "train", "--config", filepath.Join(base, "train", "config.yaml")), exitDone)
	if a, b := read(t, base, "train", "weights.safetensors"), read(t, base, "train again", "weights.safetensors"); a != b {
		t.Error("trained again, the weights are others")
	}
}

// TestOptimizerFlags: the constants of the optimizer reach the training, and what cannot be is
// wrong usage.
func TestOptimizerFlags(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	want(t, call(t, with(dir, "train", "--optimizer", "momentum", "--momentum", "0.5", "--nesterov", "--weight-decay", "0.001")...), exitDone)
	if got := read(t, dir, "config.yaml"); !strings.Contains(got, "momentum: 0.5\nnesterov: true\nweight-decay: 0.001\n") {
		t.Errorf("config.yaml:\n%s", got)
	}
	for _, c := range []struct{ want, flag, value string }{
		{"--momentum: sgd has no momentum (0.5 given): the optimizer momentum has", "--momentum", "0.5"},
		{`--beta1 "x" is not a number`, "--beta1", "x"},
		{"--weight-decay: weight decay -1 is not a finite number from 0 on", "--weight-decay", "-1"},
		{"cannot read nowhere.yaml", "--config", "nowhere.yaml"},
	} {
		o := call(t, with(filepath.Join(t.TempDir(), "run"), "train", c.flag, c.value)...)
		if o.code == exitDone || !strings.Contains(o.message(t), c.want) {
			t.Errorf("%s %s: %d, %s", c.flag, c.value, o.code, o.err)
		}
	}
}
