// Command gen writes the vector kernels of package activation.
package main

import (
	. "github.com/mmcloughlin/avo/build"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	vec.All(func(v vec.V) {
		relu(v)
		grad(v, "sigmoidGrad", "g·(y·(1-y))", func(y, g, one vec.Reg) vec.Reg {
			return v.Mul(g, v.Mul(y, v.Sub(one, y)))
		})
		grad(v, "tanhGrad", "g·(1 - y·y)", func(y, g, one vec.Reg) vec.Reg {
			return v.Mul(g, v.Sub(one, v.Mul(y, y)))
		})
		grad(v, "reluGrad", "g where y > 0 or y is NaN, else 0", func(y, g, _ vec.Reg) vec.Reg {
			return v.Keep(v.Compare(vec.NotLE, y, v.Zero()), g)
		})
	})
	Generate()
}

func relu(v vec.V) {
	vec.Text("relu"+v.Name, v.Signature("func(m, d int, x *T, ldx int, y *T, ldy int)"),
		"relu"+v.Name+" sets y to x where x > 0 or x is NaN, else 0, for m ≥ 1 rows of d",
		"columns; leading dimensions are in bytes.")
	m, x, y := vec.Arg("m"), vec.Arg("x"), vec.Arg("y")
	cols, zero := v.Columns(vec.Arg("d")), v.Zero()
	vec.Rows(m, []vec.Row{{At: x, Step: vec.Step("ldx")}, {At: y, Step: vec.Step("ldy")}}, func() {
		cols.Each(func(s vec.Span) {
			in := s.Load(x)
			s.Store(v.Keep(v.Compare(vec.NotLE, in, zero), in), y)
		})
	})
	vec.End()
}

// grad writes a gradient f of outputs y and gradients g.
func grad(v vec.V, name, formula string, f func(y, g, one vec.Reg) vec.Reg) {
	vec.Text(name+v.Name, v.Signature("func(m, d int, y *T, ldy int, gy *T, ldg int, dx *T, lddx int)"),
		name+v.Name+" sets dx to "+formula+" with g = gy, for m ≥ 1 rows of d",
		"columns; leading dimensions are in bytes.")
	m, y, g, dx := vec.Arg("m"), vec.Arg("y"), vec.Arg("gy"), vec.Arg("dx")
	cols, one := v.Columns(vec.Arg("d")), v.Copy(v.One())
	vec.Rows(m, []vec.Row{{At: y, Step: vec.Step("ldy")}, {At: g, Step: vec.Step("ldg")}, {At: dx, Step: vec.Step("lddx")}}, func() {
		cols.Each(func(s vec.Span) { s.Store(f(s.Load(y), s.Load(g), one), dx) })
	})
	vec.End()
}
