package elem

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// BenchmarkElem measures operations on 60×100 elements under each instruction set;
// impl=go is the plain sibling. Functions without a vector kernel are not measured.
func BenchmarkElem(b *testing.B) {
	b.Run("float32", benchmarkElem[float32])
	b.Run("float64", benchmarkElem[float64])
}

func benchmarkElem[T kernels.Float](b *testing.B) {
	const m, d, n = 60, 100, 6000
	r := rand.New(rand.NewPCG(1, 2))
	x, y, out := make([]T, n), make([]T, n), make([]T, n)
	for i := range x {
		x[i], y[i] = T(r.NormFloat64()), T(r.NormFloat64())
	}
	for _, k := range []struct {
		name    string
		vectors int
		f       func()
	}{
		{"add", 3, func() { Apply(Add, x, y, out) }},
		{"mul", 3, func() { Apply(Mul, x, y, out) }},
		{"mul-scalar", 2, func() { Apply(Mul, x, y[:1], out) }},
		{"div", 3, func() { Apply(Div, x, y, out) }},
		{"gt", 3, func() { Apply(Gt, x, y, out) }},
		{"square", 2, func() { Map(Square, x, out) }},
		{"sqrt", 2, func() { Map(Sqrt, x, out) }},
		{"inversesqrt", 2, func() { Map(InverseSqrt, x, out) }},
		{"transpose", 2, func() { Transpose(m, d, x, d, out, m) }},
		{"subouter", 2, func() { SubOuter(m, d, x, d, y, y, out, d) }},
		{"addrow", 2, func() { AddRow(m, d, x, d, y, out, d) }},
	} {
		for _, isa := range kernels.ISAs() {
			b.Run(fmt.Sprintf("impl=%v/op=%s", isa, k.name), func(b *testing.B) {
				defer kernels.UseISA(isa)()
				for b.Loop() {
					k.f()
				}
				b.ReportMetric(float64(kernels.SizeOf[T]()*n*k.vectors)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GB/s")
			})
		}
	}
}
