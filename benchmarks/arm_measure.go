package benchmarks

import (
	"math"
	"slices"

	"driftless/engine/device"
	"driftless/internal/report"
	"driftless/models"
)

// percentileUnit is the unit of the last hidden layer whose input is followed,
// over the first percentileRows test rows.
const (
	percentileUnit = 7
	percentileRows = 1000
)

// lossWindow is the number of steps that a training loss is averaged over.
const lossWindow = 100

// window is the number of steps that the training loss of an evaluation is averaged over.
func (t *training) window(step int) int { return min(step, lossWindow, t.cfg.EvalEvery) }

// measure returns the point of a seed after a step, from the evaluation just run. The
// training loss of step 0 comes later, see firstLosses.
func (t *training) measure(r, step int) (p report.Point, err error) {
	p = report.Point{Arm: t.Name, Seed: int(t.seeds[r]), Step: step, Precision: t.cfg.reduced(), Seconds: float64(step) * t.secondsPerStep}
	if p.Loss, err = t.trainer.MeanLoss(r, t.window(step)); err != nil {
		return p, err
	}
	if p.TestLoss, p.TestAccuracy, err = tested(t.session, r, t.set.Test.N); err != nil {
		return p, err
	}
	if err = t.weights(t.session, r, &p); err != nil {
		return p, err
	}
	p.Percentiles, err = t.percentiles(t.session, r)
	return p, err
}

// tested reads what the last evaluation, of n rows, came to.
func tested(s device.Session, r, n int) (loss, accuracy float64, err error) {
	var l, c [1]float64
	if err := s.Read(models.StateLossSum, r, l[:]); err != nil {
		return 0, 0, err
	}
	if err := s.Read(models.StateCorrect, r, c[:]); err != nil {
		return 0, 0, err
	}
	return l[0] / float64(n), c[0] / float64(n), nil
}

// weights fills in the norms of the hidden layers' biases and trained matrices.
func (a *Arm) weights(s device.Session, r int, p *report.Point) error {
	matrices, err := a.net.Matrices()
	if err != nil {
		return err
	}
	for i, layer := range a.net.Layers()[:len(a.net.Hidden)] {
		w, b := make([]float32, a.layout.Lookup(matrices[i]).Len()), make([]float32, a.layout.Lookup(layer+".bias").Len())
		if err := s.Read(matrices[i], r, w); err != nil {
			return err
		}
		if err := s.Read(layer+".bias", r, b); err != nil {
			return err
		}
		rms, largest := size(b)
		p.BiasRMS, p.BiasMaxAbs = append(p.BiasRMS, rms), append(p.BiasMaxAbs, largest)
		rms, _ = size(w)
		p.WeightRMS = append(p.WeightRMS, rms)
	}
	return nil
}

// size returns the root mean square and the largest absolute value.
func size(x []float32) (rms, largest float64) {
	for _, v := range x {
		f := math.Abs(float64(v))
		rms += f * f
		largest = max(largest, f)
	}
	return math.Sqrt(rms / float64(len(x))), largest
}

// percentiles returns the 15th, 50th and 85th percentile of one unit's input.
func (a *Arm) percentiles(s device.Session, r int) (out [3]float64, err error) {
	d := a.net.Hidden[len(a.net.Hidden)-1].Width
	rows := min(percentileRows, a.set.Test.N)
	z := make([]float32, rows*d)
	if err := s.Read(models.StateProbe, r, z); err != nil {
		return out, err
	}
	unit := min(percentileUnit, d-1)
	col := make([]float64, rows)
	for i := range col {
		col[i] = float64(z[i*d+unit])
	}
	slices.Sort(col)
	for i, q := range []float64{0.15, 0.50, 0.85} {
		out[i] = report.Quantile(col, q)
	}
	return out, nil
}
