package scalar

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// function is one function of the package, in both types, with its reference.
type function struct {
	name   string
	f32    func(x, y []float32)
	f64    func(x, y []float64)
	ref    func(x float64) float64 // in package math
	exact  func(x float64) *big.Float
	limit  float64 // of |x| for random arguments
	pos    bool    // x > 0 only
	ulps32 float64
	ulps64 float64
}

var functions = []function{
	{"Exp", each(Exp[float32]), each(Exp[float64]), math.Exp, bigExp, 700, false, 1, 1},
	{"Log", each(Log[float32]), each(Log[float64]), math.Log, bigLog, 1e6, true, 0.51, 1},
	{"Sigmoid", Sigmoid[float32], Sigmoid[float64], refSigmoid, bigSigmoid, 40, false, 2.5, 2.5},
	{"Tanh", Tanh[float32], Tanh[float64], math.Tanh, bigTanh, 22, false, 1.5, 1.5},
}

func each[T float32 | float64](f func(T) T) func(x, y []T) {
	return func(x, y []T) {
		for i, v := range x {
			y[i] = f(v)
		}
	}
}

func refSigmoid(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

// ulps returns |got-want| in units in the last place of want, for a format with
// the given digits of precision and least exponent.
func ulps(got, want float64, digits, least int) float64 {
	_, e := math.Frexp(want)
	return math.Abs(got-want) / math.Ldexp(1, max(e-digits, least))
}

// TestFloat32 compares one in stride of all float32 with package math in float64.
func TestFloat32(t *testing.T) {
	const stride = 20011 // prime
	for _, f := range functions {
		t.Run(f.name, func(t *testing.T) {
			worst, at := 0.0, float32(0)
			x, y := make([]float32, 1), make([]float32, 1)
			for b := uint64(0); b < 1<<32; b += stride {
				x[0] = math.Float32frombits(uint32(b))
				f.f32(x, y)
				want := f.ref(float64(x[0]))
				got := float64(y[0])
				if w := float64(float32(want)); math.IsNaN(w) || math.IsInf(w, 0) {
					if math.IsNaN(w) != math.IsNaN(got) || !math.IsNaN(w) && got != w {
						t.Fatalf("at %v: %v, want %v", x[0], got, w)
					}
					continue
				}
				if e := ulps(got, want, 24, -149); e > worst {
					worst, at = e, x[0]
				}
			}
			t.Logf("largest error %.3f ulp at %v", worst, at)
			if worst > f.ulps32 {
				t.Errorf("%.3f ulp at %v, want at most %v", worst, at, f.ulps32)
			}
		})
	}
}

// TestFloat64 compares random float64 with 200-bit arithmetic.
func TestFloat64(t *testing.T) {
	for _, f := range functions {
		t.Run(f.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			worst, at := 0.0, 0.0
			x, y := make([]float64, 1), make([]float64, 1)
			for range 1000 {
				u := 2*r.Float64() - 1
				if f.pos {
					u = math.Abs(u)
				}
				switch r.IntN(3) {
				case 0:
					x[0] = u
				case 1:
					x[0] = u * f.limit
				default:
					x[0] = math.Copysign(math.Exp2(-30*math.Abs(u)), u)
				}
				f.f64(x, y)
				want := f.exact(x[0])
				w, _ := want.Float64()
				_, e := math.Frexp(w)
				d, _ := new(big.Float).Sub(want, big.NewFloat(y[0])).Float64()
				if err := math.Abs(d) / math.Ldexp(1, max(e-53, -1074)); err > worst {
					worst, at = err, x[0]
				}
			}
			t.Logf("largest error %.3f ulp at %v", worst, at)
			if worst > f.ulps64 {
				t.Errorf("%.3f ulp at %v, want at most %v", worst, at, f.ulps64)
			}
		})
	}
}

// TestSpecial pins limits, signs of zero, NaN and the edges of gradual underflow
// for both types.
func TestSpecial(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	negZero := math.Copysign(0, -1)
	cases := map[string][][2]float64{
		"Exp":     {{0, 1}, {negZero, 1}, {inf, inf}, {-inf, 0}, {nan, nan}, {1e4, inf}, {-1e4, 0}},
		"Log":     {{1, 0}, {0, -inf}, {negZero, -inf}, {-1, nan}, {inf, inf}, {-inf, nan}, {nan, nan}},
		"Sigmoid": {{0, 0.5}, {negZero, 0.5}, {inf, 1}, {-inf, 0}, {nan, nan}, {1e4, 1}, {-1e4, 0}},
		"Tanh":    {{0, 0}, {negZero, negZero}, {inf, 1}, {-inf, -1}, {nan, nan}, {1e4, 1}, {-1e4, -1}},
	}
	for _, f := range functions {
		for _, c := range cases[f.name] {
			x32, x64 := []float32{float32(c[0])}, []float64{c[0]}
			f.f32(x32, x32)
			f.f64(x64, x64)
			for _, got := range []float64{float64(x32[0]), x64[0]} {
				same := got == c[1] && math.Signbit(got) == math.Signbit(c[1]) || math.IsNaN(got) && math.IsNaN(c[1])
				if !same {
					t.Errorf("%s(%v) = %v, want %v", f.name, c[0], got, c[1])
				}
			}
		}
	}
	for _, c := range []struct{ got, want float64 }{
		{float64(Exp[float32](-103)), 0x1p-149 * math.Round(math.Exp(-103)*0x1p149)},
		{Exp(-745.0), 0x1p-1074},
		{float64(Exp[float32](88.5)), float64(float32(math.Exp(88.5)))},
	} {
		if math.Abs(c.got-c.want) > c.want*1e-7 {
			t.Errorf("at the edge: %v, want %v", c.got, c.want)
		}
	}
}

// TestShortcuts: adding to the exponent has the bits of the two products, and the
// exponential inside of Sigmoid those of Exp.
func TestShortcuts(t *testing.T) {
	for i := range 100000 {
		x := least32 + float32(i)/100000*(largest32-least32)
		p, n := poly32(reduce32(x, round32(x))), round32(x)
		if a, b := shift32(p, n), scale32(p, n); a != b {
			t.Fatalf("e**%v is %v by a shift, %v by products", x, a, b)
		}
		for _, v := range []float32{x, -x, 1.3 * x} {
			e := Exp(-float32(math.Abs(float64(v))))
			want := e / (1 + e)
			if !math.Signbit(float64(v)) {
				want = 1 / (1 + e)
			}
			y := []float32{v}
			if Sigmoid(y, y); y[0] != want {
				t.Fatalf("Sigmoid(%v) = %v, by Exp it is %v", v, y[0], want)
			}
		}
	}
}

const bigPrec = 200

func bigF(x float64) *big.Float { return new(big.Float).SetPrec(bigPrec).SetFloat64(x) }

// bigExp halves the argument to below 2^-12, sums the series and squares back.
func bigExp(x float64) *big.Float { return bigExpOf(bigF(x)) }

func bigExpOf(x *big.Float) *big.Float {
	r := new(big.Float).Copy(x)
	halvings := max(0, r.MantExp(nil)+12)
	r.SetMantExp(r, -halvings)
	sum, term := bigF(1), bigF(1)
	for i := 1; i < 20; i++ {
		term.Mul(term, r)
		term.Quo(term, bigF(float64(i)))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog is one step of Halley's method from the float64 logarithm.
func bigLog(x float64) *big.Float {
	y := bigF(math.Log(x))
	e := bigExpOf(y)
	d := new(big.Float).Sub(bigF(x), e)
	d.Quo(d, new(big.Float).Add(bigF(x), e))
	return y.Add(y, d.Add(d, d))
}

func bigSigmoid(x float64) *big.Float {
	d := bigExp(-x)
	d.Add(d, bigF(1))
	return d.Quo(bigF(1), d)
}

func bigTanh(x float64) *big.Float {
	e := bigExp(2 * x)
	return new(big.Float).Quo(new(big.Float).Sub(e, bigF(1)), new(big.Float).Add(e, bigF(1)))
}

func BenchmarkSigmoid(b *testing.B) {
	x, y := make([]float32, 6000), make([]float32, 6000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = float32(2 * r.NormFloat64())
	}
	b.Run("go", func(b *testing.B) {
		for b.Loop() {
			Sigmoid(x, y)
		}
	})
	b.Run("naive", func(b *testing.B) {
		for b.Loop() {
			for i, v := range x {
				y[i] = float32(1 / (1 + math.Exp(-float64(v))))
			}
		}
	})
}
