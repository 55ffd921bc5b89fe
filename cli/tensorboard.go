package cli

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"driftless/benchmarks"
	"driftless/engine/checkpoint"
	"driftless/internal/report"
	"driftless/internal/tensorboard"

	"github.com/spf13/pflag"
)

// eventsFolder is the folder of a run directory that TensorBoard reads.
const eventsFolder = "tensorboard"

func tensorboardFlag(f *pflag.FlagSet, on *bool) {
	f.BoolVar(on, "tensorboard", false, "write event files for TensorBoard into the run directory, too")
}

// events has an experiment write event files where the flag says so, and returns the line
// of the summary that tells of them. A file that cannot be written ends the experiment.
func (s *settings) events(r *recorder, watch *benchmarks.Observer) string {
	if !s.tensorboard {
		return ""
	}
	b := &board{dir: filepath.Join(r.dir.Path(), eventsFolder), folders: map[string]string{}, writers: map[string]*tensorboard.Writer{}}
	evaluated := watch.Evaluated
	watch.Evaluated = func(run *report.Run, arm string, step int, fresh []report.Point) {
		evaluated(run, arm, step, fresh)
		for _, p := range fresh {
			if err := b.add(p.Arm, int64(p.Seed), p.Step, scalars(p)...); err != nil {
				r.cancel(err)
			}
		}
	}
	watch.State = func(arm string, seed int64, step int, lr float64, tensors []checkpoint.Tensor) {
		values := []tensorboard.Value{tensorboard.Scalar("learning_rate", lr)}
		for _, t := range tensors {
			if x, ok := t.Data.([]float32); ok {
				values = append(values, tensorboard.Histogram(strings.Replace(t.Name, ".", "/", 1), x))
			}
		}
		if err := b.add(arm, seed, step, values...); err != nil {
			r.cancel(err)
		}
	}
	return fmt.Sprintf("events: tensorboard --logdir %s\n", shellWord(b.dir))
}

// board are the event files of a run: one for each seed of each arm.
type board struct {
	dir     string
	folders map[string]string // of arms
	writers map[string]*tensorboard.Writer
}

func (b *board) add(arm string, seed int64, step int, values ...tensorboard.Value) error {
	folder := filepath.Join(b.dir, b.folder(arm), fmt.Sprintf("seed%d", seed))
	w := b.writers[folder]
	if w == nil {
		var err error
		if w, err = tensorboard.Create(folder, time.Now()); err != nil {
			return err
		}
		b.writers[folder] = w
	}
	return w.Add(step, time.Now(), values...)
}

// folder is the name of an arm's folder, which is its own: the arm's, with "-" for what some
// file systems do not take.
func (b *board) folder(arm string) string {
	if b.folders[arm] == "" {
		base := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("=.+_-", r) {
				return r
			}
			return '-'
		}, arm)
		name := base
		for n := 2; slices.Contains(slices.Collect(maps.Values(b.folders)), name); n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		b.folders[arm] = name
	}
	return b.folders[arm]
}

// scalars are the numbers of an evaluation. Layers are the hidden ones, from 1 on.
func scalars(p report.Point) []tensorboard.Value {
	out := []tensorboard.Value{tensorboard.Scalar("loss", p.Loss), tensorboard.Scalar("test/loss", p.TestLoss), tensorboard.Scalar("test/accuracy", p.TestAccuracy)}
	if v := p.Validation; v != nil {
		out = append(out, tensorboard.Scalar("validation/loss", v.Loss), tensorboard.Scalar("validation/accuracy", v.Accuracy))
	}
	layers := func(tag string, xs []float64) {
		for i, x := range xs {
			out = append(out, tensorboard.Scalar(fmt.Sprintf("%s/layer%d", tag, i+1), x))
		}
	}
	layers("bias_rms", p.BiasRMS)
	layers("bias_max_abs", p.BiasMaxAbs)
	layers("weight_rms", p.WeightRMS)
	for _, key := range slices.Sorted(maps.Keys(p.Probes)) {
		if xs := p.Probes[key]; len(xs) == 1 {
			out = append(out, tensorboard.Scalar("probes/"+key, xs[0]))
		} else {
			layers("probes/"+key, xs)
		}
	}
	return out
}
