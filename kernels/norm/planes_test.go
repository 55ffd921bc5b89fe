package norm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/kernels"
)

// TestPlanes: channels that take several calls of assembly have the bits of the plain Go.
func TestPlanes(t *testing.T) {
	t.Run("float32", testPlanes[float32])
	t.Run("float64", testPlanes[float64])
}

func testPlanes[T kernels.Float](t *testing.T) {
	const c = 7
	for _, at := range [][2]int{{2, 5000}, {2, 4105}, {150, 64}, {150, 49}} {
		n, s := at[0], at[1]
		r := rand.New(rand.NewPCG(1, 2))
		x, g := gaussian[T](r, n*c*s, 3, 1), gaussian[T](r, n*c*s, 0, 1)
		run := func(isa kernels.ISA) []T {
			defer kernels.UseISA(isa)()
			mean, variance, y, dx := make([]T, c), make([]T, c), make([]T, n*c*s), make([]T, n*c*s)
			PlaneStats(n, c, s, 0, c, x, mean, variance)
			RowsBy(c, 0, n*c, s, x, mean, variance, y)
			PlaneStandardizeGrad(n, c, s, 0, c, x, mean, variance, 1, g, dx)
			return slices.Concat(mean, variance, y, dx)
		}
		want := run(kernels.Go)
		for _, isa := range kernels.ISAs() {
			if !slices.Equal(run(isa), want) {
				t.Errorf("%v: %d images of %d elements a channel: other bits than the plain Go", isa, n, s)
			}
		}
	}
}
