package elem

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"driftless/kernels"
	"driftless/kernels/scalar"
)

var inf, nan, negZero = math.Inf(1), math.NaN(), math.Copysign(0, -1)

// same compares signs of zero too; all NaNs are equal.
func same(a, b float64) bool {
	return a == b && math.Signbit(a) == math.Signbit(b) || a != a && b != b
}

// TestUnaryEdges pins what the functions give at the edges of their domains.
func TestUnaryEdges(t *testing.T) {
	for op, cases := range map[Unary][][2]float64{
		Neg:         {{0, negZero}, {inf, -inf}},
		Sqrt:        {{negZero, negZero}, {-1, nan}, {inf, inf}},
		Exp:         {{0, 1}, {-inf, 0}, {inf, inf}, {1e4, inf}, {-1e4, 0}},
		Log:         {{1, 0}, {0, -inf}, {-1, nan}, {inf, inf}},
		Log1p:       {{-1, -inf}, {-2, nan}, {0, 0}},
		Abs:         {{negZero, 0}, {-inf, inf}},
		Sign:        {{-3, -1}, {0, 0}, {negZero, negZero}, {1e-40, 1}, {-inf, -1}, {nan, nan}},
		Inverse:     {{0, inf}, {negZero, -inf}, {-inf, negZero}},
		InverseSqrt: {{4, 0.5}, {0, inf}, {-1, nan}, {inf, 0}},
		Cube:        {{-2, -8}, {-inf, -inf}},
		Expm1:       {{-inf, -1}, {0, 0}, {inf, inf}},
		Softplus:    {{0, math.Ln2}, {-inf, 0}, {inf, inf}, {1e4, 1e4}, {-1e4, 0}},
		Sigmoid:     {{0, 0.5}, {-inf, 0}, {inf, 1}},
		Tanh:        {{negZero, negZero}, {-inf, -1}, {inf, 1}},
		Square:      {{-inf, inf}, {-3, 9}},
		Sin:         {{negZero, negZero}, {inf, nan}},
		Cos:         {{0, 1}, {-inf, nan}},
		Log2:        {{0.125, -3}, {1 << 20, 20}, {0, -inf}, {-1, nan}},
		Ceil:        {{-0.5, negZero}, {1.25, 2}, {-inf, -inf}},
		Floor:       {{-0.5, -1}, {1.25, 1}, {inf, inf}},
	} {
		for _, c := range append(cases, [2]float64{nan, nan}) {
			x64, x32 := []float64{c[0]}, []float32{float32(c[0])}
			Map(op, x64, x64)
			Map(op, x32, x32)
			if !same(x64[0], c[1]) || !same(float64(x32[0]), float64(float32(c[1]))) {
				t.Errorf("%v(%v) = %v in float64, %v in float32, want %v", op, c[0], x64[0], x32[0], c[1])
			}
		}
	}
}

// TestSmallArguments: functions that exist for the sake of small arguments keep
// their digits there.
func TestSmallArguments(t *testing.T) {
	for op, want := range map[Unary]float64{Log1p: 1e-9, Expm1: 1e-9, Tanh: 1e-9} {
		x := []float32{1e-9}
		Map(op, x, x)
		if math.Abs(float64(x[0])-want) > 1e-15 {
			t.Errorf("%v(1e-9) = %v", op, x[0])
		}
	}
	x := []float64{-40}
	Map(Softplus, x, x)
	if want := math.Exp(-40); math.Abs(x[0]-want) > 1e-15*want {
		t.Errorf("softplus(-40) = %v, want %v", x[0], want)
	}
}

// TestComparisons: a NaN is unequal to everything and in no order.
func TestComparisons(t *testing.T) {
	a := []float32{1, 2, 2, float32(nan), 0}
	b := []float32{2, 2, 1, 1, float32(negZero)}
	for op, want := range map[Binary][5]float32{
		Gt: {0, 0, 1, 0, 0}, Gte: {0, 1, 1, 0, 1}, Lt: {1, 0, 0, 0, 0}, Lte: {1, 1, 0, 0, 1}, Eq: {0, 1, 0, 0, 1}, Ne: {1, 0, 1, 1, 0},
	} {
		out := make([]float32, 5)
		Apply(op, a, b, out)
		if [5]float32(out) != want {
			t.Errorf("%v: %v, want %v", op, out, want)
		}
	}
}

// TestBetween: of two equal numbers, or where one is a NaN, it is the first.
func TestBetween(t *testing.T) {
	a := []float64{1, 2, 0, nan, 3}
	b := []float64{2, 1, negZero, 1, nan}
	for op, want := range map[Binary][5]float64{Min: {1, 1, 0, nan, 3}, Max: {2, 2, 0, nan, 3}} {
		out := make([]float64, 5)
		Apply(op, a, b, out)
		for i := range out {
			if !same(out[i], want[i]) {
				t.Errorf("%v: %v, want %v", op, out, want)
			}
		}
	}
}

// TestScalarInOutput: a scalar operand may be an element of the output.
func TestScalarInOutput(t *testing.T) {
	x := make([]float64, 200)
	for i := range x {
		x[i] = float64(i + 2)
	}
	Apply(Mul, x, x[:1], x)
	for i, v := range x {
		if want := float64(2 * (i + 2)); v != want {
			t.Fatalf("element %d is %v, want %v", i, v, want)
		}
	}
}

func TestString(t *testing.T) {
	seen := map[string]bool{}
	for op := Add; op <= Pow; op++ {
		seen[op.String()] = true
	}
	for op := Neg; op <= Floor; op++ {
		seen[op.String()] = true
	}
	if len(seen) != 13+20 {
		t.Errorf("%d names for 33 operations: %v", len(seen), seen)
	}
	for _, name := range []string{Binary(200).String(), Unary(200).String()} {
		if !strings.Contains(name, "(200)") {
			t.Errorf("an unknown operation prints %q", name)
		}
	}
}

// TestPanics on lengths, shapes and operations that are wrong.
func TestPanics(t *testing.T) {
	x := make([]float32, 6)
	for name, f := range map[string]func(){
		"length of a":       func() { Apply(Add, x[:2], x, x) },
		"length of b":       func() { Apply(Add, x, x[:0], x) },
		"unknown binary":    func() { Apply(Pow+1, x, x, x) },
		"length of x":       func() { Map(Neg, x[:3], x) },
		"unknown unary":     func() { Map(Floor+1, x, x) },
		"short row":         func() { AddRow(2, 3, x, 3, x[:2], x, 3) },
		"short rows":        func() { SubOuter(3, 2, x, 2, x[:2], x, x, 2) },
		"short cols":        func() { SubOuter(2, 3, x, 3, x, x[:2], x, 3) },
		"leading dimension": func() { RepeatRows(2, 3, x, x, 2) },
		"short column":      func() { RepeatColumns(3, 2, x[:2], x, 2) },
		"short sum":         func() { RowSum(2, 3, x, 3, x[:1]) },
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
	Apply(Add, x[:1], nil, nil)
	Map(Exp, nil, []float32(nil))
	AddRow(2, 0, nil, 0, nil, []float32(nil), 0)
	RowSum(2, 0, nil, 5, x)
	if Sum[float32](nil) != 0 {
		t.Error("the empty sum is not 0")
	}
}

// testTransposeInParts: a matrix that takes several calls of assembly is transposed whole.
func testTransposeInParts[T kernels.Float](t *testing.T) {
	for _, s := range [][2]int{{1037, 30}, {10, 2000}, {3, 9000}, {9000, 3}} {
		m, d := s[0], s[1]
		x := make([]T, m*d)
		for i := range x {
			x[i] = T(i)
		}
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			y := make([]T, m*d)
			Transpose(m, d, x, d, y, m)
			restore()
			for i, v := range x {
				if got := y[i%d*m+i/d]; got != v {
					t.Fatalf("%v, %d×%d: element %d is %v, want %v", isa, m, d, i, got, v)
				}
			}
		}
	}
}

func TestTransposeInParts(t *testing.T) {
	t.Run("float32", testTransposeInParts[float32])
	t.Run("float64", testTransposeInParts[float64])
}

// testInParts: the instruction sets give the same bits where slices take several calls of assembly.
func testInParts[T kernels.Float](t *testing.T) {
	const n = 3*8192 + 5
	r := rand.New(rand.NewPCG(1, 2))
	a, b := make([]T, n), make([]T, n)
	for i := range a {
		a[i], b[i] = T(r.NormFloat64()), T(r.NormFloat64())
	}
	check := func(name string, f func(out []T)) {
		var want []T
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			out := make([]T, n)
			f(out)
			restore()
			if want == nil {
				want = out
			}
			for i := range out {
				if !same(float64(out[i]), float64(want[i])) {
					t.Fatalf("%v, %s: element %d is %v, want %v", isa, name, i, out[i], want[i])
				}
			}
		}
	}
	for op := Add; int(op) < len(binaryNames); op++ {
		check(op.String(), func(out []T) { Apply(op, a, b, out) })
		check(op.String()+" of a scalar", func(out []T) { Apply(op, a[:1], b, out) })
		check(op.String()+" with a scalar", func(out []T) { Apply(op, a, b[:1], out) })
		check(op.String()+" of scalars", func(out []T) { Apply(op, a[:1], b[:1], out) })
	}
	for op := Neg; int(op) < len(unaryNames); op++ {
		check(op.String(), func(out []T) { Map(op, a, out) })
	}
	check("SubOuter", func(out []T) { SubOuter(n/1000, 1000, a, 1000, b, a, out, 1000) })
	check("AddRow", func(out []T) { AddRow(n/1000, 1000, a, 1000, b, out, 1000) })
}

func TestInParts(t *testing.T) {
	t.Run("float32", testInParts[float32])
	t.Run("float64", testInParts[float64])
}

// testLog: vectors have the bits of package scalar at the edges of the domain, and wherever else.
func testLog[T kernels.Float](t *testing.T, least, normal, most T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := []T{0, T(negZero), 1, -1, T(nan), T(inf), T(-inf), least, -least, 3 * least, normal, -normal, most, -most, normal - least, math.Sqrt2, math.Sqrt2 / 2}
	for range 5000 {
		v := T(math.Exp(20 * r.NormFloat64()))
		x = append(x, v, 1+v/1e9, v*normal, least*T(r.IntN(1<<22)), T(r.NormFloat64()))
	}
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		out := make([]T, len(x))
		Map(Log, x, out)
		restore()
		for i, v := range x {
			if want := scalar.Log(v); !same(float64(out[i]), float64(want)) {
				t.Fatalf("%v: ln %v is %v, want %v", isa, v, out[i], want)
			}
		}
	}
}

func TestLog(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		testLog[float32](t, math.SmallestNonzeroFloat32, 0x1p-126, math.MaxFloat32)
	})
	t.Run("float64", func(t *testing.T) {
		testLog(t, math.SmallestNonzeroFloat64, 0x1p-1022, math.MaxFloat64)
	})
}
