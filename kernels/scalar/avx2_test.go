package scalar

import (
	"math"
	"testing"

	"driftless/kernels"
)

// TestSigmoidBits: every instruction set gives the bits of the plain Go, for all
// lengths, in place or not, with special values at every place.
func TestSigmoidBits(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 87, -87, 87.01, -87.01, 88.8, -104, 200, -200, 1e-40, -1e-40,
		float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32}
	check := func(x []float32) {
		want := make([]float32, len(x))
		sigmoid32(x, want)
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			y := make([]float32, len(x)+1)
			y[len(x)] = 7
			Sigmoid(x, y[:len(x)])
			in := append([]float32(nil), x...)
			Sigmoid(in, in)
			restore()
			for i := range want {
				if a, b := math.Float32bits(y[i]), math.Float32bits(want[i]); a != b && want[i] == want[i] || (want[i] != want[i]) != (y[i] != y[i]) {
					t.Fatalf("%s: sigmoid(%v) is %x, plain Go has %x", isa, x[i], a, b)
				}
				if math.Float32bits(in[i]) != math.Float32bits(y[i]) {
					t.Fatalf("%s: sigmoid(%v) in place is %v, %v otherwise", isa, x[i], in[i], y[i])
				}
			}
			if y[len(x)] != 7 {
				t.Fatalf("%s: wrote beyond %d elements", isa, len(x))
			}
		}
	}
	for n := range 40 {
		for at := range max(1, n) {
			for _, s := range special {
				x := make([]float32, n)
				for i := range x {
					x[i] = float32(i-n/2) / 3
				}
				if n > 0 {
					x[at] = s
				}
				check(x)
			}
		}
	}
	x := make([]float32, 1<<12)
	for first := uint32(0); first < 1<<32-1<<22; first += 1 << 22 { // one in 1024 of all arguments
		for i := range x {
			x[i] = math.Float32frombits(first + uint32(i)<<10 + first>>22)
		}
		check(x)
	}
}
