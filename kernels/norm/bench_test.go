package norm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Sizes of a hidden layer of the MNIST experiment: a batch of 60, 100 units.
const benchM, benchD = 60, 100

type benchData struct {
	x, g, y, mean, variance, invStd, gamma, beta []float32
	scratch                                      []float64
}

func newBenchData() *benchData {
	r := rand.New(rand.NewPCG(1, 2))
	vec := func() []float32 { return gaussian[float32](r, benchD, 1, 0.1) }
	return &benchData{x: gaussian[float32](r, benchM*benchD, 0, 1), g: gaussian[float32](r, benchM*benchD, 0, 1),
		y: make([]float32, benchM*benchD), mean: vec(), variance: vec(), invStd: vec(), gamma: vec(), beta: vec(), scratch: make([]float64, 2*benchD)}
}

// BenchmarkKernels measures each kernel beside its naive sibling, column by
// column, where it has one.
func BenchmarkKernels(b *testing.B) {
	const m, d = benchM, benchD
	v := newBenchData()
	for _, k := range []struct {
		name  string
		fast  func()
		naive func()
	}{
		{"ColumnMean", func() { ColumnMean(m, d, v.x, d, v.mean) }, func() { naiveMean(v.x, v.mean) }},
		{"ColumnVar", func() { ColumnVar(m, d, v.x, d, v.mean, v.variance) }, func() { naiveVar(v.x, v.mean, v.variance) }},
		{"ColumnDot", func() { ColumnDot(m, d, v.x, d, v.g, d, v.mean) }, nil},
		{"Standardize", func() { Standardize(m, d, v.x, d, 1e-5, v.mean, v.variance, v.invStd, v.y, d) }, func() { naiveStandardize(v) }},
		{"StandardizeGrad", func() { StandardizeGrad(m, d, v.x, d, v.g, d, v.invStd, v.y, d, v.scratch) }, func() { naiveGrad(v) }},
		{"NormalizeBy", func() { NormalizeBy(m, d, v.x, d, v.mean, v.gamma, 1e-5, v.y, d) }, nil},
		{"Affine", func() { Affine(m, d, v.x, d, v.gamma, v.beta, v.y, d) }, nil},
		{"EMA", func() { EMA(v.mean, v.gamma, 0.1, 1, v.mean) }, nil},
	} {
		bench(b, k.name+"/go", k.fast)
		if k.naive != nil {
			bench(b, k.name+"/naive", k.naive)
		}
	}
}

func bench(b *testing.B, name string, f func()) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(4 * benchM * benchD)
		for b.Loop() {
			f()
		}
	})
}

func naiveMean(x, mean []float32) {
	for j := range benchD {
		s := 0.0
		for i := range benchM {
			s += float64(x[i*benchD+j])
		}
		mean[j] = float32(s / benchM)
	}
}

func naiveVar(x, mean, variance []float32) {
	for j := range benchD {
		s := 0.0
		for i := range benchM {
			e := float64(x[i*benchD+j]) - float64(mean[j])
			s += e * e
		}
		variance[j] = float32(s / benchM)
	}
}

func naiveStandardize(v *benchData) {
	naiveMean(v.x, v.mean)
	naiveVar(v.x, v.mean, v.variance)
	for j := range benchD {
		v.invStd[j] = float32(1 / math.Sqrt(float64(v.variance[j])+1e-5))
		for i := range benchM {
			v.y[i*benchD+j] = (v.x[i*benchD+j] - v.mean[j]) * v.invStd[j]
		}
	}
}

func naiveGrad(v *benchData) {
	for j := range benchD {
		a, b := 0.0, 0.0
		for i := range benchM {
			g := float64(v.g[i*benchD+j])
			a += g
			b += g * float64(v.x[i*benchD+j])
		}
		ma, mb := float32(a/benchM), float32(b/benchM)
		for i := range benchM {
			v.y[i*benchD+j] = v.invStd[j] * ((v.g[i*benchD+j] - ma) - v.x[i*benchD+j]*mb)
		}
	}
}
