package ops

import (
	"math"
	"testing"
)

// TestReLUEdges checks zeros, infinities and NaN, where Gorgonia's own Rectify
// differs.
func TestReLUEdges(t *testing.T) {
	inf := math.Inf(1)
	x := []float64{-1, math.Copysign(0, -1), 0, 2, -inf, inf}
	want := []float64{0, 0, 0, 2, 0, inf}
	for _, dt := range bothDtypes {
		y := must(ReLUOp{}.Do(toValue(x, dt, 2, 3)))(t)
		for i, v := range floats(t, y) {
			if v != want[i] || math.Signbit(v) {
				t.Errorf("%v: ReLU(%v) is %v, want %v", dt, x[i], v, want[i])
			}
		}
		if v := do(t, ReLUOp{}, toValue([]float64{math.NaN()}, dt, 1, 1))[0]; !math.IsNaN(v) {
			t.Errorf("%v: ReLU(NaN) is %v, want NaN", dt, v)
		}
		g := toValue([]float64{5, 5, 5, 5, 5, 5}, dt, 2, 3)
		close64(t, "the gradient", do(t, ReLUGradOp{}, y, g), []float64{0, 0, 0, 5, 0, 5}, 0)
	}
}
