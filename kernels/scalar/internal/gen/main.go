// Command gen writes the vector kernels of package scalar.
package main

import (
	. "github.com/mmcloughlin/avo/build"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	vec.All(func(v vec.V) {
		rows(v, "exp", "Exp", v.Exp)
		rows(v, "sigmoid", "Sigmoid", v.Sigmoid)
		rows(v, "tanh", "Tanh", v.Tanh)
	})
	Generate()
}

// rows writes a function of every element of a matrix.
func rows(v vec.V, name, function string, f func(x vec.Reg) vec.Reg) {
	vec.Text(name+v.Name, v.Signature("func(m, d int, x *T, ldx int, y *T, ldy int)"),
		name+v.Name+" sets y to "+function+" of x for m ≥ 1 rows of d columns; leading dimensions are in bytes.")
	m, x, y := vec.Arg("m"), vec.Arg("x"), vec.Arg("y")
	cols := v.Columns(vec.Arg("d"))
	vec.Rows(m, []vec.Row{{At: x, Step: vec.Step("ldx")}, {At: y, Step: vec.Step("ldy")}}, func() {
		body := func(s vec.Span) { s.Store(f(s.Load(x)), y) }
		if v.Wide() {
			cols.EachBy(3, body)
		} else {
			cols.Each(body)
		}
	})
	vec.End()
}
