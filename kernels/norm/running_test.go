package norm

import (
	"math"
	"testing"
)

// TestRunningStatistics checks EMA against what the frameworks document for two
// batches of 4×3: X, then 2X, from running mean 0 and running variance 1. The
// numbers are exact fractions.
//
//	X =  1  2 -3      mean      4    2  1
//	     2  2  0      variance  9.5  0  8.5   (biased)
//	     4  2  5
//	     9  2  2
func TestRunningStatistics(t *testing.T) {
	const m, d = 4, 3
	x := []float64{1, 2, -3, 2, 2, 0, 4, 2, 5, 9, 2, 2}
	const unbiased = float64(m) / (m - 1)
	constant := func(a float64) func(int) float64 { return func(int) float64 { return a } }
	for _, c := range []struct {
		name           string
		alpha          func(batch int) float64
		scale          float64
		mean, variance [d]float64
	}{
		// new = 0.9·old + 0.1·batch, unbiased variance.
		{"PyTorch, momentum 0.1", constant(0.1), unbiased, [d]float64{29. / 25, 29. / 50, 29. / 100}, [d]float64{421. / 60, 81. / 100, 1909. / 300}},
		// A cumulative average: the batch's weight is 1/number of batches so far.
		{"PyTorch, momentum None", func(b int) float64 { return 1 / float64(b+1) }, unbiased, [d]float64{6, 3, 3. / 2}, [d]float64{95. / 3, 0, 85. / 3}},
		// new = 0.99·old + 0.01·batch, biased variance.
		{"Keras, momentum 0.99", constant(1 - 0.99), 1, [d]float64{299. / 2500, 299. / 5000, 299. / 10000}, [d]float64{29083. / 20000, 9801. / 10000, 5617. / 4000}},
		// The same with the unbiased variance of the fused 4-D path.
		{"Keras, fused", constant(1 - 0.99), unbiased, [d]float64{299. / 2500, 299. / 5000, 299. / 10000}, [d]float64{9673. / 6000, 9801. / 10000, 46369. / 30000}},
		// running = 0.9·running + 0.1·batch, population variance.
		{"ONNX, momentum 0.9", constant(1 - 0.9), 1, [d]float64{29. / 25, 29. / 50, 29. / 100}, [d]float64{1093. / 200, 81. / 100, 199. / 40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			runningMean, runningVar := []float64{0, 0, 0}, []float64{1, 1, 1}
			mean, variance := make([]float64, d), make([]float64, d)
			for b := range 2 {
				batch := make([]float64, m*d)
				for i, v := range x {
					batch[i] = float64(b+1) * v
				}
				ColumnMean(m, d, batch, d, mean)
				ColumnVar(m, d, batch, d, mean, variance)
				EMA(runningMean, mean, c.alpha(b), 1, runningMean)
				EMA(runningVar, variance, c.alpha(b), c.scale, runningVar)
			}
			for j := range d {
				if math.Abs(runningMean[j]-c.mean[j]) > 1e-12 || math.Abs(runningVar[j]-c.variance[j]) > 1e-12 {
					t.Errorf("column %d: mean %v, variance %v; want %v, %v", j, runningMean[j], runningVar[j], c.mean[j], c.variance[j])
				}
			}
		})
	}
}

// TestTrainingAndEvaluation: with the batch's own statistics NormalizeBy is
// Standardize, bit for bit where float32 holds the mean, and sums taken batch by batch
// are those of the whole.
func TestTrainingAndEvaluation(t *testing.T) {
	const m, d, eps = 8, 70, 1e-5
	x := make([]float32, m*d)
	for i := range x {
		x[i] = float32(math.Round(math.Sin(float64(i*i))*192)) / 64
	}
	mean, variance, inv := make([]float32, d), make([]float32, d), make([]float32, d)
	train, eval := make([]float32, m*d), make([]float32, m*d)
	both := func() {
		Standardize(m, d, x, d, eps, mean, variance, inv, train, d)
		NormalizeBy(m, d, x, d, mean, variance, eps, eval, d)
	}
	both()
	for i := range train {
		if train[i] != eval[i] {
			t.Fatalf("element %d: %v in training, %v in evaluation", i, train[i], eval[i])
		}
	}
	for i := range x {
		x[i] /= 3 // which rounds the means
	}
	both()
	for i := range train {
		j := i % d
		bound := float64(inv[j])*math.Abs(float64(mean[j]))*unit + 4*unit*math.Abs(float64(train[i]))
		if math.Abs(float64(train[i])-float64(eval[i])) > bound {
			t.Fatalf("element %d: %v in training, %v in evaluation, farther apart than %.2g", i, train[i], eval[i], bound)
		}
	}
	whole, parts := make([]float64, d), make([]float64, d)
	AddColumnSums(m, d, x, d, whole)
	AddColumnSums(3, d, x, d, parts)
	AddColumnSums(m-3, d, x[3*d:], d, parts)
	sum := make([]float32, d)
	ColumnSum(m, d, x, d, sum)
	for j := range whole {
		if whole[j] != parts[j] || sum[j] != float32(whole[j]) {
			t.Fatalf("column %d: %v at once, %v in parts, ColumnSum %v", j, whole[j], parts[j], sum[j])
		}
	}
}

// TestPanics on slices and leading dimensions that cannot hold the shape.
func TestPanics(t *testing.T) {
	x, v, s := make([]float32, 6), make([]float32, 3), make([]float64, 6)
	for name, f := range map[string]func(){
		"short matrix":       func() { ColumnSum(3, 3, x, 3, v) },
		"leading dimension":  func() { ColumnMean(2, 3, x, 2, v) },
		"negative rows":      func() { ColumnMean(-1, 3, x, 3, v) },
		"short vector":       func() { ColumnVar(2, 3, x, 3, v, v[:2]) },
		"short mean":         func() { CenterBy(2, 3, x, 3, v[:2], x, 3) },
		"short output":       func() { Standardize(2, 3, x, 3, 0, v, v, v, x[:5], 3) },
		"short scratch":      func() { StandardizeGrad(2, 3, x, 3, x, 3, v, x, 3, s[:5]) },
		"short gamma":        func() { Affine(2, 3, x, 3, v[:2], v, x, 3) },
		"unequal vectors":    func() { EMA(v, v[:2], 0.5, 1, v) },
		"short accumulator":  func() { AddColumnSums(2, 3, x, 3, s[:2]) },
		"short second input": func() { ColumnDot(2, 3, x, 3, x[:5], 3, v) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	// Nothing to do is no error.
	ColumnSum(0, 3, nil, 3, v)
	CenterBy(2, 0, nil, 0, nil, []float32(nil), 0)
	NormalizeBy(2, 0, nil, 0, nil, nil, 0, []float32(nil), 0)
	StandardizeGrad(2, 0, nil, 0, nil, 0, nil, []float32(nil), 0, nil)
	AddColumnSums(2, 0, []float32(nil), 0, nil)
}
