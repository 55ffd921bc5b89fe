package benchmarks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"driftless/dataset"
	"driftless/engine/checkpoint"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/internal/atomicfile"
	"driftless/internal/report"
	"driftless/models/norm"
)

// keptConfig is a short run of small networks that keeps checkpoints.
func keptConfig(arms ...string) Config {
	c := Defaults()
	c.Data, c.Norms, c.Hidden, c.Batch, c.Steps, c.EvalEvery, c.Seeds = "synthetic", arms, []int{40, 20}, 20, 45, 10, 2
	c.CheckpointEvery, c.Untimed = 7, true
	return c
}

func small(t *testing.T) *dataset.Set {
	t.Helper()
	s := dataset.Synthetic(1)
	s.Train, s.Test = s.Train.Slice(0, 300), s.Test.Slice(0, 100)
	return s
}

func experiment(t *testing.T, c Config, set *dataset.Set) *Experiment {
	t.Helper()
	e, err := New(context.Background(), c, set, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// states are the tensors of a folder's checkpoints by file, without the notes.
func states(t *testing.T, folder string) map[string][]checkpoint.Tensor {
	t.Helper()
	out := map[string][]checkpoint.Tensor{}
	files, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		ts, _, err := checkpoint.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ts {
			if _, text := x.Data.([]byte); !text {
				out[filepath.Base(f)] = append(out[filepath.Base(f)], x)
			}
		}
	}
	return out
}

// A run of every method, and of every optimizer, that is interrupted after some evaluation and
// goes on in another experiment comes to the bits of one that is not: its points, what its arms
// come to, and its last checkpoints.
func TestResume(t *testing.T) {
	set := small(t)
	var arms []string
	for _, m := range norm.Forms() {
		arms = append(arms, norm.String(m))
	}
	for _, o := range optim.Names() {
		arms = append(arms, "batchnorm:optimizer="+o)
	}
	if testing.Short() {
		arms = []string{"prong"}
	}
	arms = append(arms, "none:lr-schedule=cosine:warm-up=12:clip-norm=0.1", "batchnorm:lr-schedule=step:lr-every=20:optimizer=momentum")
	arms = append(arms, "batchnorm:eps=0.01:hidden=6", "none:lr=1e9") // which diverges
	c := keptConfig(arms...)
	whole := t.TempDir()
	want := experiment(t, c, set)
	if err := want.Keep(whole); err != nil {
		t.Fatal(err)
	}
	if err := want.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	points := []int{0, 30, 45}
	if testing.Short() {
		points = points[1:2]
	}
	for _, at := range points {
		folder := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		e := experiment(t, c, set)
		if err := e.Keep(folder); err != nil {
			t.Fatal(err)
		}
		err := e.Compare(ctx, Observer{Evaluated: func(_ *report.Run, _ string, step int, _ []report.Point) {
			if step == at {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after step %d: %v", at, err)
		}
		if !e.Run.Interrupted || !e.Kept() {
			t.Errorf("interrupted after step %d: it says interrupted %v, kept %v", at, e.Run.Interrupted, e.Kept())
		}
		e.Close()

		e = experiment(t, c, set)
		if err := e.Resume(folder); err != nil {
			t.Fatal(err)
		}
		if _, complete := e.Resumed(); complete {
			t.Fatal("nothing is left to do after an interrupt")
		}
		if err := e.Compare(context.Background(), Observer{}); err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("after an interrupt at step %d", at), e, want)
		got, all := states(t, folder), states(t, whole)
		if len(all) == 0 || len(got) != len(all) {
			t.Errorf("%d checkpoints, want %d", len(got), len(all))
		}
		for name := range all {
			if !strings.Contains(name, "-step45.") { // the one before may be of the interrupt
				continue
			}
			if !reflect.DeepEqual(got[name], all[name]) {
				t.Errorf("after an interrupt at step %d: %s is another", at, name)
			}
		}
		e.Close()

		// What has come to its end is not run again.
		e = experiment(t, c, set)
		if err := e.Resume(folder); err != nil {
			t.Fatal(err)
		}
		if _, complete := e.Resumed(); !complete {
			t.Error("something is left to do at the end")
		}
		if err := e.Compare(context.Background(), Observer{Evaluated: func(_ *report.Run, arm string, step int, _ []report.Point) {
			t.Errorf("%s is evaluated at step %d again", arm, step)
		}}); err != nil {
			t.Fatal(err)
		}
		same(t, "at the end", e, want)
	}
}

func same(t *testing.T, when string, got, want *Experiment) {
	t.Helper()
	var a, b bytes.Buffer
	for out, e := range map[*bytes.Buffer]*Experiment{&a: got, &b: want} {
		for _, p := range e.Run.Points {
			text, err := p.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(out, string(text))
		}
	}
	if a.String() != b.String() || a.Len() == 0 {
		t.Errorf("%s: the points are\n%s\nwant\n%s", when, a.String(), b.String())
	}
	for i := range want.Run.Arms {
		x, y := got.Run.Arms[i], want.Run.Arms[i]
		if !reflect.DeepEqual(x.DivergedAt, y.DivergedAt) || !reflect.DeepEqual(x.StoppedAt, y.StoppedAt) || fmt.Sprint(x.Reestimated) != fmt.Sprint(y.Reestimated) || x.Finding != y.Finding {
			t.Errorf("%s: arm %s is %+v, want %+v", when, x.Name, x, y)
		}
	}
	if got.Run.Interrupted {
		t.Errorf("%s: it says that it was interrupted", when)
	}
}

// Instruments see the same in a run that goes on.
func TestResumeWithProbes(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	set, c := small(t), keptConfig("batchnorm", "whiten:naive:interval=4")
	c.Probes, c.Steps, c.EvalEvery = []string{"all"}, 20, 5
	want := experiment(t, c, set)
	if err := want.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	e := experiment(t, c, set)
	if err := e.Keep(folder); err != nil {
		t.Fatal(err)
	}
	_ = e.Compare(ctx, Observer{Evaluated: func(*report.Run, string, int, []report.Point) { cancel() }}) // what it says TestResume knows
	e.Close()
	e = experiment(t, c, set)
	if err := e.Resume(folder); err != nil {
		t.Fatal(err)
	}
	if err := e.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	same(t, "with probes", e, want)
}

// What is not the experiment's own is refused, with the file's name; a broken checkpoint is passed
// over for the one before; and a folder has one experiment at a time.
func TestResumeRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	set, c := small(t), keptConfig("batchnorm")
	folder := t.TempDir()
	e := experiment(t, c, set)
	if err := e.Keep(folder); err != nil {
		t.Fatal(err)
	}
	if err := experiment(t, c, set).Resume(folder); err == nil || !strings.Contains(err.Error(), folder+" is in use") {
		t.Errorf("a folder in use: %v", err)
	}
	if err := e.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	e.Close()
	last := filepath.Join(folder, "arm1-step45.safetensors")
	other := small(t)
	other.Train.Images[3] ^= 1
	for what, f := range map[string]struct {
		c    Config
		set  *dataset.Set
		says string
	}{
		"other data":    {c, other, "on other data"},
		"another arm":   {with(c, func(c *Config) { c.Norms = []string{"none"} }), set, "its configuration is another"},
		"another seed":  {with(c, func(c *Config) { c.Seed = 9 }), set, "its configuration is another"},
		"another depth": {with(c, func(c *Config) { c.Hidden = []int{40} }), set, `("hidden: [40, 20]", now "hidden: [40]")`},
		"another rate":  {with(c, func(c *Config) { c.LR = 0.2 }), set, `("lr: 0.1", now "lr: 0.2")`},
	} {
		if err := experiment(t, f.c, f.set).Resume(folder); err == nil || !strings.Contains(err.Error(), f.says) || !strings.Contains(err.Error(), last) {
			t.Errorf("%s: %v, want %q", what, err, f.says)
		}
	}
	e = experiment(t, with(c, func(c *Config) { c.Device, c.CheckpointEvery = "cpu", 9 }), set) // which decide nothing
	if err := e.Resume(folder); err != nil {
		t.Error(err)
	}
	e.Close()

	data, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	e = experiment(t, c, set)
	if err := e.Resume(folder); err != nil {
		t.Fatal(err)
	}
	if steps, complete := e.Resumed(); steps["batchnorm"] != 42 || complete {
		t.Errorf("with a broken checkpoint of step 45 it goes on from %v", steps)
	}
	e.Close()
	if names := entries(t, folder); len(names) != 1 || names[0] != "arm1-step42.safetensors" {
		t.Errorf("beside the one that it goes on from there are %v", names)
	}
	harmed := slices.Clone(data) // one bit, anywhere behind the header
	harmed[len(harmed)-len(harmed)/3] ^= 4
	if err := os.WriteFile(last, harmed, 0o644); err != nil {
		t.Fatal(err)
	}
	e = experiment(t, c, set)
	if err := e.Resume(folder); err != nil {
		t.Fatal(err)
	}
	if steps, _ := e.Resumed(); steps["batchnorm"] != 42 || len(e.PassedOver()) != 1 || !strings.Contains(e.PassedOver()[0].Error(), last+" is damaged") {
		t.Errorf("with a damaged checkpoint of step 45 it goes on from %v, %v", steps, e.PassedOver())
	}
	e.Close()
	if err := os.Remove(filepath.Join(folder, "arm1-step42.safetensors")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := experiment(t, c, set).Resume(folder); err == nil || !strings.Contains(err.Error(), last) {
		t.Errorf("a broken checkpoint alone: %v", err)
	}
}

func with(c Config, change func(*Config)) Config {
	change(&c)
	return c
}

// Whichever call of the file system fails while a checkpoint is written, the old one or the new
// one is there, whole, and nothing else; the training goes on, and says at its end whether the
// last one is missing.
func TestCheckpointOnFailingDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine at a time")
	}
	set, c := small(t), keptConfig("batchnorm")
	c.Seeds, c.Steps, c.CheckpointEvery = 1, 4, 2
	broken := errors.New("the disk is on fire")
	calls := 1 << 30
	for n := 0; n < calls; n++ {
		folder := t.TempDir()
		e := experiment(t, c, set)
		if err := e.Keep(folder); err != nil {
			t.Fatal(err)
		}
		restore := atomicfile.FailAt(n, broken)
		err := e.Compare(context.Background(), Observer{})
		made := restore()
		if calls == 1<<30 {
			calls = made
			if calls < 14 { // create, writes, sync, close, rename and sync of the folder, of checkpoints of step 2, 4 and the end
				t.Fatalf("%d calls", calls)
			}
		}
		var k *KeepError
		if err != nil && (!errors.As(err, &k) || !errors.Is(err, broken)) {
			t.Fatalf("call %d: %v", n, err)
		}
		if len(e.Run.Points) != 2 || e.Run.Interrupted {
			t.Errorf("call %d: %d points", n, len(e.Run.Points))
		}
		e.Close()
		again := experiment(t, c, set)
		if err := again.Resume(folder); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		steps, complete := again.Resumed()
		if err == nil && (steps["batchnorm"] != 4 || !complete) || steps["batchnorm"]%2 != 0 {
			t.Errorf("call %d: after %v it goes on from %v, complete %v", n, err, steps, complete)
		}
		if err := again.Compare(context.Background(), Observer{}); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		same(t, fmt.Sprintf("call %d", n), again, e)
		again.Close()
		for _, f := range entries(t, folder) {
			if !checkpointName.MatchString(f) {
				t.Errorf("call %d: %s was left", n, f)
			}
		}
	}
}

// The best weights are kept or said to be lost, whichever call of the file system fails.
func TestBestWeightsOnFailingDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine at a time")
	}
	set, c := small(t), keptConfig("batchnorm:lr=0.5")
	c.Seeds, c.Steps, c.EvalEvery, c.CheckpointEvery, c.Validation = 1, 30, 10, 10, 60
	broken := errors.New("the disk is on fire")
	calls, lost := 1<<30, 0
	for n := 0; n < calls; n++ {
		folder := t.TempDir()
		e := experiment(t, c, set)
		if err := e.Keep(folder); err != nil {
			t.Fatal(err)
		}
		said := 0
		restore := atomicfile.FailAt(n, broken)
		out, err := e.Train(context.Background(), Observer{Unkept: func(string, error) { said++ }}, "")
		calls = min(calls, restore())
		if said != 1 && n < calls {
			t.Errorf("call %d: it says %d times that something could not be written", n, said)
		}
		step := weightsStep(filepath.Join(folder, bestName(1, c.Seed)))
		if best := out.Chosen.Steps[0]; err == nil && (step != best || out.BestWeights == nil) || step != best && out.BestWeights != nil {
			t.Errorf("call %d: the best weights are of step %d, in the file of step %d: %v, %v", n, best, step, out.BestWeights, err)
		}
		if err != nil {
			lost++
		}
		e.Close()
	}
	if lost == 0 {
		t.Error("nothing was lost")
	}
}

func entries(t *testing.T, folder string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// FuzzCheckpoint: whatever a checkpoint's file holds, Resume and the run after it end with an
// error that names it, or go on.
func FuzzCheckpoint(f *testing.F) {
	set := dataset.Synthetic(1)
	set.Train, set.Test = set.Train.Slice(0, 40), set.Test.Slice(0, 20)
	c := keptConfig("batchnorm")
	c.Hidden, c.Steps, c.CheckpointEvery, c.EvalEvery, c.Seeds = []int{2}, 6, 3, 2, 1
	run := func(t testing.TB, folder string) error {
		e, err := New(context.Background(), c, set, cpu.New())
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.Resume(folder); err != nil {
			return err
		}
		return e.Compare(context.Background(), Observer{})
	}
	folder := f.TempDir()
	if err := run(f, folder); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"arm1-step3.safetensors", "arm1-step6.safetensors"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		folder := t.TempDir()
		path := filepath.Join(folder, "arm1-step3.safetensors")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := run(t, folder); err != nil && !strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), "diverge") {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}
