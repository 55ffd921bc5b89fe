package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"driftless/engine/checkpoint"
	"driftless/internal/report"
)

// killsVariable is how many SIGKILLs TestKill gives to the runs of a device together.
const killsVariable = "DRIFTLESS_KILLS"

// A train and a compare that are killed at any moments, and go on after each, come to the bits of
// runs that are left alone, and lose no more than the interval between checkpoints.
func TestKill(t *testing.T) {
	kills := 10
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, device := range killDevices {
		if testing.Short() && device.name == "cpu" {
			t.Skip("other tests train by the same code")
		}
		for _, command := range []string{"train", "compare"} {
			t.Run(device.name+"/"+command, func(t *testing.T) { killed(t, command, device, kills/2) })
		}
	}
}

// killDevice is a device, with the steps on it that take about as long as a process lives, and
// those between evaluations and checkpoints.
type killDevice struct {
	name              string
	steps, eval, keep int
}

var killDevices = []killDevice{{"cpu", 800, 20, 50}}

func killed(t *testing.T, command string, d killDevice, kills int) {
	arms := map[string][]string{"train": {"--norm", "batchnorm"}, "compare": {"--norms", "none,center:naive:interval=3", "--seeds", "2"}}[command]
	args := append([]string{command, "--device", d.name, "--steps", fmt.Sprint(d.steps * kills), "--eval-every", fmt.Sprint(d.eval), "--checkpoint-every", fmt.Sprint(d.keep)}, arms...)
	alone, begin := filepath.Join(t.TempDir(), "alone"), time.Now()
	if out, err := process(t, with(alone, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	dir := filepath.Join(t.TempDir(), "killed")
	cmd, life := process(t, with(dir, args...)...), time.Since(begin)/time.Duration(kills)
	reached := map[string]int{}
	for n := 0; ; n++ {
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var err error
		if n < kills {
			await(t, filepath.Join(dir, "config.yaml"))
			time.Sleep(rand.N(life))
			_ = cmd.Process.Kill() // it may have ended
		}
		if err = cmd.Wait(); n < kills && err == nil { // the machine has become faster
			if n == 0 {
				t.Fatal("the run came to its end before the first kill")
			}
			t.Logf("the run came to its end after %d kills", n)
			kills = n
		}
		for _, m := range goesOn.FindAllStringSubmatch(said.String(), -1) {
			if from, _ := strconv.Atoi(m[2]); from < reached[m[1]]-d.keep {
				t.Errorf("kill %d came after step %d of %s, and it goes on from step %d", n, reached[m[1]], m[1], from)
			}
		}
		if n == kills {
			if err != nil {
				t.Fatalf("after %d kills: %v\n%s", n, err, said.String())
			}
			break
		}
		reached = lastSteps(t, dir)
		cmd = process(t, command, "--resume", dir, "--device", d.name, "--data-dir", dataDirOfTests)
	}
	if got, want := untimed(read(t, dir, "metrics.jsonl")), untimed(read(t, alone, "metrics.jsonl")); got != want {
		t.Errorf("metrics.jsonl has %d lines and is another, want %d lines", strings.Count(got, "\n"), strings.Count(want, "\n"))
	}
	files := slices.DeleteFunc(names(t, alone), func(name string) bool { return name == "checkpoints" })
	for _, name := range files {
		if name == "weights.safetensors" && read(t, dir, name) != read(t, alone, name) {
			t.Error("the weights are others")
		}
	}
	if got := slices.DeleteFunc(names(t, dir), func(name string) bool { return name == "checkpoints" }); !slices.Equal(got, files) {
		t.Errorf("the run directory holds %v, want %v", got, files)
	}
	kept := filepath.Join(alone, "checkpoints")
	if got := names(t, filepath.Join(dir, "checkpoints")); len(got) == 0 || !slices.Equal(got, names(t, kept)) {
		t.Errorf("the checkpoints are %v, want %v", got, names(t, kept))
	}
	for _, name := range names(t, kept) {
		if a, b := bare(t, filepath.Join(dir, "checkpoints", name)), bare(t, filepath.Join(kept, name)); a != b {
			t.Errorf("%s is another", name)
		}
	}
}

// goesOn is what a run that is resumed says of an arm.
var goesOn = regexp.MustCompile(`(?m)^(\S+) +goes on from step (\d+)$`)

// lastSteps are the steps of the last evaluations in metrics.jsonl, by arm.
func lastSteps(t *testing.T, dir string) map[string]int {
	t.Helper()
	out := map[string]int{}
	if missing(filepath.Join(dir, "metrics.jsonl")) {
		return out
	}
	for line := range strings.Lines(read(t, dir, "metrics.jsonl")) {
		var p report.Point
		if json.Unmarshal([]byte(line), &p) == nil { // the last may be torn
			out[p.Arm] = max(out[p.Arm], p.Step)
		}
	}
	return out
}

var seconds = regexp.MustCompile(`"seconds":[^,}]*`)

func untimed(metrics string) string { return seconds.ReplaceAllString(metrics, "") }

// bare is a checkpoint's state, without its note, which holds times.
func bare(t *testing.T, path string) string {
	t.Helper()
	ts, _, err := checkpoint.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	ts = slices.DeleteFunc(ts, func(x checkpoint.Tensor) bool { _, text := x.Data.([]byte); return text })
	return fmt.Sprint(ts)
}

// What says what is trained, or where, cannot be given to a run that goes on; and there must be
// one.
func TestResumeUsage(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	dir := filepath.Join(t.TempDir(), "run")
	want(t, call(t, with(dir, "compare", "--norms", "none,batchnorm", "--seeds", "1")...), exitDone)
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"compare", "--resume", dir, "--lr", "0.2"}, exitUsage, "--lr cannot be given with --resume: " + dir},
		{[]string{"compare", "--resume", dir, "--out", "x"}, exitUsage, "--out cannot be given with --resume"},
		{[]string{"compare", "--resume", dir, "--config", "x"}, exitUsage, "--config cannot be given with --resume"},
		{[]string{"compare", "--resume", dir, "--preset", "blowup"}, exitUsage, "--resume"},
		{[]string{"train", "--resume", dir}, exitUsage, dir + " is a run of driftless compare: go on with driftless compare --resume " + dir},
		{[]string{"train", "--resume", filepath.Join(dir, "none")}, exitFailed, "cannot open run directory"},
		{[]string{"train", "--resume", empty}, exitFailed, filepath.Join(empty, "config.yaml")},
		{[]string{"train", "--checkpoint-every", "-1"}, exitUsage, "--checkpoint-every -1 is outside"},
	} {
		got := call(t, c.args...)
		want(t, got, c.code)
		if m := got.message(t); !strings.Contains(m, c.says) {
			t.Errorf("%v: %q, want %q", c.args, m, c.says)
		}
	}
	before := read(t, dir, "metrics.jsonl")
	want(t, call(t, "compare", "--resume", dir, "--data-dir", dataDirOfTests, "--live=300.1.1.1:5"), exitUsage)
	if read(t, dir, "metrics.jsonl") != before {
		t.Error("a call that cannot work changes the run")
	}
	got := call(t, "compare", "--resume", dir, "--data-dir", dataDirOfTests)
	want(t, got, exitDone)
	if !strings.Contains(got.err, "has come to its end") || read(t, dir, "metrics.jsonl") != before {
		t.Errorf("of a run that is complete it says %q", got.err)
	}

	config := read(t, dir, "config.yaml")
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(strings.Replace(config, "steps: 20", "steps: 40", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	got = call(t, "compare", "--resume", dir, "--data-dir", dataDirOfTests)
	want(t, got, exitFailed)
	if m := got.message(t); !strings.Contains(m, `("steps: 20", now "steps: 40")`) {
		t.Errorf("of a run whose configuration was changed it says %q", m)
	}
	if err := os.RemoveAll(filepath.Join(dir, "checkpoints")); err != nil {
		t.Fatal(err)
	}
	got = call(t, "compare", "--resume", dir, "--data-dir", dataDirOfTests)
	want(t, got, exitUsage)
	if m := got.message(t); !strings.Contains(m, dir+" has no checkpoints") || read(t, dir, "metrics.jsonl") != before {
		t.Errorf("of a run without checkpoints it says %q", m)
	}
}
