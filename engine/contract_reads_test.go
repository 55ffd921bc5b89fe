package engine_test

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// readCases: what Read gives, and which Values stay the same objects.
func readCases() []contractCase {
	return []contractCase{
		{name: "Read of all kinds of nodes", do: func(r *rig) {
			m := newRegression()
			var v [6]G.Value
			for i, n := range []*G.Node{m.x, m.inner, m.out, m.loss, m.grads[0], m.loss} {
				G.Read(n, &v[i])
			}
			r.run(m.g)
			for i := range v {
				r.note("read", v[i])
			}
			r.note("values", m.out, m.loss)
		}},
		{name: "Read of a constant", do: func(r *rig) {
			g := G.NewGraph()
			c := G.NewConstant(2.0)
			y := G.Must(G.Add(vec(g, "x", 1, 2), c))
			var v G.Value
			for _, n := range g.AllNodes() {
				if n.Op() != nil && len(n.Shape()) == 0 {
					G.Read(n, &v)
				}
			}
			r.run(g)
			r.note("c", v, y)
		}},
		{name: "Read stays the same object", do: func(r *rig) {
			m := newRegression()
			var loss, out G.Value
			G.Read(m.loss, &loss)
			G.Read(m.out, &out)
			vm := r.run(m.g)
			l, o := loss, out
			data := out.Data().([]float64)
			_ = G.Let(m.b, program22(2))
			r.again(vm)
			r.note("same", loss == l, out == o, data[0] == out.Data().([]float64)[0])
			r.note("new content", l, o)
		}},
		{name: "Read into a Value that is there", do: func(r *rig) {
			m := newRegression()
			mine := program22(0)
			into := mine
			G.Read(m.out, &into)
			r.run(m.g)
			r.note("mine", mine, mine == into)
		}},
		{name: "Read is a copy", do: func(r *rig) {
			m := newRegression()
			var out G.Value
			G.Read(m.out, &out)
			vm := r.run(m.g)
			r.note("same", out == m.out.Value())
			out.Data().([]float64)[0] = 77
			r.note("node", m.out)
			r.again(vm)
			r.note("read", out)
		}},
		{name: "Read of an input is a copy", do: func(r *rig) {
			g := G.NewGraph()
			x := vec(g, "x", 1, 2)
			var v G.Value
			G.Read(x, &v)
			G.Must(G.Square(x))
			r.run(g)
			r.note("same", v == x.Value(), v)
		}},
		{name: "Read set to nil between runs", do: func(r *rig) {
			m := newRegression()
			var out G.Value
			G.Read(m.out, &out)
			vm := r.run(m.g)
			out = nil
			r.again(vm)
			r.note("out", out)
		}},
		{name: "the Value of a root is new in each run", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g)
			d, l := m.grads[0].Value(), m.loss.Value()
			before := show(d) + show(l)
			_ = G.Let(m.b, program22(2))
			r.again(vm)
			r.note("kept", show(d)+show(l) == before, d == m.grads[0].Value())
		}},
		{name: "changing a result changes nothing else", do: func(r *rig) {
			g := G.NewGraph()
			x := vec(g, "x", 1, 2)
			y := G.Must(G.Square(x))
			vm := r.run(g)
			y.Value().Data().([]float64)[0] = 100
			r.note("x", x)
			r.again(vm)
			r.note("y", y)
		}},
		{name: "gradient with BindDualValues stays the same object", do: func(r *rig) {
			m := newRegression()
			vm := r.machine(m.g, G.BindDualValues(m.w, m.b))
			r.again(vm)
			w, b := gradOf(m.w), gradOf(m.b)
			r.again(vm)
			r.note("same", w == gradOf(m.w), b == gradOf(m.b))
			r.note("added", w, b)
		}},
		{name: "gradients add up with BindDualValues", do: func(r *rig) {
			m := newRegression()
			vm := r.machine(m.g, G.BindDualValues(m.w))
			for range 3 {
				r.again(vm)
				r.note("w", gradOf(m.w))
				r.note("node", m.grads[0])
				r.note("b", gradOf(m.b))
			}
		}},
		{name: "BindDualValues of all", do: func(r *rig) {
			m := newRegression()
			vm := r.machine(m.g, G.BindDualValues())
			for range 2 {
				r.again(vm)
			}
			r.note("w", gradOf(m.w), gradOf(m.b), m.w)
		}},
		{name: "BindDualValues and solvers", do: func(r *rig) {
			for _, s := range []G.Solver{G.NewVanillaSolver(G.WithLearnRate(.1)), G.NewMomentum(G.WithLearnRate(.1)), G.NewAdamSolver(G.WithLearnRate(.1)),
				G.NewRMSPropSolver(G.WithLearnRate(.1)), G.NewVanillaSolver(G.WithLearnRate(.1), G.WithL2Reg(.1), G.WithClip(.01), G.WithBatchSize(2))} {
				m := newRegression()
				w := m.w.Value()
				vm := r.machine(m.g, G.BindDualValues(m.w, m.b))
				for range 4 {
					r.again(vm)
					if err := s.Step(G.NodesToValueGrads(G.Nodes{m.w, m.b})); err != nil {
						r.note("step", err)
					}
				}
				r.note(fmt.Sprintf("%T", s), m.w, m.b, m.loss, m.w.Value() == w)
			}
		}},
		{name: "solvers without BindDualValues", do: func(r *rig) {
			for _, s := range []G.Solver{G.NewVanillaSolver(G.WithLearnRate(.1)), G.NewAdamSolver(G.WithLearnRate(.1))} {
				m := newRegression()
				vm := r.machine(m.g)
				for range 4 {
					r.again(vm)
					if err := s.Step(G.NodesToValueGrads(G.Nodes{m.w, m.b})); err != nil {
						r.note("step", err)
					}
				}
				r.note(fmt.Sprintf("%T", s), m.w, m.b, m.loss)
			}
		}},
		{name: "gradient that is another input, and a solver", do: func(r *rig) {
			for _, opts := range [][]G.VMOpt{nil, {G.BindDualValues()}} {
				g := G.NewGraph()
				x, y := num(g, "x", 2), num(g, "y", 3)
				z := G.Must(G.Mul(x, y))
				v, w := vec(g, "v", 1, 2), vec(g, "w", 3, 4)
				q := G.Must(G.Add(z, G.Must(G.Sum(G.Must(G.HadamardProd(v, w))))))
				d := gradients(q, x, v)
				old := y.Value()
				vm := r.machine(g, opts...)
				for range 2 {
					r.again(vm)
					r.note("before", d[0], d[1], gradOf(x), gradOf(v))
					if err := G.NewVanillaSolver(G.WithLearnRate(.1)).Step(G.NodesToValueGrads(G.Nodes{x, v})); err != nil {
						r.note("step", err)
					}
					r.note("after", x, y, v, w, y.Value() == old)
				}
			}
		}},
		{name: "gradient that is a constant, and a solver", do: func(r *rig) {
			for range 2 {
				g := G.NewGraph()
				x, y := num(g, "x", 2), num(g, "y", 3)
				z := G.Must(G.Add(x, y))
				gradients(z, x, y)
				vm := r.machine(g)
				for range 2 {
					r.again(vm)
					r.note("gradients", gradOf(x), gradOf(y))
					if err := G.NewVanillaSolver(G.WithLearnRate(.1)).Step(G.NodesToValueGrads(G.Nodes{x, y})); err != nil {
						r.note("step", err)
					}
					r.note("after", x, y)
				}
			}
		}, dies: true, ours: []string{ // stock's solver clears the 1 of all graphs
			"gradients: float64() 1 float64() 1", "after: float64() 1.9 float64() 2.9", "gradients: float64() 1 float64() 1", "after: float64() 1.8 float64() 2.8",
			"gradients: float64() 1 float64() 1", "after: float64() 1.9 float64() 2.9", "gradients: float64() 1 float64() 1", "after: float64() 1.8 float64() 2.8"}},
		{name: "scalar parameters and a solver", do: func(r *rig) {
			g := G.NewGraph()
			x, y, a, b := vec(g, "x", 1, 2, 3), vec(g, "y", 3, 5, 7), num(g, "a", .5), num(g, "b", .1)
			loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(G.Must(G.Add(G.Must(G.Mul(x, a)), b)), y))))))
			gradients(loss, a, b)
			vm := r.machine(g, G.BindDualValues(a, b))
			s := G.NewVanillaSolver(G.WithLearnRate(.01))
			for range 5 {
				r.again(vm)
				if err := s.Step(G.NodesToValueGrads(G.Nodes{a, b})); err != nil {
					r.note("step", err)
				}
			}
			r.note("a, b", a, b, loss)
		}},
	}
}
