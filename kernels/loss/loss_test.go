package loss

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestValues are worked by hand: two equal logits give ln 2, and adding the same
// to all logits changes nothing, however much it is.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		name   string
		logits []float64
		label  float64
		want   float64
	}{
		{"one class", []float64{7}, 0, 0},
		{"even", []float64{0, 0}, 1, math.Ln2},
		{"three to one", []float64{math.Log(3), 0}, 1, math.Log(4)},
		{"huge logits", []float64{1e6, 1e6}, 0, math.Ln2},
		{"hugely negative logits", []float64{-1e6, -1e6}, 0, math.Ln2},
		{"sure and right", []float64{1000, 0}, 0, 0},
		{"sure and wrong", []float64{1000, 0}, 1, 1000},
		{"ruled out", []float64{0, math.Inf(-1)}, 1, math.Inf(1)},
		{"ruled out, rightly", []float64{0, math.Inf(-1)}, 0, 0},
	} {
		out := []float64{-1}
		SoftmaxCrossEntropy(1, len(c.logits), c.logits, len(c.logits), []float64{c.label}, out)
		if out[0] != c.want && !(math.Abs(out[0]-c.want) <= 1e-15*max(1, c.want)) {
			t.Errorf("%s: %v, want %v", c.name, out[0], c.want)
		}
	}
}

// TestGradient compares with central differences of the mean loss, and of a
// weighted sum of the rows'; every row of the gradient sums to 0.
func TestGradient(t *testing.T) {
	const m, n, h = 4, 5, 1e-5
	r := rand.New(rand.NewPCG(1, 2))
	z, labels, rows := make([]float64, m*n), make([]float64, m), make([]float64, m)
	for i := range z {
		z[i] = 3 * r.NormFloat64()
	}
	for i := range labels {
		labels[i] = float64(i % n)
	}
	for name, scale := range map[string][]float64{"mean": {1. / m}, "rows": {0.5, -2, 0, 1}} {
		at := func(i int, d float64) float64 {
			x := append([]float64(nil), z...)
			x[i] += d
			SoftmaxCrossEntropy(m, n, x, n, labels, rows)
			if name == "mean" {
				return Mean(rows)
			}
			s := 0.0
			for k, v := range rows {
				s += scale[k] * v
			}
			return s
		}
		dz := make([]float64, m*n)
		SoftmaxCrossEntropyGrad(m, n, z, n, labels, scale, dz, n)
		for i := range dz {
			want := (at(i, h) - at(i, -h)) / (2 * h)
			if math.Abs(dz[i]-want) > 1e-9 {
				t.Errorf("%s: dz[%d] = %v, want %v", name, i, dz[i], want)
			}
		}
		for i := range m {
			s := 0.0
			for _, v := range dz[i*n : (i+1)*n] {
				s += v
			}
			if math.Abs(s) > 1e-15 {
				t.Errorf("%s: row %d of the gradient sums to %v", name, i, s)
			}
		}
	}
}

// TestBadLabels: what is no class gives NaN and counts as wrong; other rows are
// not touched by it.
func TestBadLabels(t *testing.T) {
	const n = 3
	bad := []float32{-1, 3, 0.5, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e30, -1e-30}
	for _, label := range bad {
		z := []float32{1, 2, 3, 1, 2, 3}
		labels := []float32{label, 2}
		rows, correct, dz := make([]float32, 2), make([]float32, 2), make([]float32, 6)
		SoftmaxCrossEntropy(2, n, z, n, labels, rows)
		SoftmaxCrossEntropyGrad(2, n, z, n, labels, []float32{1}, dz, n)
		Correct(2, n, z, n, labels, correct)
		if rows[0] == rows[0] || correct[0] != 0 {
			t.Errorf("label %v: loss %v, correct %v; want NaN, 0", label, rows[0], correct[0])
		}
		for j := range n {
			if dz[j] == dz[j] {
				t.Errorf("label %v: gradient %v, want NaN", label, dz[:n])
			}
		}
		if !(rows[1] < 1) || correct[1] != 1 || dz[5] != dz[5] {
			t.Errorf("label %v spoils the next row: loss %v, correct %v, gradient %v", label, rows[1], correct[1], dz[n:])
		}
	}
}

func TestCorrect(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		logits []float64
		label  float64
		want   float64
	}{
		{"right", []float64{1, 5, 2}, 1, 1},
		{"wrong", []float64{1, 5, 2}, 2, 0},
		{"lowest of a tie", []float64{5, 5, 2}, 0, 1},
		{"not the lowest of a tie", []float64{5, 5, 2}, 1, 0},
		{"NaN elsewhere", []float64{1, 5, nan}, 1, 0},
		{"NaN first", []float64{nan, 5, 1}, 0, 0},
		{"infinity", []float64{1, inf, 2}, 1, 1},
		{"all ruled out", []float64{-inf, -inf}, 0, 1},
		{"zeros of both signs tie", []float64{math.Copysign(0, -1), 0}, 0, 1},
	} {
		out := []float64{-1}
		Correct(1, len(c.logits), c.logits, len(c.logits), []float64{c.label}, out)
		if out[0] != c.want {
			t.Errorf("%s: %v, want %v", c.name, out[0], c.want)
		}
	}
}

// TestMean accumulates in float64: a float32 sum would stop growing.
func TestMean(t *testing.T) {
	x := make([]float32, 1<<15)
	for i := range x {
		x[i] = 0.1
	}
	x[0] = 1 << 20
	want := (float64(1<<20) + float64(len(x)-1)*float64(float32(0.1))) / float64(len(x))
	if got := Mean(x); got != float32(want) {
		t.Errorf("mean %v, want %v", got, float32(want))
	}
	if got := Mean([]float32(nil)); got == got {
		t.Errorf("the mean of nothing is %v, want NaN", got)
	}
}

func TestPanics(t *testing.T) {
	x, v := make([]float32, 6), make([]float32, 2)
	for name, f := range map[string]func(){
		"short logits":      func() { SoftmaxCrossEntropy(3, 3, x, 3, x, x) },
		"leading dimension": func() { SoftmaxCrossEntropy(2, 3, x, 2, v, v) },
		"no class":          func() { SoftmaxCrossEntropy(2, 0, x, 3, v, v) },
		"short labels":      func() { SoftmaxCrossEntropy(2, 3, x, 3, v[:1], v) },
		"short loss":        func() { SoftmaxCrossEntropy(2, 3, x, 3, v, v[:1]) },
		"no scale":          func() { SoftmaxCrossEntropyGrad(2, 3, x, 3, v, nil, x, 3) },
		"short gradient":    func() { SoftmaxCrossEntropyGrad(2, 3, x, 3, v, v, x[:5], 3) },
		"short result":      func() { Correct(2, 3, x, 3, v, v[:1]) },
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
}
