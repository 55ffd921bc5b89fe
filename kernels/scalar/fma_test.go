package scalar

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestFMA holds float32 FMA against exact arithmetic, on numbers drawn so that
// ties, cancellation and subnormal results are common.
func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(low, high int) float32 {
		m := 1 + math.Ldexp(float64(r.IntN(1<<r.IntN(24))), -23)
		if r.IntN(2) == 0 {
			m = -m
		}
		return float32(math.Ldexp(m, low+r.IntN(high-low)))
	}
	slow := 0
	for range 500000 {
		x, y := draw(-12, 12), draw(-12, 12)
		z := draw(-40, 40)
		switch r.IntN(4) {
		case 0:
			x, y, z = draw(-80, -60), draw(-80, -60), draw(-149, -120)
		case 1: // the product is a tie, broken by z
			x, y, z = 1+0x1p-12*float32(2*r.IntN(8)+1), 1+0x1p-12*float32(2*r.IntN(8)+1), draw(-90, -50)
		}
		exact := new(big.Float).SetPrec(600).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
		exact.Add(exact, big.NewFloat(float64(z)))
		want, _ := exact.Float32()
		if got := FMA(x, y, z); got != want {
			t.Fatalf("FMA(%g, %g, %g) = %g, want %g", x, y, z, got, want)
		}
		if float32(float64(x)*float64(y)+float64(z)) != want {
			slow++
		}
	}
	if slow < 100 {
		t.Errorf("only %d draws are ones that two roundings get wrong", slow)
	}
	inf := float32(math.Inf(1))
	for _, c := range [][4]float32{{inf, 1, 1, inf}, {1, 1, -inf, -inf}, {math.MaxFloat32, 2, 0, inf}, {0, 5, 0, 0}} {
		if got := FMA(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("FMA(%v, %v, %v) = %v, want %v", c[0], c[1], c[2], got, c[3])
		}
	}
	for _, c := range [][3]float32{{inf, 0, 1}, {inf, 1, -inf}} {
		if got := FMA(c[0], c[1], c[2]); got == got {
			t.Errorf("FMA(%v, %v, %v) = %v, want NaN", c[0], c[1], c[2], got)
		}
	}
	if got := FMA(1+0x1p-52, 1-0x1p-52, -1.0); got != -0x1p-104 {
		t.Errorf("FMA in float64 gave %g", got)
	}
}
