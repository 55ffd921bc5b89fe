package optim

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// testBits: the instruction sets agree over several calls of assembly, at every
// step t and for moments of any size, in which Adam divides by √(1−beta2^t).
func testBits[T kernels.Float](t *testing.T) {
	const n = 1<<14 + 13
	least, most := -149, 127
	if !kernels.IsFloat32[T]() {
		least, most = -1074, 1023
	}
	type state struct{ p, m, v []T }
	for step := 1; step < 20000; step = step*5/4 + 1 {
		c1, c2 := T(1-math.Pow(0.9, float64(step))), T(1-math.Pow(0.999, float64(step)))
		if step == 3 {
			c2 = 0 // out of its range
		}
		var want state
		for _, isa := range kernels.ISAs() {
			r := rand.New(rand.NewPCG(uint64(step), 2))
			draw := func(least, most int) []T {
				x := make([]T, n)
				for i := range x {
					x[i] = T(math.Ldexp(1+r.Float64(), least+r.IntN(most-least)))
				}
				return x
			}
			s, g := state{draw(-30, 10), draw(-100, 10), draw(least, most)}, draw(-80, 10)
			restore := kernels.UseISA(isa)
			SGD(s.p, g, 0.1)
			Momentum(s.p, g, s.m, 0.1, 0.9)
			Nesterov(s.p, g, s.m, 0.1, 0.9)
			Decayed(s.p, g, 0.01, g)
			Adam(s.p, g, s.m, s.v, 1e-3, 0.9, 0.999, 1e-8, c1, c2)
			AdamW(s.p, g, s.m, s.v, 1e-3, 0.9, 0.999, 1e-8, c1, c2, 0.01)
			restore()
			if want.p == nil {
				want = s
			}
			for i := range n {
				if math.Float64bits(float64(s.p[i])) != math.Float64bits(float64(want.p[i])) || s.m[i] != want.m[i] || s.v[i] != want.v[i] {
					t.Fatalf("%v, step %d, element %d: %v %v %v, want %v %v %v", isa, step, i,
						s.p[i], s.m[i], s.v[i], want.p[i], want.m[i], want.v[i])
				}
			}
		}
	}
}

func TestBits(t *testing.T) {
	t.Run("float32", testBits[float32])
	t.Run("float64", testBits[float64])
}
