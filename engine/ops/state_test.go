package ops

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestEMAFollowsPyTorch runs running_mean and running_var of PyTorch's
// BatchNorm1d (momentum 0.1) over two batches of a 4x3 example. The expected
// numbers are 0.9·old + 0.1·statistic, with the unbiased variance.
func TestEMAFollowsPyTorch(t *testing.T) {
	const m, d, momentum = 4, 3, 0.1
	x := toValue([]float64{1, 2, 3, 2, 4, 6, 3, 8, 9, 6, 2, 2}, tensor.Float64, m, d)
	mean := toValue([]float64{3, 4, 5}, tensor.Float64, d)              // of x
	unbiased := []float64{14.0 / 3, 8, 10}                              // of x
	biased := toValue(do(t, ColumnVarOp{}, x, mean), tensor.Float64, d) // 3.5, 6, 7.5
	close64(t, "mean", do(t, ColumnMeanOp{}, x), floats(t, mean), 0)

	runningMean := toValue([]float64{0, 0, 0}, tensor.Float64, d)
	runningVar := toValue([]float64{1, 1, 1}, tensor.Float64, d)
	wantMean, wantVar := []float64{0, 0, 0}, []float64{1, 1, 1}
	for range 2 {
		runningMean = must(EMAOp{Alpha: momentum, Scale: 1}.Do(runningMean, mean))(t)
		runningVar = must(EMAOp{Alpha: momentum, Scale: m / (m - 1.0)}.Do(runningVar, biased))(t)
		for j := range wantMean {
			wantMean[j] = 0.9*wantMean[j] + 0.1*floats(t, mean)[j]
			wantVar[j] = 0.9*wantVar[j] + 0.1*unbiased[j]
		}
		close64(t, "running_mean", floats(t, runningMean), wantMean, 1e-15)
		close64(t, "running_var", floats(t, runningVar), wantVar, 1e-15)
	}
}

// TestEMAEnds checks the two ends: alpha 0 keeps the old value, alpha 1 takes the
// new.
func TestEMAEnds(t *testing.T) {
	old, new := toValue([]float64{1, 2}, tensor.Float64, 2), toValue([]float64{5, -7}, tensor.Float64, 2)
	close64(t, "alpha 0", do(t, EMAOp{Alpha: 0, Scale: 3}, old, new), []float64{1, 2}, 0)
	close64(t, "alpha 1", do(t, EMAOp{Alpha: 1, Scale: 3}, old, new), []float64{15, -21}, 0)
}

// TestAssignKeepsOffTheGradient adds assignments of statistics to a graph that is
// differentiated: values and gradients stay what they are without them, and
// Gorgonia's machines run the graph and leave the state alone.
func TestAssignKeepsOffTheGradient(t *testing.T) {
	const m, d, eps = 6, 3, 1e-5
	r := newRand(40)
	x, g := normals(r, m*d), normals(r, m*d)
	want := standardize(t, tensor.Float64, x, g, m, d, eps)
	for machine := range machines {
		t.Run(machine, func(t *testing.T) {
			graph := G.NewGraph()
			xn := matrix64(graph, "x", x, m, d)
			state := vector64(graph, "running mean", []float64{1, 2, 3})
			white := matrix64(graph, "whitening", make([]float64, d*d), d, d)
			mean := must(ColumnMean(xn))(t)
			ema := must(Assign(state, must(EMA(state, mean, 0.1, 1))(t), 1, true))(t)
			cov := must(Covariance(xn, mean))(t)
			a := must(Assign(white, must(ZCA(cov, 1e-3))(t), 10, false))(t)
			xhat := must(Standardize(xn, eps))(t)
			grads := must(G.Grad(contract(t, xhat, g), xn))(t)
			out := run(t, machine, xhat, grads[0], ema, a)
			close64(t, "xhat", out[0], want.xhat, 0)
			close64(t, "dx", out[1], want.dx, 0)
			batchMean := do(t, ColumnMeanOp{}, toValue(x, tensor.Float64, m, d))
			for j, s := range []float64{1, 2, 3} {
				near(t, "the assigned mean", out[2][j], 0.9*s+0.1*batchMean[j], 1e-15)
			}
			if maxAbs(out[3]) == 0 {
				t.Error("the whitening matrix is zero")
			}
			close64(t, "the state", floats(t, state.Value()), []float64{1, 2, 3}, 0)
		})
	}
}

// TestAssignedValueIsConstant checks that a value read through an assignment gives
// no gradient.
func TestAssignedValueIsConstant(t *testing.T) {
	graph := G.NewGraph()
	x := matrix64(graph, "x", []float64{1, 2, 3, 4}, 2, 2)
	state := matrix64(graph, "state", make([]float64, 4), 2, 2)
	fixed := must(Assign(state, x, 1, false))(t)
	cost := must(G.Sum(must(G.HadamardProd(x, fixed))(t)))(t)
	grads := must(G.Grad(cost, x))(t)
	// d(sum x·fixed)/dx is fixed alone, not 2x.
	close64(t, "dx", run(t, "TapeMachine", grads[0])[0], []float64{1, 2, 3, 4}, 0)
}
