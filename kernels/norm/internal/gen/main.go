// Command gen writes the vector kernels of package norm.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"

	"driftless/kernels/internal/vec"
)

func main() {
	dispatch := flag.String("dispatch", "", "file for the Go that picks a kernel")
	flag.Parse()
	ConstraintExpr("!noasm")
	for _, k := range kernels {
		vec.All(k.emit)
	}
	planeSums(vec.AVX2)
	planeSums(vec.AVX2.Float64())
	vec.All(planeRows)
	Generate()
	writeDispatch(*dispatch)
}

var kernels = []kernel{
	{
		name: "addSums", doc: "adds x to acc.",
		matrices: []string{"x"}, sums: 1, wide: true,
		element: func(e *element) { VADDPD(e.readWide("x"), e.sum[0], e.sum[0]) },
	},
	{
		name: "addSquares", doc: "adds (x − mu)² to the first accumulator of acc, of which mu is the second.",
		matrices: []string{"x"}, sums: 2, wide: true,
		element: func(e *element) {
			dev := e.Sub64(e.readWide("x"), e.sum[1])
			VADDPD(e.Mul64(dev, dev), e.sum[0], e.sum[0])
		},
	},
	{
		name: "addDots", doc: "adds x·y to acc, product and sum rounded apart.",
		matrices: []string{"x", "y"}, sums: 1, wide: true,
		element: func(e *element) { e.addProduct(e.readWide("x"), e.readWide("y"), e.sum[0]) },
	},
	{
		name: "addGradSums", doc: "adds y and x·y to the two accumulators of acc.",
		matrices: []string{"x", "y"}, sums: 2, wide: true,
		element: func(e *element) {
			g := e.readWide("y")
			VADDPD(g, e.sum[0], e.sum[0])
			e.addProduct(g, e.readWide("x"), e.sum[1])
		},
	},
	{
		name: "addAffineSums", doc: "adds h, x·h, y and x·y, with h = y·c0, to the four accumulators of acc.",
		matrices: []string{"x", "y"}, sums: 4, wide: true, columns: []string{"c0"}, narrow: true,
		element: func(e *element) {
			g := e.read("y")
			h := e.widen(e.multiply(g, e.c["c0"]))
			wide, x := e.widen(g), e.readWide("x")
			VADDPD(h, e.sum[0], e.sum[0])
			e.addProduct(h, x, e.sum[1])
			VADDPD(wide, e.sum[2], e.sum[2])
			e.addProduct(wide, x, e.sum[3])
		},
	},
	{
		name: "takeMeans", doc: "sets c0 to acc/f0, where f1 is 1/f0.",
		sums: 1, wide: true, columns: []string{"c0"}, scalars: 2, vector: true,
		element: func(e *element) { e.store(e.narrow(quotient(e)), e.out["c0"]) },
	},
	{
		name: "splitMeans", doc: "sets acc and hi to acc/f0, and lo to what hi's rounding took, 0 for NaN, where f1 is 1/f0.",
		sums: 1, wide: true, columns: []string{"hi", "lo"}, scalars: 2, vector: true,
		element: func(e *element) {
			mean := quotient(e)
			e.V.Store(mean, e.acc[0])
			hi := e.narrow(mean)
			e.store(hi, e.out["hi"])
			rest := e.Sub64(mean, e.widen(hi))
			e.store(e.narrow(e.Keep64(e.Compare64(vec.Ordered, rest, rest), rest)), e.out["lo"])
		},
	},
	{
		name: "takeVariances", doc: "sets c0 to acc/f0 and c1 to 1/√(c0 + f2), where f1 is 1/f0.",
		sums: 1, wide: true, columns: []string{"c0", "c1"}, scalars: 3, vector: true,
		element: func(e *element) {
			v := e.narrow(quotient(e))
			e.store(v, e.out["c0"])
			e.store(e.narrow(invStd(e, e.widen(v), e.f[2])), e.out["c1"])
		},
	},
	{
		name: "takeInvStds", doc: "sets y to 1/√(x + f0).",
		matrices: []string{"x", "y"}, wide: true, scalars: 1, vector: true,
		element: func(e *element) {
			e.write(e.narrow(invStd(e, e.readWide("x"), e.f[0])), "y")
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
		name: "subtract", doc: "sets y to x − c0.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: []string{"c0"},
		element: func(e *element) { e.write(e.Sub(e.read("x"), e.c["c0"]), "y") },
	},
	{
		name: "center", doc: "sets y to (x − hi) − lo.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: []string{"hi", "lo"},
		element: func(e *element) { e.write(centered(e, e.read("x")), "y") },
	},
	{
		name: "squareDeviate", doc: "sets y to (x − c0)².",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: []string{"c0"},
		element: func(e *element) {
			dev := e.Sub(e.read("x"), e.c["c0"])
			e.write(e.Mul(dev, dev), "y")
		},
	},
	{
		name: "scale", doc: "sets y to x·c0.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: []string{"c0"},
		element: func(e *element) { e.write(e.Mul(e.read("x"), e.c["c0"]), "y") },
	},
	{
		name: "affine", doc: "sets y to x·c0 + c1, product and sum rounded apart.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: []string{"c0", "c1"},
		element: func(e *element) { e.write(e.Add(e.Mul(e.read("x"), e.c["c0"]), e.c["c1"]), "y") },
	},
	{
		name: "normalizeBy", doc: "sets y to (x − c0)·c1.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: []string{"c0", "c1"},
		element: func(e *element) { e.write(e.Mul(e.Sub(e.read("x"), e.c["c0"]), e.c["c1"]), "y") },
	},
	{
		name: "standardize", doc: "sets y to ((x − hi) − lo)·c0.",
		matrices: []string{"x", "y"}, writes: []string{"y"}, columns: []string{"hi", "lo", "c0"},
		element: func(e *element) { e.write(e.Mul(centered(e, e.read("x")), e.c["c0"]), "y") },
	},
	{
		name: "standardizeAffine", doc: "sets y to ((x − hi) − lo)·c0 and z to y·c1 + c2.",
		matrices: []string{"x", "y", "z"}, writes: []string{"y", "z"}, columns: []string{"hi", "lo", "c0", "c1", "c2"},
		element: func(e *element) {
			xhat := e.Mul(centered(e, e.read("x")), e.c["c0"])
			e.write(xhat, "y")
			e.write(e.Add(e.Mul(xhat, e.c["c1"]), e.c["c2"]), "z")
		},
	},
	{
		name: "grad", doc: "sets z to c0·(((y − hi) − lo) − x·dot).",
		matrices: []string{"x", "y", "z"}, writes: []string{"z"}, columns: []string{"hi", "lo", "dot", "c0"},
		element: func(e *element) { e.write(gradient(e, e.read("y")), "z") },
	},
	{
		name: "affineGrad", doc: "sets z to c0·(((y·c1 − hi) − lo) − x·dot).",
		matrices: []string{"x", "y", "z"}, writes: []string{"z"}, columns: []string{"hi", "lo", "dot", "c0", "c1"},
		element: func(e *element) { e.write(gradient(e, e.Mul(e.read("y"), e.c["c1"])), "z") },
	},
}

// quotient returns acc/f0, correctly rounded. Sums of float64 may be too small for DivBy.
func quotient(e *element) vec.Reg {
	if e.Double() {
		return e.Div(e.sum[0], e.f[0])
	}
	return e.DivBy64(e.sum[0], e.f[0], e.f[1])
}

// centered takes a column's mean out of x.
func centered(e *element, x vec.Reg) vec.Reg { return e.Sub(e.Sub(x, e.c["hi"]), e.c["lo"]) }

func invStd(e *element, v, eps vec.Reg) vec.Reg {
	return e.Div64(e.Float64().One(), e.Sqrt64(e.Add64(v, eps)))
}

func gradient(e *element, g vec.Reg) vec.Reg {
	return e.Mul(e.c["c0"], e.Sub(centered(e, g), e.Mul(e.read("x"), e.c["dot"])))
}
