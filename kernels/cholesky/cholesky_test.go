package cholesky

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// definite returns a random positive definite matrix.
func definite(rng *rand.Rand, m int) *mat.Dense {
	x, out := mat.NewDense(m+3, m, nil), new(mat.Dense)
	x.Apply(func(_, j int, _ float64) float64 { return rng.NormFloat64() * float64(1+j%7) }, x)
	out.Mul(x.T(), x)
	return out
}

// TestInvert: the inverse times the matrix is the identity, and what is inverted is left to
// InverseRoot's root: L⁻ᵀ·L⁻¹.
func TestInvert(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, m := range []int{0, 1, 2, 3, 4, 5, 9, 16, 33, 100} {
		if m == 0 {
			if !Invert(0, nil) {
				t.Error("the empty matrix has an inverse")
			}
			continue
		}
		a := definite(rng, m)
		inverse, root := mat.DenseCopyOf(a), mat.DenseCopyOf(a)
		if !Invert(m, inverse.RawMatrix().Data) || !InverseRoot(m, root.RawMatrix().Data, 0) {
			t.Fatalf("%d: not found", m)
		}
		for i := range m { // below its diagonal is L
			for j := range i {
				root.Set(i, j, 0)
			}
		}
		var one, same mat.Dense
		one.Mul(inverse, a)
		for i := range m {
			one.Set(i, i, one.At(i, i)-1)
		}
		same.Mul(root, root.T())
		same.Sub(&same, inverse)
		if off := mat.Norm(&one, math.Inf(1)); !(off < 1e-9) {
			t.Errorf("%d: the product with the inverse is off by %g", m, off)
		}
		if off := mat.Norm(&same, math.Inf(1)); !(off < 1e-12*mat.Norm(inverse, math.Inf(1))) {
			t.Errorf("%d: the root's product is off by %g", m, off)
		}
	}
}

// TestNotDefinite: what has no inverse by this method is said to have none.
func TestNotDefinite(t *testing.T) {
	for name, a := range map[string][]float64{
		"zero": {0, 0, 0, 0}, "singular": {1, 1, 1, 1}, "indefinite": {1, 2, 2, 1}, "NaN": {math.NaN(), 0, 0, 1}, "infinite": {math.Inf(1), 0, 0, 1},
	} {
		if Invert(2, a) {
			t.Errorf("%s: %v", name, a)
		}
	}
	if InverseRoot(2, []float64{1, 0.999, 0.999, 1}, 0.1) {
		t.Error("a row of which less than a tenth is left passes")
	}
}
