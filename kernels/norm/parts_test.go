package norm

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// TestParts: the parts of a normalization, with rows shared anyhow, have the bits of the whole in
// plain Go, under every instruction set.
func TestParts(t *testing.T) {
	t.Run("float32", testParts[float32])
	t.Run("float64", testParts[float64])
}

func testParts[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []shape{{1, 1, 1}, {300, 6, 6}, {77, 6, 9}, {500, 16, 16}, {41, 15, 15}, {19, 33, 40}, {9, 64, 64}} {
		m, d, ld := s.m, s.d, s.ld
		matrix := func() []T { return gaussian[T](r, m*ld, 3, 1) }
		vec := func() []T { return gaussian[T](r, d, 1, 0.2) }
		x, g, gamma, beta := matrix(), matrix(), vec(), vec()
		type result struct{ mean, variance, invStd, xhat, y, dgamma, dbeta, dx []T }
		empty := func() result {
			return result{make([]T, d), make([]T, d), make([]T, d), make([]T, m*ld), make([]T, m*ld), make([]T, d), make([]T, d), make([]T, m*ld)}
		}
		want := empty()
		restore := kernels.UseISA(kernels.Go)
		StandardizeAffine(m, d, x, ld, 1e-5, want.mean, want.variance, want.invStd, gamma, beta, want.xhat, ld, want.y, ld)
		AffineGrad(m, d, want.xhat, ld, g, ld, gamma, want.invStd, want.dgamma, want.dbeta, want.dx, ld, make([]float64, 2*d))
		restore()
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			got, rest, hi, lo, dot := empty(), vec(), vec(), vec(), vec()
			Statistics(m, d, x, ld, 1e-5, got.mean, rest, got.variance, got.invStd)
			cuts := []int{0, m / 3, m / 2, m}
			for i, from := range cuts[:3] {
				n, at := cuts[i+1]-from, from*ld
				StandardizeAffineBy(n, d, x[at:], ld, got.mean, rest, got.invStd, gamma, beta, got.xhat[at:], ld, got.y[at:], ld)
			}
			AffineGradSums(m, d, got.xhat, ld, g, ld, gamma, hi, lo, dot, got.dgamma, got.dbeta)
			for i, from := range cuts[:3] {
				n, at := cuts[i+1]-from, from*ld
				AffineGradBy(n, d, got.xhat[at:], ld, g[at:], ld, gamma, got.invStd, hi, lo, dot, got.dx[at:], ld)
			}
			restore()
			for name, v := range map[string][2][]T{"mean": {got.mean, want.mean}, "variance": {got.variance, want.variance}, "invStd": {got.invStd, want.invStd},
				"xhat": {got.xhat, want.xhat}, "y": {got.y, want.y}, "dgamma": {got.dgamma, want.dgamma}, "dbeta": {got.dbeta, want.dbeta}, "dx": {got.dx, want.dx}} {
				for i := range v[1] {
					if math.Float64bits(float64(v[0][i])) != math.Float64bits(float64(v[1][i])) {
						t.Errorf("%v, %d×%d: element %d of %s is %v, want %v", isa, m, d, i, name, v[0][i], v[1][i])
						break
					}
				}
			}
		}
	}
}
