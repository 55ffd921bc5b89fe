package scalar

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// wideArguments are of all magnitudes, and those at which functions change their ways.
func wideArguments(n int) []float64 {
	r := rand.New(rand.NewPCG(3, 4))
	all := []float64{0, math.Copysign(0, -1), 1, -1, 2, -2, 3, -3, 0.5, -0.5, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64,
		-math.MaxFloat64, 5e-324, -5e-324, 1 << 53, 1<<53 + 2, 1 << 63, -1 << 63, 1 << 29, 0x1p-29, -0x1p-54, 0x1p-54, log1pLeast, log1pMost, overflow64,
		3.88162421113569373274e+01, -3.88162421113569373274e+01, 3.46573590279972654709e-01, 1.03972077083991796413e+00, 1e22, 0x1.921fb54442d18p+0}
	for len(all) < n {
		v := math.Round(r.NormFloat64()*0x1p40) * 0x1p-40 // whose last bit is not that of all machines
		switch r.IntN(5) {
		case 0:
			v *= 30
		case 1:
			v = math.Ldexp(v, int(300*r.NormFloat64()))
		case 2:
			v = math.Trunc(20 * v)
		case 3:
			v = math.Exp2(math.Trunc(8*v)) * (1 + math.Trunc(3*r.NormFloat64())*0x1p-52)
		}
		all = append(all, v)
	}
	return all
}

// TestWide compares functions of float64 with package math where that fuses no products and sums, and holds their bits
// to those of every other machine.
func TestWide(t *testing.T) {
	pair := func(f func(x, y float64) float64) func(x float64) float64 {
		r := rand.New(rand.NewPCG(5, 6))
		args := wideArguments(2000)
		return func(x float64) float64 { return f(x, args[r.IntN(len(args))]) }
	}
	for _, f := range []struct {
		name     string
		got, ref func(x float64) float64
		ulps     float64
		hash     string
	}{
		{"Log1p", Log1p, math.Log1p, 2, "92941418738ac351"},
		{"Log2", Log2, math.Log2, 2, "e936747df040f2d0"},
		{"Expm1", Expm1, math.Expm1, 2, "280c0351f82dab3c"},
		{"Sin", Sin, math.Sin, 2, "46c70172c2b7606d"},
		{"Cos", Cos, math.Cos, 2, "63878fb752ceb686"},
		{"Pow", pair(Pow), pair(math.Pow), 4, "c78a28d8eecae8d6"},
	} {
		h, differ := fnv.New64(), 0
		for _, x := range wideArguments(100000) {
			got, want := f.got(x), f.ref(x)
			if math.IsNaN(got) {
				got = math.NaN()
			}
			fmt.Fprintln(h, math.Float64bits(got))
			if f.name == "Pow" && 0 < math.Abs(x) && math.Abs(x) < 0x1p-1022 {
				continue // package math's logarithm is wrong for some
			}
			same := got == want && math.Signbit(got) == math.Signbit(want) || math.IsNaN(got) && math.IsNaN(want)
			if same || runtime.GOARCH != "amd64" {
				continue
			}
			differ++
			if e := ulps(got, want, 53, -1074); !(e <= f.ulps) || math.IsInf(want, 0) {
				t.Errorf("%s(%v) = %v, want %v", f.name, x, got, want)
			}
		}
		t.Logf("%s: %d results are not those of package math", f.name, differ)
		if sum := fmt.Sprintf("%x", h.Sum64()); sum != f.hash {
			t.Errorf("%s: the bits have the hash %s, not %s", f.name, sum, f.hash)
		}
	}
}
