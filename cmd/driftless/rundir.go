package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"driftless/benchmarks"
	"driftless/internal/report"

	"github.com/schollz/progressbar/v3"
)

// runDir makes the run directory and writes the resolved configuration.
func runDir(out, name string, config any) (*report.Dir, error) {
	var dir *report.Dir
	var err error
	if out != "" {
		dir, err = report.Create(out)
		if errors.Is(err, report.ErrNotEmpty) {
			err = &benchmarks.UsageError{Err: err}
		}
	} else {
		dir, err = report.AutoDir("runs", name)
	}
	if err != nil {
		return nil, err
	}
	return dir, dir.WriteConfig(config)
}

// recorder follows an experiment: it shows progress and keeps metrics.jsonl up
// to date. A file that cannot be written ends the experiment.
type recorder struct {
	dir    *report.Dir
	t      *terminal
	cancel context.CancelCauseFunc
	bar    *progressbar.ProgressBar
	steps  int // of an arm

	last  time.Time
	at    map[string]int
	start time.Time
}

// flushEvery bounds how often metrics.jsonl is rewritten while arms train.
const flushEvery = 2 * time.Second

func newRecorder(ctx context.Context, dir *report.Dir, t *terminal, arms, steps int) (context.Context, *recorder) {
	r := &recorder{dir: dir, t: t, steps: steps, at: map[string]int{}}
	ctx, r.cancel = context.WithCancelCause(ctx)
	if t.interactive() {
		r.bar = progressbar.NewOptions(arms*steps, progressbar.OptionSetWriter(t.err), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("steps"), progressbar.OptionFullWidth(), progressbar.OptionUseANSICodes(true), progressbar.OptionClearOnFinish())
	}
	return ctx, r
}

// observer returns the callbacks for the experiment.
func (r *recorder) observer() benchmarks.Observer {
	return benchmarks.Observer{Timed: r.timed, Progress: r.progress, Points: r.points}
}

func (r *recorder) timed(arm string, sec float64) {
	r.line("%-22s %.2f ms a step, alone", arm, 1000*sec)
}

func (r *recorder) progress(arm string, step int, ps []report.Point) {
	if r.start.IsZero() {
		r.start = time.Now()
	}
	r.at[arm] = step
	var loss, acc, n float64
	for _, p := range ps {
		if p.Step == step {
			loss, acc, n = loss+p.Loss, acc+p.TestAccuracy, n+1
		}
	}
	text := "no seed left"
	if n > 0 {
		text = fmt.Sprintf("loss %.4f  accuracy %.4f", loss/n, acc/n)
	}
	if r.bar == nil {
		r.line("%-22s step %6d/%d  %s", arm, step, r.steps, text)
		return
	}
	done := 0
	for _, s := range r.at {
		done += s
	}
	r.bar.Describe(fmt.Sprintf("%s  %s", arm, text))
	_ = r.bar.Set(done) // the bar is decoration
}

// line prints a message above the bar.
func (r *recorder) line(format string, args ...any) {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	fmt.Fprintf(r.t.err, format+"\n", args...)
}

func (r *recorder) points(all []report.Point) {
	if time.Since(r.last) < flushEvery {
		return
	}
	if err := r.dir.WriteMetrics(all); err != nil {
		r.cancel(err)
	}
	r.last = time.Now()
}

// finish writes what ran and returns the error that matters: a file that could
// not be written before the cancellation that it caused.
func (r *recorder) finish(ctx context.Context, run *report.Run, runErr error) error {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if run == nil {
		return runErr
	}
	if err := r.dir.WriteMetrics(run.Points); err != nil {
		return err
	}
	if err := r.dir.WriteReport(*run); err != nil {
		return err
	}
	return runErr
}
