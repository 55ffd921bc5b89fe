package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"driftless/benchmarks"
	"driftless/engine/device"
	"driftless/internal/dataset"
	"driftless/internal/report"

	"github.com/schollz/progressbar/v3"
)

// prepare does what comes before a training: it resolves the flags, opens the
// device, loads the data, checks that all go together, and makes the run
// directory, which is called name unless --out says otherwise.
func (s *settings) prepare(t *terminal, name func() string) (dev device.Device, set *dataset.Set, dir *report.Dir, err error) {
	if err = s.resolve(); err != nil {
		return
	}
	if dev, err = openDevice(s.Device, t); err != nil {
		return
	}
	if set, err = loadData(s.Data, s.dataDir); err != nil {
		return
	}
	if set.Synthetic {
		fmt.Fprintln(t.err, "data: SYNTHETIC images drawn by the program, not real data")
	}
	s.sparing(dev, set, t)
	if err = s.Fits(set); err != nil {
		return
	}
	config, err := s.Resolved(dev.Name())
	if err != nil {
		return
	}
	dir, err = runDir(s.out, name(), config)
	return
}

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
	arms   int
	steps  int // of an arm

	last  time.Time     // of metrics.jsonl
	pause time.Duration // until the next, at least
	at    map[string]int
	state map[string]string // loss and accuracy
	start time.Time
}

// flushEvery bounds how often metrics.jsonl is rewritten while arms train.
const flushEvery = 2 * time.Second

func newRecorder(ctx context.Context, dir *report.Dir, t *terminal, arms, steps int) (context.Context, *recorder) {
	r := &recorder{dir: dir, t: t, arms: arms, steps: steps, at: map[string]int{}, state: map[string]string{}, start: time.Now()}
	ctx, r.cancel = context.WithCancelCause(ctx)
	if t.interactive() {
		r.bar = progressbar.NewOptions(arms*steps, progressbar.OptionSetWriter(t.err), progressbar.OptionFullWidth(),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false), // the recorder's own say more
			progressbar.OptionUseANSICodes(true), progressbar.OptionClearOnFinish())
	}
	return ctx, r
}

// observer returns the callbacks for the experiment.
func (r *recorder) observer() benchmarks.Observer {
	return benchmarks.Observer{Timed: r.timed, Step: r.step, Progress: r.progress, Points: r.points}
}

func (r *recorder) timed(arm string, sec float64) {
	r.line("%-24s %.2f ms a step, alone", arm, 1000*sec)
	r.start = time.Now() // the last one's: training starts
}

// step moves the bar.
func (r *recorder) step(arm string, step int) {
	r.at[arm] = step
	if r.bar == nil {
		return
	}
	speed, left := r.pace()
	text := strings.Join(strings.Fields(fmt.Sprintf("%s %s %.0f steps/s ETA %s", arm, r.state[arm], speed, left)), " ")
	r.bar.Describe(fmt.Sprintf("%.68s ", text)) // leaves the bar its place in 80 columns
	_ = r.bar.Set(r.done())                     // the bar is decoration
}

func (r *recorder) done() int {
	n := 0
	for _, s := range r.at {
		n += s
	}
	return n
}

// pace returns the steps a second since training started and the time left.
func (r *recorder) pace() (stepsPerSecond float64, left time.Duration) {
	done, took := r.done(), time.Since(r.start)
	if done == 0 {
		return 0, 0
	}
	left = time.Duration(float64(took) / float64(done) * float64(r.arms*r.steps-done))
	return float64(done) / took.Seconds(), left.Round(time.Second)
}

func (r *recorder) progress(arm string, step int, ps []report.Point) {
	var loss, acc, n float64
	for _, p := range ps {
		if p.Step == step {
			loss, acc, n = loss+p.Loss, acc+p.TestAccuracy, n+1
		}
	}
	if n == 0 {
		r.at[arm] = r.steps
		r.line("%-24s step %d: diverged, no seed is left", arm, step)
		return
	}
	r.state[arm] = fmt.Sprintf("loss %#.4g  acc %.3f", loss/n, acc/n)
	r.step(arm, step)
	if r.bar == nil {
		speed, left := r.pace()
		r.line("%-24s step %d/%d  %s  %.0f steps/s  ETA %s", arm, step, r.steps, r.state[arm], speed, left)
	}
}

// line prints a message above the bar.
func (r *recorder) line(format string, args ...any) {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	fmt.Fprintf(r.t.err, format+"\n", args...)
}

func (r *recorder) points(all []report.Point) {
	if time.Since(r.last) < max(flushEvery, r.pause) {
		return
	}
	start := time.Now()
	if err := r.dir.WriteMetrics(all); err != nil {
		r.cancel(err)
	}
	r.last = time.Now()
	r.pause = 20 * r.last.Sub(start) // the file is written whole: 60,000 points take a second
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
	err := r.dir.WriteMetrics(run.Points)
	if err == nil {
		err = r.dir.WriteReport(*run)
	}
	var diverged *benchmarks.DivergedError
	if err != nil && (runErr == nil || errors.Is(runErr, context.Canceled) || errors.As(runErr, &diverged)) {
		return err
	}
	return runErr // a failure that came first
}
