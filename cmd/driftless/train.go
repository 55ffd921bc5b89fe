package main

import (
	"errors"
	"fmt"
	"path/filepath"

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
curves.png, report.html and weights.safetensors (PyTorch's names), which
driftless eval reads. A loss that is not finite ends the run with exit code 1.`,
		Example: "  driftless train --norm batchnorm --lr 0.5 --steps 3000",
		Args:    noArguments,
	}
	s.register(cmd)
	cmd.Flags().StringVar(&s.norm, "norm", "batchnorm", "normalization: none, center, standardize, whiten, batchnorm or an arm as compare takes it")
	cmd.Flags().BoolVar(&s.plan, "plan", false, "print the compiled training step first: each instruction, its shape, FLOPs, bytes, time and share of the measured peak")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return train(cmd, s, t) }
	return cmd
}

func train(cmd *cobra.Command, s *settings, t *terminal) error {
	dev, set, dir, err := s.prepare(t, func() string { return fmt.Sprintf("train-%s-%s-lr%v", s.Data, s.Norms[0], s.LR) })
	if err != nil {
		return err
	}
	ctx, rec := newRecorder(cmd.Context(), dir, t, 1, s.Steps)
	defer rec.cancel(nil)
	weights := filepath.Join(dir.Path(), benchmarks.WeightsFile)
	watch := rec.observer()
	if s.plan {
		to := t.out
		if s.json {
			to = t.err
		}
		watch.Plan = func(_, listing string) { fmt.Fprint(to, listing) }
	}
	res, out, runErr := benchmarks.Train(ctx, s.Config, set, dev, watch, weights)
	out.RunDir = dir.Path()
	var run *report.Run
	if res != nil {
		run = &res.Run
		run.Title, run.Command = run.Arms[0].Name, commandLine(cmd)
	}
	runErr = rec.finish(ctx, run, runErr)
	if run == nil {
		return runErr
	}
	var diverged *benchmarks.DivergedError
	if runErr != nil && !errors.Is(runErr, cmd.Context().Err()) && !errors.As(runErr, &diverged) {
		return runErr
	}
	if s.json {
		err = printJSON(t.out, out)
	} else {
		if err = summarize(t.out, *run, dir.Path()); err == nil {
			_, err = fmt.Fprintf(t.out, "weights: %s\n%.1f s, %.0f steps/s\n", weights, float64(out.Seconds), float64(out.StepsPerSecond))
		}
	}
	if err != nil {
		return err
	}
	return runErr
}
