package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"driftless/benchmarks"
	"driftless/internal/report"

	"github.com/spf13/cobra"
)

func newTrain(t *terminal) *cobra.Command {
	s := &settings{Config: benchmarks.Defaults()}
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train one network",
		Long: `Train trains one network and writes a run directory: config.yaml, metrics.jsonl,
run.json, curves.png, report.html and weights.safetensors (PyTorch's names),
which driftless eval reads. A loss that is not finite, or above any sense, ends
the run with exit code 1; the weights of the last evaluation before are kept.
With --live a browser follows the curves until the run ends.`,
		Example: "  driftless train --norm batchnorm --lr 0.5 --steps 3000\n  driftless train --resume runs/train-mnist-batchnorm-lr0.5",
		Args:    noArguments,
	}
	s.register(cmd)
	cmd.Flags().StringVar(&s.norm, "norm", "batchnorm", "normalization, of those that driftless norms lists, or an arm as compare takes it")
	offerArms(cmd, "norm", false)
	cmd.Flags().BoolVar(&s.plan, "plan", false, "print the compiled training step first: each instruction, its shape, FLOPs, bytes, time and share of the measured peak")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return train(cmd, s, t) }
	return cmd
}

func train(cmd *cobra.Command, s *settings, t *terminal) error {
	e, dir, err := s.prepare(cmd.Context(), t, commandLine(cmd), func() string { return fmt.Sprintf("train-%s-%s-lr%v", dataName(s.Data), s.Norms[0], s.LR) })
	if err != nil {
		return err
	}
	defer e.Close()
	e.Run.Title = e.Run.Arms[0].Name
	ctx, rec := newRecorder(cmd.Context(), dir, t, e)
	defer rec.cancel(nil)
	defer s.cast.follow(rec)()
	watch := rec.observer()
	events := s.events(rec, &watch)
	if s.plan {
		to := t.out
		if s.json {
			to = t.err
		}
		watch.Plan = func(_, listing string) { fmt.Fprint(to, listing) }
	}
	out, runErr := e.Train(ctx, watch, filepath.Join(dir.Path(), benchmarks.WeightsFile))
	out.RunDir = dir.Path()
	page, writeErr := rec.finish(ctx, &e.Run)
	if !ranOn(runErr) {
		if n := len(e.Run.Points); n > 0 && writeErr == nil {
			runErr = fmt.Errorf("%w; the metrics up to step %d are kept in %s", runErr, e.Run.Points[n-1].Step, shellWord(dir.Path()))
		}
		return runErr
	}
	if s.json {
		err = printJSON(t.out, out)
	} else {
		err = summarize(t.out, e.Run, made(dir, page, out)+events+s.resumeLine(cmd.Name(), e, dir))
	}
	return cmp.Or(writeErr, err, runErr)
}

// made lists the report and the weights of a training, and its speed.
func made(dir *report.Dir, page bool, out benchmarks.TrainOutput) string {
	var b strings.Builder
	if page {
		fmt.Fprintf(&b, "report: %s\n", filepath.Join(dir.Path(), report.ReportFile))
	}
	if out.Weights != nil {
		fmt.Fprintf(&b, "weights: %s\n", *out.Weights)
		switch after := plural(*out.WeightsStep, "step"); {
		case *out.WeightsStep == out.Steps:
		case out.DivergedAt != nil:
			fmt.Fprintf(&b, "  (after %s, the last evaluation before it diverged)\n", after)
		default:
			fmt.Fprintf(&b, "  (after %s; what is above is of step %d)\n", after, out.Steps)
		}
	}
	if out.BestWeights != nil {
		fmt.Fprintf(&b, "best weights: %s\n  (after %s, where the validation accuracy was highest)\n", *out.BestWeights, plural(out.Chosen.Steps[0], "step"))
	}
	fmt.Fprintf(&b, "%.1f s, %.0f steps/s\n", float64(out.Seconds), float64(out.StepsPerSecond))
	return b.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
