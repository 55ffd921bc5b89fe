package benchmarks

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/internal/report"
)

// stopping is a run in which some seeds are stopped early.
func stopping() Config {
	c := keptConfig("batchnorm:lr=0.5", "none:lr=0.01", "none:lr=1e9")
	c.Validation, c.Patience, c.Steps, c.EvalEvery, c.Seeds, c.CheckpointEvery = 60, 3, 80, 10, 3, 15
	return c
}

// Rows of validation are the last of the training set and not trained on: a run on a set without
// them comes to the same but for what they are for.
func TestValidationRows(t *testing.T) {
	set := small(t)
	c := stopping()
	c.Patience = 0
	e := experiment(t, c, set)
	if err := e.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	less := *set
	less.Train = set.Train.Slice(0, 240)
	c.Validation = 0
	without := experiment(t, c, &less)
	if err := without.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	measured := *set // evaluated where the test rows are
	measured.Train, measured.Test = less.Train, set.Train.Slice(240, 300)
	on := experiment(t, c, &measured)
	if err := on.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	if len(e.Run.Points) == 0 || len(e.Run.Points) != len(without.Run.Points) {
		t.Fatalf("%d points, want %d", len(e.Run.Points), len(without.Run.Points))
	}
	for i, p := range e.Run.Points {
		v := p.Validation
		if v == nil {
			t.Fatalf("no validation at step %d", p.Step)
		}
		if p.Loss != without.Run.Points[i].Loss || p.TestLoss != without.Run.Points[i].TestLoss {
			t.Errorf("step %d: losses %v and %v, want %v and %v", p.Step, p.Loss, p.TestLoss, without.Run.Points[i].Loss, without.Run.Points[i].TestLoss)
		}
		if want := on.Run.Points[i]; v.Loss != want.TestLoss || v.Accuracy != want.TestAccuracy {
			t.Errorf("step %d: validation %+v, want %v and %v", p.Step, *v, want.TestLoss, want.TestAccuracy)
		}
	}
}

// A seed ends at the evaluation that its patience says, and has until then the points of one that
// is not stopped; the rest go on; the weights of its best evaluation are kept.
func TestEarlyStopping(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	set, c := small(t), stopping()
	folder := t.TempDir()
	e := experiment(t, c, set)
	if err := e.Keep(folder); err != nil {
		t.Fatal(err)
	}
	if err := e.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	c.Patience = 0
	on := experiment(t, c, set)
	if err := on.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	early := 0
	for i, a := range e.Run.Arms {
		for r, seed := range a.Seeds {
			of := func(e *Experiment) (out []report.Point) {
				for _, p := range e.points[i] {
					if p.Seed == seed {
						out = append(out, p)
					}
				}
				return out
			}
			got, all := of(e), of(on)
			end, best, since := len(all), -1.0, 0 // by hand
			for k, p := range all {
				if p.Step == 0 {
					continue
				}
				if since++; p.Validation.Accuracy > best {
					best, since = p.Validation.Accuracy, 0
				}
				if since == 3 && k+1 < len(all) {
					end = k + 1
					break
				}
			}
			at := a.StoppedAt[r]
			if a.DivergedAt[r] != nil {
				if at != nil {
					t.Errorf("%s, seed %d diverged and was stopped", a.Name, seed)
				}
				continue
			}
			if len(got) != end || (at != nil) != (end < len(all)) || at != nil && *at != got[end-1].Step {
				t.Errorf("%s, seed %d: %d evaluations, stopped at %v; want %d of %d", a.Name, seed, len(got), at, end, len(all))
			}
			if at != nil {
				early++
			}
			for k := range got {
				if got[k].Loss != all[k].Loss || got[k].TestLoss != all[k].TestLoss {
					t.Errorf("%s, seed %d, step %d: it is not the run that goes on", a.Name, seed, got[k].Step)
				}
			}
			w, err := OpenWeights(filepath.Join(folder, bestName(i+1, int64(seed))))
			if err != nil {
				t.Fatal(err)
			}
			out, err := w.Eval(context.Background(), set, cpu.New(), nil)
			if p := report.Chosen(got, seed); err != nil || out.Step != p.Step || float64(out.TestAccuracy) != p.TestAccuracy {
				t.Errorf("%s, seed %d: the best weights are %+v, %v; want those of step %d with %v", a.Name, seed, out, err, p.Step, p.TestAccuracy)
			}
			w.Close()
		}
		if a.DivergedAt[0] == nil && slices.Contains(a.StoppedAt, nil) == false && !strings.Contains(a.Finding, "stopped early") {
			t.Errorf("%s: %s", a.Name, a.Finding)
		}
		for r, x := range a.Reestimated {
			if y := on.Run.Arms[i].Reestimated[r]; a.DivergedAt[r] == nil && a.StoppedAt[r] == nil && x != y {
				t.Errorf("%s: re-estimated %v, want %v", a.Name, x, y)
			}
		}
	}
	if early == 0 || early == 6 {
		t.Errorf("%d of 6 seeds were stopped: the test needs some and some not", early)
	}

	// The same through an interrupt.
	c.Patience = 3
	for _, at := range []int{20, 60} {
		folder := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		cut := experiment(t, c, set)
		if err := cut.Keep(folder); err != nil {
			t.Fatal(err)
		}
		if err := cut.Compare(ctx, Observer{Evaluated: func(_ *report.Run, _ string, step int, _ []report.Point) {
			if step == at {
				cancel()
			}
		}}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for i, a := range cut.Run.Arms { // what is said to be the best is what is kept
			for _, seed := range a.Seeds {
				best := report.Chosen(cut.points[i], seed)
				if best == nil {
					continue
				}
				if step := weightsStep(filepath.Join(folder, bestName(i+1, int64(seed)))); step != best.Step {
					t.Errorf("%s, seed %d: interrupted, the best is said to be of step %d, and the file is of step %d", a.Name, seed, best.Step, step)
				}
			}
		}
		cut.Close()
		again := experiment(t, c, set)
		if err := again.Resume(folder); err != nil {
			t.Fatal(err)
		}
		if err := again.Compare(context.Background(), Observer{}); err != nil {
			t.Fatal(err)
		}
		same(t, "with early stopping", again, e)
		again.Close()
	}
}
