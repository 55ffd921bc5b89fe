package activation

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

var kinds = []Kind{Identity, Sigmoid, Tanh, ReLU}

// TestGradient compares Backward with central differences of Forward.
func TestGradient(t *testing.T) {
	const h = 1e-6
	at := func(k Kind, x float64) float64 {
		y := []float64{x}
		Forward(k, 1, 1, y, 1, y, 1)
		return y[0]
	}
	for _, k := range kinds {
		for _, x := range []float64{-9, -1.5, -0.3, -1e-3, 1e-3, 0.2, 0.63, 2, 8} {
			y, g, dx := []float64{at(k, x)}, []float64{1.7}, []float64{0}
			Backward(k, 1, 1, y, 1, g, 1, dx, 1)
			want := 1.7 * (at(k, x+h) - at(k, x-h)) / (2 * h)
			if math.Abs(dx[0]-want) > 1e-8 {
				t.Errorf("%v'(%v) = %v, want %v", k, x, dx[0], want)
			}
		}
	}
}

// TestReLU pins the derivative at 0, and NaN and signed zero on both ways.
func TestReLU(t *testing.T) {
	nan, inf, negZero := math.NaN(), math.Inf(1), math.Copysign(0, -1)
	for _, c := range []struct{ x, y, dx float64 }{
		{0, 0, 0}, {negZero, 0, 0}, {-1, 0, 0}, {2, 2, 3}, {nan, nan, 3}, {inf, inf, 3}, {-inf, 0, 0}, {5e-324, 5e-324, 3},
	} {
		y, dx := []float64{c.x}, []float64{3}
		Forward(ReLU, 1, 1, y, 1, y, 1)
		Backward(ReLU, 1, 1, y, 1, dx, 1, dx, 1)
		if math.Float64bits(y[0]) != math.Float64bits(c.y) && !(math.IsNaN(y[0]) && math.IsNaN(c.y)) {
			t.Errorf("relu(%v) = %v, want %v", c.x, y[0], c.y)
		}
		if dx[0] != c.dx {
			t.Errorf("relu'(%v) = %v, want %v", c.x, dx[0], c.dx)
		}
	}
	// A gradient that is no number must not pass a unit that is off.
	y, g := []float32{0, 1}, []float32{float32(inf), float32(nan)}
	Backward(ReLU, 1, 2, y, 2, g, 2, g, 2)
	if g[0] != 0 || g[1] == g[1] {
		t.Errorf("gradients Inf, NaN through units off, on: %v, want [0 NaN]", g)
	}
}

// TestTails: sigmoid keeps its digits far below 0 and neither function overflows.
func TestTails(t *testing.T) {
	x := []float32{-80, -95, -1e30, 80, 1e30}
	y := make([]float32, len(x))
	Forward(Sigmoid, 1, len(x), x, len(x), y, len(y))
	for i, want := range []float64{math.Exp(-80), math.Exp(-95), 0, 1, 1} {
		if math.Abs(float64(y[i])-want) > 1e-6*want+0x1p-149 {
			t.Errorf("sigmoid(%v) = %v, want %v", x[i], y[i], want)
		}
	}
}

func TestString(t *testing.T) {
	for k, want := range map[Kind]string{Identity: "identity", Sigmoid: "sigmoid", Tanh: "tanh", ReLU: "relu", 9: "activation(9)"} {
		if k.String() != want {
			t.Errorf("%d prints %q, want %q", uint8(k), k, want)
		}
	}
}

// TestPanics on shapes and kinds that are wrong.
func TestPanics(t *testing.T) {
	x := make([]float32, 6)
	for name, f := range map[string]func(){
		"short x": func() { Forward(ReLU, 3, 3, x, 3, make([]float32, 9), 3) },
		"short y": func() { Forward(ReLU, 2, 3, x, 3, x[:5], 3) },
		"ld":      func() { Forward(ReLU, 2, 3, x, 2, x, 3) },
		"rows":    func() { Forward(ReLU, -1, 3, x, 3, x, 3) },
		"kind":    func() { Forward(9, 2, 3, x, 3, x, 3) },
		"gradient kind": func() {
			Backward(9, 2, 3, x, 3, x, 3, x, 3)
		},
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

// testInParts: the instruction sets give the same bits where a matrix takes several calls of
// assembly.
func testInParts[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{1, 20001, 20001}, {2, 9001, 9003}, {300, 77, 80}} {
		m, d, ld := s[0], s[1], s[2]
		x, g := make([]T, m*ld), make([]T, m*ld)
		for i := range x {
			x[i], g[i] = T(r.NormFloat64()), T(r.NormFloat64())
		}
		for _, k := range kinds {
			var want []T
			for _, isa := range kernels.ISAs() {
				restore := kernels.UseISA(isa)
				out := make([]T, 2*m*ld)
				y, dx := out[:m*ld], out[m*ld:]
				Forward(k, m, d, x, ld, y, ld)
				Backward(k, m, d, y, ld, g, ld, dx, ld)
				restore()
				if want == nil {
					want = out
				}
				for i, v := range out {
					if v != want[i] {
						t.Fatalf("%v, %v of %d×%d: element %d is %v, want %v", isa, k, m, d, i, v, want[i])
					}
				}
			}
		}
	}
}

func TestInParts(t *testing.T) {
	t.Run("float32", testInParts[float32])
	t.Run("float64", testInParts[float64])
}
