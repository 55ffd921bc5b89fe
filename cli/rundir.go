package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"driftless/benchmarks"
	"driftless/internal/atomicfile"
	"driftless/internal/report"

	"github.com/schollz/progressbar/v3"
)

// prepare does what comes before a training: it resolves the flags, opens the device, loads
// the data, compiles, and makes the run directory, which is called name unless --out says
// otherwise; with --resume it is the run's. Compiling comes before the directory since it finds
// settings that do not go together. With --live the run's page is served from here on.
func (s *settings) prepare(ctx context.Context, t *terminal, command string, name func() string) (*benchmarks.Experiment, *report.Dir, error) {
	dir, err := s.resumed(command)
	if err != nil {
		return nil, nil, err
	}
	if err := s.resolve(); err != nil {
		return nil, nil, err
	}
	dev, err := openDevice(s.Device, s.Precision, t)
	if err != nil {
		return nil, nil, err
	}
	set, err := loadData(s.Data, s.dataDir)
	if err != nil {
		return nil, nil, err
	}
	if set.Synthetic {
		fmt.Fprintln(t.err, "data: SYNTHETIC images drawn by the program, not real data")
	}
	s.sparing(dev, set, t)
	if dir == nil {
		s.Command = command
	}
	e, err := benchmarks.New(ctx, s.Config, set, dev)
	if err != nil {
		return nil, nil, err
	}
	for _, flag := range s.idle(set) {
		fmt.Fprintf(t.err, "--%s changes nothing here: %s\n", flag.name, flag.why)
	}
	if dir != nil {
		err = s.goOn(e, dir, t)
	}
	if err == nil {
		s.cast, err = newBroadcast(s.live, &e.Run, t)
	}
	switch {
	case err != nil:
	case dir != nil:
		atomicfile.Sweep(dir.Path(), 0)
		err = dir.WriteMetrics(e.Run.Points) // without those that come again
	default:
		if dir, err = runDir(s.out, name(), e.Run.Config); err == nil {
			err = e.Keep(filepath.Join(dir.Path(), benchmarks.CheckpointFolder))
		}
	}
	if err != nil {
		s.cast.end(t, &e.Run)
		e.Close()
	}
	return e, dir, err
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

// recorder follows an experiment: it shows progress and keeps metrics.jsonl and
// run.json up to date. A file that cannot be written ends the experiment.
type recorder struct {
	dir    *report.Dir
	t      *terminal
	cancel context.CancelCauseFunc
	bar    *progressbar.ProgressBar
	run    *report.Run // as the experiment fills it in
	live   *broadcast  // nil where it is not served

	began    int // steps that were done before, in a run that is resumed
	recorded int // seeds that run.json says have diverged or were stopped; -1 before it is there
	at       map[string]int
	state    map[string]string // loss and accuracy
}

func newRecorder(ctx context.Context, dir *report.Dir, t *terminal, e *benchmarks.Experiment) (context.Context, *recorder) {
	run := &e.Run
	r := &recorder{dir: dir, t: t, run: run, recorded: -1, at: map[string]int{}, state: map[string]string{}}
	resumed, _ := e.Resumed()
	maps.Copy(r.at, resumed)
	for _, a := range run.Arms {
		if r.at[a.Name] > 0 && ended(run, a.Name) {
			r.at[a.Name] = run.Steps
		}
	}
	r.began = r.done()
	ctx, r.cancel = context.WithCancelCause(ctx)
	if t.interactive() {
		r.bar = progressbar.NewOptions(r.all(), progressbar.OptionSetWriter(t.err), progressbar.OptionFullWidth(),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false), // step describes both itself
			progressbar.OptionUseANSICodes(true), progressbar.OptionClearOnFinish())
	}
	return ctx, r
}

// observer returns the callbacks for the experiment.
func (r *recorder) observer() benchmarks.Observer {
	return benchmarks.Observer{Timed: r.timed, Step: r.step, Evaluated: r.evaluated, Unkept: r.unkept, Rush: r.t.rush}
}

func (r *recorder) timed(arm string, sec float64) {
	if sec > 0 {
		r.line("%-18s %.2f ms a step, alone", arm, 1000*sec)
	}
}

func (r *recorder) unkept(arm string, err error) { r.line("%s: %v; the training goes on", arm, err) }

// step moves the bar.
func (r *recorder) step(arm string, step int) {
	r.at[arm] = step
	if r.bar == nil {
		return
	}
	speed, left := r.pace()
	text := strings.Join(strings.Fields(fmt.Sprintf("%s %s %.0f steps/s ETA %s", arm, r.state[arm], speed, left)), " ")
	r.bar.Describe(fmt.Sprintf("%.68s ", text)) // 68 of 80 columns; the bar has the rest
	_ = r.bar.Set(r.done())                     // an error loses only the bar
}

func (r *recorder) done() int {
	n := 0
	for _, s := range r.at {
		n += s
	}
	return n
}

// all is the number of steps of all arms.
func (r *recorder) all() int { return len(r.run.Arms) * r.run.Steps }

// pace returns the steps a second since training started and the time left.
func (r *recorder) pace() (stepsPerSecond float64, left time.Duration) {
	done, took := r.done()-r.began, time.Since(r.run.Started)
	if done == 0 {
		return 0, 0
	}
	left = time.Duration(float64(took) / float64(done) * float64(r.all()-r.began-done))
	return float64(done) / took.Seconds(), left.Round(time.Second)
}

// evaluated keeps what an evaluation found, and shows it.
func (r *recorder) evaluated(run *report.Run, arm string, step int, fresh []report.Point) {
	if err := r.keep(run, fresh); err != nil {
		r.cancel(err)
	}
	r.live.update(run)
	var loss, acc, valid float64
	for _, p := range fresh {
		loss, acc = loss+p.Loss/float64(len(fresh)), acc+p.TestAccuracy/float64(len(fresh))
		if p.Validation != nil {
			valid += p.Validation.Accuracy / float64(len(fresh))
		}
	}
	if len(fresh) == 0 {
		if r.at[arm] == run.Steps { // said already
			return
		}
		r.at[arm] = run.Steps
		r.line("%s: step %d: no seed is left, the last has diverged", arm, lastDivergence(run, arm))
		return
	}
	r.state[arm] = fmt.Sprintf("loss %#.4g  acc %.3f", loss, acc)
	if valid > 0 {
		r.state[arm] += fmt.Sprintf("  val %.3f", valid)
	}
	r.step(arm, step)
	if step < run.Steps && ended(run, arm) {
		defer r.line("%s: stopped early, all seeds", arm)
		r.at[arm], r.began = run.Steps, r.began+run.Steps-step // no step is left, and these took no time
	}
	if r.bar == nil && step > 0 {
		speed, left := r.pace()
		r.line("%s", progressLine(arm, step, run.Steps, r.state[arm], fmt.Sprintf("%.0f steps/s", speed), "ETA "+left.String()))
	}
}

// keep adds to the run's files. It writes the record only if a seed has ended since.
func (r *recorder) keep(run *report.Run, fresh []report.Point) error {
	n := 0
	for _, a := range run.Arms {
		for _, at := range slices.Concat(a.DivergedAt, a.StoppedAt) {
			if at != nil {
				n++
			}
		}
	}
	if n != r.recorded {
		if err := r.dir.WriteRecord(*run); err != nil {
			return err
		}
		r.recorded = n
	}
	return r.dir.AppendMetrics(fresh)
}

// lastDivergence is the step at which the last of an arm's seeds diverged.
func lastDivergence(run *report.Run, arm string) int {
	last := 0
	for _, a := range run.Arms {
		for _, at := range a.DivergedAt {
			if a.Name == arm && at != nil {
				last = max(last, *at)
			}
		}
	}
	return last
}

// ended reports whether each of an arm's seeds has diverged or was stopped early.
func ended(run *report.Run, arm string) bool {
	i := slices.IndexFunc(run.Arms, func(a report.Arm) bool { return a.Name == arm })
	for r, at := range run.Arms[i].DivergedAt {
		if stops := run.Arms[i].StoppedAt; at == nil && (stops == nil || stops[r] == nil) {
			return false
		}
	}
	return true
}

// progressLine returns a line of at most 80 columns: it leaves out parts at the end that do not
// fit.
func progressLine(arm string, step, steps int, more ...string) string {
	const width = 80
	if name := []rune(arm); len(name) > 26 { // or nothing else would have a place
		arm = string(name[:25]) + "…"
	}
	s := fmt.Sprintf("%-18s step %d/%d", arm, step, steps)
	for _, m := range more {
		if len([]rune(s))+2+len([]rune(m)) > width {
			break
		}
		s += "  " + m
	}
	return s
}

// line prints a message above the bar.
func (r *recorder) line(format string, args ...any) {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	fmt.Fprintf(r.t.err, format+"\n", args...)
}

// finish writes the run's files and reports whether it wrote the page, which comes last
// since it can be made again. The error says what could not be written and what is kept.
func (r *recorder) finish(ctx context.Context, run *report.Run) (page bool, err error) {
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	if err = r.dir.WriteMetrics(run.Points); err == nil {
		err = r.dir.WriteRecord(*run)
	}
	switch {
	case err != nil:
	case r.t.rush.Err() != nil:
		r.line("interrupted twice: the page is left out, which driftless report %s writes", shellWord(r.dir.Path()))
	default:
		if err = r.dir.WriteReport(*run); err == nil {
			page = true
		} else {
			err = fmt.Errorf("%w; metrics are kept, and driftless report %s writes the page when that is mended", err, shellWord(r.dir.Path()))
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause // the file that could not be written, for which the run was ended
	}
	return page, err
}

// ranOn reports whether a run has results to print: it is complete, was interrupted or
// diverged.
func ranOn(runErr error) bool {
	var diverged *benchmarks.DivergedError
	var kept *benchmarks.KeepError
	return runErr == nil || errors.Is(runErr, context.Canceled) || errors.As(runErr, &diverged) || errors.As(runErr, &kept)
}
