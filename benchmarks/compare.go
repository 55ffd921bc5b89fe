package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"driftless/engine/device"
	"driftless/internal/dataset"
	"driftless/internal/report"
)

// Result is what an experiment came to: the run for the report, and each arm's
// seeds.
type Result struct {
	Run  report.Run
	runs [][]seedRun
}

// Observer follows an experiment. Its methods may be nil; they are called by one
// goroutine at a time.
type Observer struct {
	Timed    func(arm string, secondsPerStep float64)
	Plan     func(arm, listing string)                         // the compiled training step, timed; asked for where it is set
	Step     func(arm string, step int)                        // every 100 steps
	Progress func(arm string, step int, points []report.Point) // after every evaluation, with the arm's points so far
	Points   func(all []report.Point)                          // the same, of all arms, in their order
}

// Compare trains the arms of a configuration from identical initial weights on
// identical batches, as many runs at a time as the device has workers. It returns
// what ran, also when the context ends (then with its error), so that a report
// can be written of it.
func Compare(ctx context.Context, c Config, set *dataset.Set, dev device.Device, o Observer) (*Result, error) {
	return experiment(ctx, c, set, dev, o, nil)
}

func experiment(ctx context.Context, c Config, set *dataset.Set, dev device.Device, o Observer, keep func(*Arm, device.Session) error) (*Result, error) {
	norms, err := c.Arms()
	if err != nil {
		return nil, err
	}
	arms := make([]*Arm, len(norms))
	for i, n := range norms {
		if arms[i], err = NewArm(c, n, set, dev); err != nil {
			return nil, err
		}
	}
	config, err := c.Resolved(dev.Name())
	if err != nil {
		return nil, err
	}
	res := &Result{Run: header(c, config, set, dev), runs: make([][]seedRun, len(arms))}
	for _, a := range arms { // alone, before anything else runs
		if ctx.Err() != nil {
			break
		}
		if _, err := a.Time(ctx); errors.Is(err, context.Canceled) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("arm %v: %w", a.Norm, err)
		}
		if o.Timed != nil {
			o.Timed(a.Norm.String(), a.secondsPerStep)
		}
		if o.Plan != nil {
			text, err := a.Plan()
			if err != nil {
				return nil, fmt.Errorf("arm %v: %w", a.Norm, err)
			}
			o.Plan(a.Norm.String(), text)
		}
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		errs  = make([]error, len(arms))
		byArm = make([][]report.Point, len(arms))
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, a := range arms {
		wg.Add(1)
		go func() {
			defer wg.Done()
			progress := func(step int, ps []report.Point) {
				mu.Lock()
				defer mu.Unlock()
				byArm[i] = ps
				if o.Progress != nil {
					o.Progress(a.Norm.String(), step, ps)
				}
				if o.Points != nil {
					o.Points(flatten(byArm))
				}
			}
			a.step = func(step int) {
				mu.Lock()
				defer mu.Unlock()
				if o.Step != nil {
					o.Step(a.Norm.String(), step)
				}
			}
			var save func(device.Session) error
			if keep != nil {
				save = func(s device.Session) error { return keep(a, s) }
			}
			res.runs[i], errs[i] = a.Run(ctx, progress, save)
			if errs[i] != nil && !errors.Is(errs[i], context.Canceled) {
				cancel() // a failure ends the others; what they have is kept
			}
		}()
	}
	wg.Wait()
	for i, a := range arms {
		res.Run.Arms = append(res.Run.Arms, a.summary(res.runs[i]))
		res.Run.Points = append(res.Run.Points, points(res.runs[i])...)
	}
	res.Run.Interrupted = interrupted(res.runs)
	for i := range res.Run.Arms {
		res.Run.Arms[i].Finding = report.Finding(res.Run, res.Run.Arms[i].Name)
	}
	return res, firstError(errs)
}

// firstError prefers a failure to the cancellation that it caused.
func firstError(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func interrupted(runs [][]seedRun) bool {
	for _, arm := range runs {
		for _, r := range arm {
			if !r.done && r.divergedAt == nil {
				return true
			}
		}
	}
	return false
}

func flatten(byArm [][]report.Point) []report.Point {
	var out []report.Point
	for _, ps := range byArm {
		out = append(out, ps...)
	}
	return out
}

func header(c Config, config any, set *dataset.Set, dev device.Device) report.Run {
	return report.Run{Started: time.Now(), Device: dev.Name(),
		Data:      fmt.Sprintf("%s (%s; %d + %d images)", set.Name, pixelText(c), set.Train.N, set.Test.N),
		Synthetic: set.Synthetic, Net: c.net(set.Train.Rows * set.Train.Cols), Classes: classes, Batch: c.Batch, Steps: c.Steps,
		EvalEvery: c.EvalEvery, LR: c.LR, Optimizer: c.Optimizer, PercentileUnit: min(percentileUnit, c.Hidden[len(c.Hidden)-1]-1),
		PercentileRows: min(percentileRows, set.Test.N), Config: config}
}

func pixelText(c Config) string {
	if c.Binarize {
		return "binary pixels"
	}
	return "grey pixels"
}

// summary is an arm's row of the report.
func (a *Arm) summary(runs []seedRun) report.Arm {
	out := report.Arm{Name: a.Norm.String(), Norm: a.Norm.Method, Grad: string(a.Norm.Grad), Affine: a.Norm.Affine, SecondsPerStep: a.secondsPerStep}
	var loss, acc, re []float64
	var largest [][]float64
	for _, r := range runs {
		out.Seeds = append(out.Seeds, int(r.seed))
		out.DivergedAt = append(out.DivergedAt, r.divergedAt)
		loss, acc, re = append(loss, r.finalLoss), append(acc, r.testAccuracy), append(re, r.testReestimated)
		if n := len(r.points); n > 0 {
			largest = append(largest, r.points[n-1].BiasMaxAbs)
		}
	}
	out.FinalLoss, out.TestAccuracy, out.TestAccuracyReestimated = report.StatOf(loss), report.StatOf(acc), report.StatOf(re)
	out.StepsTo = report.StepsTo(points(runs))
	out.MaxAbsBias = columnMeans(largest, len(a.mlp.Hidden))
	return out
}

// columnMeans averages rows of n values; NaN without rows.
func columnMeans(rows [][]float64, n int) []float64 {
	out := make([]float64, n)
	for j := range out {
		s := 0.0
		for _, r := range rows {
			s += r[j]
		}
		if out[j] = s / float64(len(rows)); len(rows) == 0 {
			out[j] = math.NaN()
		}
	}
	return out
}
