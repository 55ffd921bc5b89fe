package ops

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestCrossEntropyValues compares with values worked out by hand.
func TestCrossEntropyValues(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		name   string
		logits []float64
		label  float64
		want   float64
	}{
		{"uniform", []float64{0, 0, 0, 0}, 2, math.Log(4)},
		{"shifted", []float64{1000, 1000, 1000, 1000}, 0, math.Log(4)},
		{"one logit apart", []float64{math.Log(3), 0}, 0, math.Log(4.0 / 3)},
		{"right and sure", []float64{1e4, 0, 0}, 0, 0},
		{"wrong and sure", []float64{1e4, 0, 0}, 1, 1e4},
		{"underflowing", []float64{-1e4, -1e4}, 1, math.Log(2)},
		{"impossible class", []float64{-inf, 0}, 1, 0},
		{"impossible label", []float64{-inf, 0}, 0, inf},
		{"single class", []float64{5}, 0, 0},
	} {
		for _, dt := range bothDtypes {
			logits := toValue(c.logits, dt, 1, len(c.logits))
			label := toValue([]float64{c.label}, dt, 1)
			tol := 1e-6 * math.Max(1, math.Abs(c.want))
			if dt == tensor.Float64 {
				tol = 1e-15 * math.Max(1, math.Abs(c.want))
			}
			for _, op := range []G.Op{CrossEntropyOp{}, CrossEntropyRowsOp{}} {
				got := do(t, op, logits, label)[0]
				if got != c.want && !(math.Abs(got-c.want) <= tol) {
					t.Errorf("%s: %v in %v is %v, want %v", c.name, op, dt, got, c.want)
				}
			}
		}
	}
}

// TestCrossEntropyBadRows checks that labels that are no class, and logits that
// are not finite, make the loss and their own row of the gradient NaN, and no
// other row.
func TestCrossEntropyBadRows(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	fine := []float64{0.5, -1, 2}
	for _, c := range []struct {
		name   string
		logits []float64
		label  float64
	}{
		{"label -1", fine, -1},
		{"label k", fine, 3},
		{"huge label", fine, 1e300},
		{"fraction", fine, 0.5},
		{"NaN label", fine, nan},
		{"infinite label", fine, inf},
		{"NaN logit", []float64{0, nan, 0}, 0},
		{"infinite logit", []float64{0, inf, 0}, 0},
		{"no possible class", []float64{-inf, -inf, -inf}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, dt := range bothDtypes {
				logits := toValue(append(append([]float64{}, fine...), c.logits...), dt, 2, 3)
				labels := toValue([]float64{1, c.label}, dt, 2)
				if got := do(t, CrossEntropyOp{}, logits, labels)[0]; !math.IsNaN(got) {
					t.Errorf("the loss is %v, want NaN", got)
				}
				if got := do(t, CrossEntropyRowsOp{}, logits, labels); math.IsNaN(got[0]) || !math.IsNaN(got[1]) {
					t.Errorf("the losses are %v, want NaN in the second row only", got)
				}
				for _, got := range [][]float64{
					do(t, CrossEntropyGradOp{}, logits, labels, toValue([]float64{1}, dt)),
					do(t, CrossEntropyRowsGradOp{}, logits, labels, toValue([]float64{1, 1}, dt, 2)),
				} {
					row, bad := got[:3], false
					for _, v := range got[3:] {
						bad = bad || math.IsNaN(v)
					}
					if math.IsNaN(row[0]+row[1]+row[2]) || !bad {
						t.Errorf("the gradient is %v, want NaN in the second row only", got)
					}
				}
			}
		})
	}
}

// TestCrossEntropyRelations checks that the loss is the mean of the rows' losses
// and that each row of the gradient sums to 0.
func TestCrossEntropyRelations(t *testing.T) {
	const m, k = 7, 5
	logits := toValue(times(4, normals(newRand(30), m*k)), tensor.Float64, m, k)
	labels := toValue([]float64{0, 1, 2, 3, 4, 0, 4}, tensor.Float64, m)
	sum := 0.0
	for _, v := range do(t, CrossEntropyRowsOp{}, logits, labels) {
		sum += v
	}
	near(t, "the mean loss", do(t, CrossEntropyOp{}, logits, labels)[0], sum/m, 1e-15)
	g := toValue([]float64{-2.5}, tensor.Float64)
	rows := toValue(times(-2.5/m, []float64{1, 1, 1, 1, 1, 1, 1}), tensor.Float64, m)
	grad := do(t, CrossEntropyGradOp{}, logits, labels, g)
	close64(t, "the gradient", grad, do(t, CrossEntropyRowsGradOp{}, logits, labels, rows), 0)
	for i := 0; i < m; i++ {
		s := 0.0
		for _, v := range grad[i*k : (i+1)*k] {
			s += v
		}
		near(t, "the sum of a row of the gradient", s, 0, 1e-15)
	}
}

// TestCorrect checks ties, NaN and labels that are no class.
func TestCorrect(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		logits []float64
		label  float64
		want   float64
	}{
		{"right", []float64{0, 2, 1}, 1, 1},
		{"wrong", []float64{0, 2, 1}, 2, 0},
		{"tie, first", []float64{3, 1, 3}, 0, 1},
		{"tie, second", []float64{3, 1, 3}, 2, 0},
		{"all equal", []float64{0, 0, 0}, 0, 1},
		{"NaN first", []float64{nan, 2, 1}, 1, 0},
		{"NaN last", []float64{0, 2, nan}, 1, 0},
		{"all NaN", []float64{nan, nan, nan}, 0, 0},
		{"infinite", []float64{0, inf, 1}, 1, 1},
		{"all -Inf", []float64{-inf, -inf, -inf}, 0, 1},
		{"label -1", []float64{1, 0, 0}, -1, 0},
		{"label k", []float64{1, 0, 0}, 3, 0},
		{"fraction", []float64{1, 0, 0}, 0.5, 0},
		{"NaN label", []float64{1, 0, 0}, nan, 0},
	} {
		for _, dt := range bothDtypes {
			got := do(t, CorrectOp{}, toValue(c.logits, dt, 1, 3), toValue([]float64{c.label}, dt, 1))
			if got[0] != c.want {
				t.Errorf("%s in %v: got %v, want %v", c.name, dt, got[0], c.want)
			}
		}
	}
}
