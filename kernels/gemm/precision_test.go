package gemm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestRound compares with rounding by arithmetic, to multiples of the last bit.
func TestRound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for p, c := range map[Precision]struct {
		bits  int
		round func(float64) float64
	}{TF32: {11, math.Round}, BF16: {8, math.RoundToEven}} {
		check := func(x float32) {
			t.Helper()
			_, e := math.Frexp(float64(x))
			unit := math.Ldexp(1, max(e, -125)-c.bits)
			want := float32(math.Copysign(c.round(float64(x)/unit)*unit, float64(x)))
			if got := p.Round(x); math.Float32bits(got) != math.Float32bits(want) {
				t.Errorf("%v of %v (%#x) is %v, want %v", p, x, math.Float32bits(x), got, want)
			}
			if again := p.Round(p.Round(x)); again != p.Round(x) {
				t.Errorf("%v of %v is not rounded", p, p.Round(x))
			}
		}
		for _, x := range []float32{0, float32(math.Copysign(0, -1)), 1, 1 + 0x1p-11, 1 + 3*0x1p-11, 1 + 0x1p-8, -1 - 3*0x1p-8,
			1e-45, 0x1p-126, math.MaxFloat32, -math.MaxFloat32} {
			check(x)
		}
		for range 10000 {
			if x := math.Float32frombits(r.Uint32()); x-x == 0 {
				check(x)
			}
		}
		inf := float32(math.Inf(1))
		if p.Round(inf) != inf || p.Round(-inf) != -inf {
			t.Errorf("%v of an infinity is finite", p)
		}
		for _, b := range []uint32{0x7f800001, 0x7fffffff, 0xffc00000, 0xffffffff} {
			if x := p.Round(math.Float32frombits(b)); x == x {
				t.Errorf("%v of the NaN %#x is %v", p, b, x)
			}
		}
	}
	if x := float32(math.Pi); Float32.Round(x) != x {
		t.Error("float32 is rounded")
	}
}

func TestParsePrecision(t *testing.T) {
	for _, p := range []Precision{Float32, TF32, BF16} {
		if got, err := ParsePrecision(p.String()); err != nil || got != p {
			t.Error(p, got, err)
		}
	}
	if got, err := ParsePrecision(""); err != nil || got != Float32 {
		t.Errorf("the default is %v, error %v", got, err)
	}
	for _, name := range []string{"fp16", "TF32"} {
		if _, err := ParsePrecision(name); err == nil {
			t.Errorf("%q is a precision", name)
		}
	}
}

// TestGemmRounded: it has the bits of Gemm on rounded operands where a sum is one chunk, and
// is within its bound of the product of the operands as they are, which is not far above
// what it takes of it.
func TestGemmRounded(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const m, n, k = 9, 11, 300
	normal := func(count int) []float32 {
		x := make([]float32, count)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	for _, p := range []Precision{TF32, BF16} {
		for _, trans := range [][2]bool{{false, false}, {true, false}, {false, true}} {
			a, b, c := normal(m*k), normal(k*n), normal(m*n)
			lda, ldb := k, n
			if trans[0] {
				lda = m
			}
			if trans[1] {
				ldb = k
			}
			round := func(x []float32) []float32 {
				y := make([]float32, len(x))
				for i, v := range x {
					y[i] = p.Round(v)
				}
				return y
			}
			ep := Epilogue[float32]{Bias: normal(n)}
			want, got := append([]float32(nil), c...), append([]float32(nil), c...)
			Gemm(trans[0], trans[1], m, n, k, -0.3, round(a), lda, round(b), ldb, true, want, n, ep, make([]float32, Scratch(trans[0], trans[1], m, n, k)))
			GemmRounded(p, trans[0], trans[1], m, n, k, -0.3, a, lda, b, ldb, true, got, n, ep)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%v %v: element %d is %v, want %v", p, trans, i, got[i], want[i])
				}
			}
			GemmRounded(p, trans[0], trans[1], m, n, k, 1, a, lda, b, ldb, false, got, n, Epilogue[float32]{})
			most := 0.0
			for i := range m {
				for j := range n {
					var sum, size float64
					for q := range k {
						at, bt := i*lda+q, q*ldb+j
						if trans[0] {
							at = q*lda + i
						}
						if trans[1] {
							bt = j*ldb + q
						}
						v := float64(a[at]) * float64(b[bt])
						sum, size = sum+v, size+math.Abs(v)
					}
					most = max(most, math.Abs(float64(got[i*n+j])-sum)/size/p.Bound(k))
				}
			}
			if most > 1 || most < 0.01 {
				t.Errorf("%v %v: errors are up to %.3f of the bound", p, trans, most)
			}
		}
	}
}
