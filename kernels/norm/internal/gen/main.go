// Command gen writes the vector kernels of package norm.
package main

import (
	. "github.com/mmcloughlin/avo/build"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	for _, k := range kernels {
		vec.Both(k.emit)
	}
	Generate()
}

var kernels = []kernel{
	{
		name: "addSums", doc: "adds x to acc.",
		matrices: []string{"x"}, sums: 1, wide: true,
		element: func(e *element) { VADDPD(e.readWide("x"), e.sum[0], e.sum[0]) },
	},
	{
		name: "addSquares", doc: "adds (x − c0)² to acc.",
		matrices: []string{"x"}, sums: 1, wide: true, columns: 1,
		element: func(e *element) {
			dev := e.Sub64(e.readWide("x"), e.c[0])
			VADDPD(e.Mul64(dev, dev), e.sum[0], e.sum[0])
		},
	},
	{
		name: "addDots", doc: "adds x·y to acc. A product of two float32 is exact in float64, so that rounding it apart from the sum makes no difference.",
		matrices: []string{"x", "y"}, sums: 1, wide: true,
		element: func(e *element) { VFMADD231PD(e.readWide("x"), e.readWide("y"), e.sum[0]) },
	},
	{
		name: "addGradSums", doc: "adds y and x·y to the two accumulators of acc.",
		matrices: []string{"x", "y"}, sums: 2, wide: true,
		element: func(e *element) {
			g := e.readWide("y")
			VADDPD(g, e.sum[0], e.sum[0])
			VFMADD231PD(e.readWide("x"), g, e.sum[1])
		},
	},
	{
		name: "addAffineSums", doc: "adds h, x·h, y and x·y, with h = y·c0, to the four accumulators of acc.",
		matrices: []string{"x", "y"}, sums: 4, wide: true, columns: 1, narrow: true,
		element: func(e *element) {
			g := e.read("y")
			h := e.half.Widen(e.half.Mul(g, e.c[0]))
			wide, x := e.half.Widen(g), e.readWide("x")
			VADDPD(h, e.sum[0], e.sum[0])
			VFMADD231PD(x, h, e.sum[1])
			VADDPD(wide, e.sum[2], e.sum[2])
			VFMADD231PD(x, wide, e.sum[3])
		},
	},
	{
		name: "takeMeans", doc: "sets c0 to acc/f0, where f1 is 1/f0.",
		sums: 1, wide: true, columns: 1, scalars: 2, vector: true,
		element: func(e *element) { e.store(e.half.Narrow(e.DivBy64(e.sum[0], e.f[0], e.f[1])), e.out[0]) },
	},
	{
		name: "takeVariances", doc: "sets c0 to acc/f0 and c1 to 1/√(c0 + f2), where f1 is 1/f0.",
		sums: 1, wide: true, columns: 2, scalars: 3, vector: true,
		element: func(e *element) {
			v := e.half.Narrow(e.DivBy64(e.sum[0], e.f[0], e.f[1]))
			e.store(v, e.out[0])
			e.store(e.half.Narrow(invStd(e, e.half.Widen(v), e.f[2])), e.out[1])
		},
	},
	{
		name: "takeInvStds", doc: "sets y to 1/√(x + f0).",
		matrices: []string{"x", "y"}, wide: true, scalars: 1, vector: true,
		element: func(e *element) {
			e.write(e.half.Narrow(invStd(e, e.readWide("x"), e.f[0])), "y")
		},
	},
	{
		name: "average", doc: "sets z to f0·x + f1·(f2·y), every operation rounded.",
		matrices: []string{"x", "y", "z"}, scalars: 3, vector: true,
		element: func(e *element) {
			p := e.Mul(e.f[0], e.read("x"))
			q := e.Mul(e.f[1], e.Mul(e.f[2], e.read("y")))
			e.write(e.Add(p, q), "z")
		},
	},
	{
		name: "center", doc: "sets y to x − c0.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: 1,
		element: func(e *element) { e.write(e.Sub(e.read("x"), e.c[0]), "y") },
	},
	{
		name: "squareDeviate", doc: "sets y to (x − c0)².",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: 1,
		element: func(e *element) {
			dev := e.Sub(e.read("x"), e.c[0])
			e.write(e.Mul(dev, dev), "y")
		},
	},
	{
		name: "scale", doc: "sets y to x·c0.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: 1,
		element: func(e *element) { e.write(e.Mul(e.read("x"), e.c[0]), "y") },
	},
	{
		name: "affine", doc: "sets y to x·c0 + c1, product and sum rounded apart.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: 2,
		element: func(e *element) { e.write(e.Add(e.Mul(e.read("x"), e.c[0]), e.c[1]), "y") },
	},
	{
		name: "standardize", doc: "sets y to (x − c0)·c1.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: 2,
		element: func(e *element) { e.write(e.Mul(e.Sub(e.read("x"), e.c[0]), e.c[1]), "y") },
	},
	{
		name: "standardizeAffine", doc: "sets y to (x − c0)·c1 and z to y·c2 + c3.",
		matrices: []string{"x", "y", "z"}, writes: []string{"y", "z"}, columns: 4,
		element: func(e *element) {
			xhat := e.Mul(e.Sub(e.read("x"), e.c[0]), e.c[1])
			e.write(xhat, "y")
			e.write(e.Add(e.Mul(xhat, e.c[2]), e.c[3]), "z")
		},
	},
	{
		name: "grad", doc: "sets z to c0·((y − c1) − x·c2).",
		matrices: []string{"x", "y", "z"}, writes: []string{"z"}, columns: 3,
		element: func(e *element) { e.write(gradient(e, e.read("y")), "z") },
	},
	{
		name: "affineGrad", doc: "sets z to c0·((y·c3 − c1) − x·c2).",
		matrices: []string{"x", "y", "z"}, writes: []string{"z"}, columns: 4,
		element: func(e *element) { e.write(gradient(e, e.Mul(e.read("y"), e.c[3])), "z") },
	},
}

func invStd(e *element, v, eps vec.Reg) vec.Reg {
	return e.Div64(vec.Float64("one", 1), e.Sqrt64(e.Add64(v, eps)))
}

func gradient(e *element, g vec.Reg) vec.Reg {
	return e.Mul(e.c[0], e.Sub(e.Sub(g, e.c[1]), e.Mul(e.read("x"), e.c[2])))
}
