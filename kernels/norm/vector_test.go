package norm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// TestSizes: the instruction sets give the same bits where a matrix takes several
// calls of assembly, several strips, or both; package kerneltest has the small
// ones.
func TestSizes(t *testing.T) {
	t.Run("float32", testSizes[float32])
	t.Run("float64", testSizes[float64])
}

func testSizes[T kernels.Float](t *testing.T) {
	for _, s := range []shape{{1100, 40, 43}, {5003, 17, 17}, {300, 300, 300}, {9, 4100, 4101}, {70000, 1, 1}} {
		t.Run(fmt.Sprintf("%dx%d", s.m, s.d), func(t *testing.T) {
			var want [][]T
			for _, isa := range kernels.ISAs() {
				got := everything[T](s, isa)
				if want == nil {
					want = got
				}
				for i := range want {
					for j, v := range want[i] {
						if w := got[i][j]; math.Float64bits(float64(v)) != math.Float64bits(float64(w)) {
							t.Fatalf("%v: element %d of result %d is %v, want %v", isa, j, i, w, v)
						}
					}
				}
			}
		})
	}
}

// everything returns what the kernels make of the same numbers.
func everything[T kernels.Float](s shape, isa kernels.ISA) [][]T {
	defer kernels.UseISA(isa)()
	v := newBenchData[T](s)
	m, d, ld := s.m, s.d, s.ld
	var results [][]T
	keep := func(x ...[]T) {
		for _, x := range x {
			results = append(results, append([]T(nil), x...))
		}
	}
	ColumnSum(m, d, v.x, ld, v.mean)
	keep(v.mean)
	ColumnMean(m, d, v.x, ld, v.mean)
	ColumnVar(m, d, v.x, ld, v.mean, v.variance)
	keep(v.mean, v.variance)
	ColumnDot(m, d, v.x, ld, v.g, ld, v.mean)
	keep(v.mean)
	for j := range v.scratch {
		v.scratch[j] = float64(j)
	}
	AddColumnSums(m, d, v.x, ld, v.scratch)
	for j := range d {
		v.mean[j] = T(v.scratch[j])
	}
	keep(v.mean)
	EMA(v.gamma, v.beta, 0.1, 1.5, v.mean)
	InvStd(d, v.gamma, 1e-5, v.invStd)
	keep(v.mean, v.invStd)
	Center(m, d, v.x, ld, v.mean, v.y, ld)
	keep(v.mean, v.y)
	for _, f := range []func(){
		func() { NormalizeBy(m, d, v.x, ld, v.beta, v.gamma, 1e-5, v.y, ld) },
		func() { ScaleBy(m, d, v.x, ld, v.gamma, 1e-5, v.y, ld) },
		func() { ScaleColumns(m, d, v.x, ld, v.gamma, v.y, ld) },
		func() { Affine(m, d, v.x, ld, v.gamma, v.beta, v.y, ld) },
		func() { SquaredDeviation(m, d, v.x, ld, v.gamma, v.y, ld) },
	} {
		f()
		keep(v.y)
	}
	Standardize(m, d, v.x, ld, 1e-5, v.mean, v.variance, v.invStd, v.y, ld)
	keep(v.mean, v.variance, v.invStd, v.y)
	StandardizeAffine(m, d, v.x, ld, 1e-5, v.mean, v.variance, v.invStd, v.gamma, v.beta, v.y, ld, v.z, ld)
	keep(v.mean, v.variance, v.invStd, v.y, v.z)
	StandardizeGrad(m, d, v.y, ld, v.g, ld, v.invStd, v.z, ld, v.scratch)
	keep(v.z)
	AffineGrad(m, d, v.y, ld, v.g, ld, v.gamma, v.invStd, v.dgamma, v.dbeta, v.z, ld, v.scratch)
	keep(v.dgamma, v.dbeta, v.z)
	Rescale(m, d, v.x, ld, 1e-5, v.invStd, v.y, ld)
	keep(v.invStd, v.y)
	RescaleGrad(m, d, v.y, ld, v.g, ld, v.invStd, v.z, ld)
	keep(v.z)
	return results
}

// TestQuotients: means are correctly rounded, though no instruction divides, for
// every number of rows up to 300 and some large ones.
func TestQuotients(t *testing.T) {
	const d = 128
	r := rand.New(rand.NewPCG(1, 2))
	row := make([]float32, d)
	mean := make([]float32, d)
	for m := 1; m < 1<<30; m = max(m+1, m*301/300) {
		for j := range row {
			row[j] = float32(math.Ldexp(1+r.Float64(), r.IntN(270)-149+8))
		}
		// As the sums of m rows of which all but the first are 0.
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			columnSum(1, d, row, d, float64(m), mean)
			restore()
			for j, v := range row {
				if want := float32(float64(v) / float64(m)); mean[j] != want {
					t.Fatalf("%v: %v/%d = %v, want %v", isa, v, m, mean[j], want)
				}
			}
		}
	}
}
