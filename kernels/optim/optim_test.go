package optim

import (
	"math"
	"testing"

	"driftless/kernels"
)

// Three steps from these parameters with these gradients.
var (
	start     = []float64{1, -2, 0.5}
	gradients = [][]float64{{0.1, -0.2, 3}, {0.4, 0, -1}, {-0.3, 0.5, 2}}
)

// steps runs an update rule with two state vectors and returns the parameters.
func steps[T kernels.Float](update func(t int, p, g, s1, s2 []T)) []float64 {
	convert := func(x []float64) []T {
		y := make([]T, len(x))
		for i, v := range x {
			y[i] = T(v)
		}
		return y
	}
	p, s1, s2 := convert(start), make([]T, 3), make([]T, 3)
	for t, g := range gradients {
		update(t+1, p, convert(g), s1, s2)
	}
	return []float64{float64(p[0]), float64(p[1]), float64(p[2])}
}

// TestAgainstPyTorch compares with what the formulas in the documentation of
// torch.optim.SGD and torch.optim.Adam give in float64 (computed in Python).
func TestAgainstPyTorch(t *testing.T) {
	adam32 := func(lr, b1, b2, eps float64) []float64 {
		return steps(func(t int, p, g, m, v []float32) {
			c1, c2 := 1-math.Pow(b1, float64(t)), 1-math.Pow(b2, float64(t))
			Adam(p, g, m, v, float32(lr), b1, b2, float32(eps), float32(c1), float32(c2))
		})
	}
	adam64 := func(lr, b1, b2, eps float64) []float64 {
		return steps(func(t int, p, g, m, v []float64) {
			Adam(p, g, m, v, lr, b1, b2, eps, 1-math.Pow(b1, float64(t)), 1-math.Pow(b2, float64(t)))
		})
	}
	for _, c := range []struct {
		name     string
		f64, f32 []float64
		want     [3]float64
	}{
		{"SGD(lr=0.1)",
			steps(func(_ int, p, g, _, _ []float64) { SGD(p, g, 0.1) }),
			steps(func(_ int, p, g, _, _ []float32) { SGD(p, g, 0.1) }),
			[3]float64{0.98, -2.03, 0.09999999999999992}},
		{"SGD(lr=0.1, momentum=0.9)",
			steps(func(_ int, p, g, v, _ []float64) { Momentum(p, g, v, 0.1, 0.9) }),
			steps(func(_ int, p, g, v, _ []float32) { Momentum(p, g, v, 0.1, 0.9) }),
			[3]float64{0.9269, -1.9958, -0.3230000000000001}},
		{"Adam(lr=0.01)", adam64(0.01, 0.9, 0.999, 1e-8), adam32(0.01, 0.9, 0.999, 1e-8),
			[3]float64{0.9793891533789653, -1.9873094862871943, 0.47996694944519463}},
		{"Adam(lr=0.001, betas=(0.8, 0.95), eps=0.1)", adam64(1e-3, 0.8, 0.95, 0.1), adam32(1e-3, 0.8, 0.95, 0.1),
			[3]float64{0.9987378067804752, -1.9993282128358385, 0.4981253452917921}},
	} {
		for i, want := range c.want {
			if math.Abs(c.f64[i]-want) > 1e-14 {
				t.Errorf("%s: p[%d] = %v in float64, want %v", c.name, i, c.f64[i], want)
			}
			if math.Abs(c.f32[i]-want) > 1e-6 {
				t.Errorf("%s: p[%d] = %v in float32, want %v", c.name, i, c.f32[i], want)
			}
		}
	}
}

// TestReductions: no momentum is SGD but for a rounding, no decay of weights is Adam
// bit for bit, and Adam's first step is lr
// against the sign of the gradient, whatever its size.
func TestReductions(t *testing.T) {
	p, q := []float32{1, -3, 1e-3}, []float32{1, -3, 1e-3}
	g, v := []float32{0.3, -7, 1e-6}, make([]float32, 3)
	SGD(p, g, 0.01)
	Momentum(q, g, v, 0.01, 0)
	for i := range p {
		if math.Abs(float64(p[i]-q[i])) > 0x1p-23*math.Abs(float64(p[i])) {
			t.Errorf("p[%d] = %v by SGD, %v without momentum", i, p[i], q[i])
		}
	}
	adam, adamW := []float32{1, -3, 1e-3}, []float32{1, -3, 1e-3}
	m1, v1, m2, v2 := make([]float32, 3), make([]float32, 3), make([]float32, 3), make([]float32, 3)
	Adam(adam, g, m1, v1, 0.01, 0.9, 0.999, 1e-8, 0.1, 0.001)
	AdamW(adamW, g, m2, v2, 0.01, 0.9, 0.999, 1e-8, 0.1, 0.001, 0)
	for i := range adam {
		if adam[i] != adamW[i] {
			t.Errorf("p[%d] = %v by Adam, %v by AdamW without decay", i, adam[i], adamW[i])
		}
	}
	a, m, s := []float64{0, 0, 0}, make([]float64, 3), make([]float64, 3)
	Adam(a, []float64{0.3, -7, 1e-3}, m, s, 0.01, 0.9, 0.999, 1e-12, 1-0.9, 1-0.999)
	for i, sign := range []float64{-1, 1, -1} {
		if math.Abs(a[i]-0.01*sign) > 1e-9 {
			t.Errorf("the first step of Adam moves p[%d] by %v, want %v", i, a[i], 0.01*sign)
		}
	}
}

func TestPanics(t *testing.T) {
	x, short := make([]float64, 3), make([]float64, 2)
	for name, f := range map[string]func(){
		"SGD":        func() { SGD(x, short, 1) },
		"Momentum g": func() { Momentum(x, short, x, 1, 1) },
		"Momentum v": func() { Momentum(x, x, short, 1, 1) },
		"Nesterov g": func() { Nesterov(x, short, x, 1, 1) },
		"Nesterov v": func() { Nesterov(x, x, short, 1, 1) },
		"Decayed g":  func() { Decayed(x, short, 1, x) },
		"Decayed":    func() { Decayed(x, x, 1, short) },
		"AdamW":      func() { AdamW(x, x, x, short, 1, 1, 1, 1, 1, 1, 1) },
		"Adam g":     func() { Adam(x, short, x, x, 1, 1, 1, 1, 1, 1) },
		"Adam m":     func() { Adam(x, x, short, x, 1, 1, 1, 1, 1, 1) },
		"Adam v":     func() { Adam(x, x, x, short, 1, 1, 1, 1, 1, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: slices of unequal length do not panic", name)
				}
			}()
			f()
		}()
	}
}
