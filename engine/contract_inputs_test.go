package engine_test

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// inputCases: what inputs are called, what they hold, and what is missing.
func inputCases() []contractCase {
	named := func(name string) contractCase {
		return contractCase{name: "input called " + name, do: func(r *rig) {
			g := G.NewGraph()
			x, y := vec(g, name, 1, 2, 3), vec(g, "y", 4, 5, 6)
			z := G.Must(G.HadamardProd(x, y))
			d := gradients(G.Must(G.Sum(z)), x)
			vm := r.run(g)
			r.again(vm)
			r.note("z", z, d[0])
		}}
	}
	cases := []contractCase{
		{name: "unnamed inputs", do: func(r *rig) {
			g := G.NewGraph()
			x := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 3), G.WithInit(G.Ones()))
			w := G.NewMatrix(g, tensor.Float64, G.WithShape(3, 2), G.WithInit(G.Ones()))
			y := G.Must(G.Mul(x, w))
			d := gradients(G.Must(G.Sum(y)), w)
			r.run(g)
			r.note("y", y, d[0])
		}},
		{name: "unnamed inputs of one shape", do: func(r *rig) {
			g := G.NewGraph()
			x := G.NewVector(g, tensor.Float64, G.WithShape(3), G.WithInit(G.Ones()))
			w := G.NewVector(g, tensor.Float64, G.WithShape(3), G.WithInit(G.Zeroes()))
			y := G.Must(G.Add(x, w))
			r.run(g)
			r.note("y", y)
		}},
		{name: "equal names of different shape", do: func(r *rig) {
			g := G.NewGraph()
			x, w := mat(g, "x", 2, 3), mat(g, "x", 3, 2)
			y := G.Must(G.Mul(x, w))
			d := gradients(G.Must(G.Sum(y)), x, w)
			r.run(g)
			r.note("y", y, d[0], d[1])
		}},
		{name: "equal names of different type", do: func(r *rig) {
			g := G.NewGraph()
			a := vec(g, "x", 1, 2)
			b := G.NewVector(g, tensor.Float32, G.WithShape(2), G.WithName("x"), G.WithValue(tensor.New(tensor.WithBacking([]float32{3, 4}))))
			x, y := G.Must(G.Square(a)), G.Must(G.Square(b))
			r.run(g)
			r.note("values", x, y)
		}},
		{name: "input without a value", do: func(r *rig) {
			g := G.NewGraph()
			x, y := G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("x")), vec(g, "y", 1, 2)
			z := G.Must(G.Add(x, y))
			vm := r.run(g)
			r.note("let", G.Let(x, tensor.New(tensor.WithBacking([]float64{5, 6}))))
			r.again(vm)
			r.note("z", z)
		}},
		{name: "unnamed input without a value", do: func(r *rig) {
			g := G.NewGraph()
			G.Must(G.Square(G.NewVector(g, tensor.Float64, G.WithShape(2))))
			r.run(g)
		}},
		{name: "input without a value that nothing reads", do: func(r *rig) {
			g := G.NewGraph()
			G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("idle"))
			y := G.Must(G.Square(vec(g, "x", 1, 2)))
			r.run(g)
			r.note("y", y)
		}},
		{name: "input that nothing reads", do: func(r *rig) {
			g := G.NewGraph()
			idle := vec(g, "idle", 7, 8)
			y := G.Must(G.Square(vec(g, "x", 1, 2)))
			r.run(g)
			r.note("y", y, idle)
		}},
		{name: "input that nothing reads of another type", do: func(r *rig) {
			g := G.NewGraph()
			G.NewVector(g, tensor.Float32, G.WithShape(2), G.WithName("idle"), G.WithInit(G.Ones()))
			y := G.Must(G.Square(vec(g, "x", 1, 2)))
			r.run(g)
			r.note("y", y)
		}},
		{name: "Let between runs", do: func(r *rig) {
			g := G.NewGraph()
			x, s := vec(g, "x", 1, 2), num(g, "s", 3)
			y := G.Must(G.HadamardProd(s, x))
			vm := r.run(g)
			r.note("y", y)
			r.note("let", G.Let(x, tensor.New(tensor.WithBacking([]float64{5, 6}))), G.Let(s, 2.0))
			r.again(vm)
			r.note("y", y, x, s)
		}},
		{name: "Let of another shape or type", do: func(r *rig) {
			g := G.NewGraph()
			x := vec(g, "x", 1, 2)
			y := G.Must(G.Square(x))
			r.note("let", G.Let(x, tensor.New(tensor.WithBacking([]float64{5, 6, 7}))), G.Let(x, tensor.New(tensor.WithBacking([]float32{5, 6}))), G.Let(y, 1.0))
			r.run(g)
			r.note("y", y)
		}},
		{name: "input changed in place between runs", do: func(r *rig) {
			g := G.NewGraph()
			x := vec(g, "x", 1, 2)
			y := G.Must(G.Square(x))
			vm := r.run(g)
			x.Value().Data().([]float64)[0] = 9
			r.again(vm)
			r.note("y", y)
		}},
		{name: "methods Let and Set of the machine", do: func(r *rig) {
			g := G.NewGraph()
			x, z := vec(g, "x", 1, 2), vec(g, "z", 0, 0)
			y := G.Must(G.Square(x))
			vm := r.machine(g).(interface {
				G.VM
				Let(*G.Node, any) error
				Set(a, b *G.Node) error
			})
			r.note("let", vm.Let(x, tensor.New(tensor.WithBacking([]float64{3, 4}))))
			r.again(vm)
			r.note("y", y)
			r.note("set", vm.Set(z, y), z)
			r.note("of another graph", vm.Let(vec(G.NewGraph(), "x", 1, 2), 1.0))
		}, ours: []string{"let: <nil>", "y: float64(2) [9 16]", "set: <nil> float64(2) [9 16]", "of another graph: an error"}},
		{name: "inputs stay the same objects", do: func(r *rig) {
			m := newRegression()
			x, w := m.x.Value(), m.w.Value()
			vm := r.run(m.g)
			r.again(vm)
			r.note("same", m.x.Value() == x, m.w.Value() == w)
			bound := r.run(m.g, G.BindDualValues(m.w))
			r.again(bound)
			r.note("same", m.x.Value() == x, m.w.Value() == w)
		}},
		{name: "operations leave their inputs alone", do: func(r *rig) {
			g := G.NewGraph()
			x, y := vec(g, "x", 1, 2), vec(g, "y", 5, 6)
			z := G.Must(G.Exp(G.Must(G.Add(x, y))))
			q := G.Must(G.Neg(x))
			vm := r.run(g)
			r.note("x", x, y, z, q)
			r.again(vm)
			r.note("x", x, y, z, q)
		}},
		{name: "nodes of a clone", do: func(r *rig) {
			m := newRegression()
			g := m.g.Clone().(*G.ExprGraph)
			var loss *G.Node
			for _, n := range g.AllNodes() {
				if n.Name() == m.loss.Name() {
					loss = n
				}
			}
			r.run(g)
			r.note("loss", loss)
		}},
	}
	for _, name := range []string{"step", "lr", "losses", "nonfinite", "seed", "betapower", "vm.out.2", "vm.grad.0", "vm.in.1", "with space/and\n"} {
		cases = append(cases, named(name))
	}
	for name, view := range map[string]func() tensor.Tensor{
		"T": func() tensor.Tensor {
			d := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 6)))
			if err := d.T(); err != nil {
				panic(err)
			}
			return d
		},
		"T and Transpose": func() tensor.Tensor {
			d := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 6)))
			if err := d.T(); err != nil {
				panic(err)
			}
			if err := d.Transpose(); err != nil {
				panic(err)
			}
			return d
		},
		"SafeT": func() tensor.Tensor {
			d, err := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 6))).SafeT()
			if err != nil {
				panic(err)
			}
			return d
		},
		"rows": func() tensor.Tensor {
			d, err := tensor.New(tensor.WithShape(4, 3), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 12))).Slice(G.S(1, 3))
			if err != nil {
				panic(err)
			}
			return d
		},
		"columns": func() tensor.Tensor {
			d, err := tensor.New(tensor.WithShape(2, 5), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 10))).Slice(nil, G.S(1, 4))
			if err != nil {
				panic(err)
			}
			return d
		},
		"every other row": func() tensor.Tensor {
			d, err := tensor.New(tensor.WithShape(4, 3), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 12))).Slice(G.S(0, 4, 2))
			if err != nil {
				panic(err)
			}
			return d
		},
		"column major": func() tensor.Tensor {
			return tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float64{0, 1, 2, 3, 4, 5}))
		},
	} {
		c := contractCase{name: "input that is a view: " + name}
		if right := map[string]string{"columns": "22 28 67 88", "every other row": "13 16 67 88", "column major": "13 16 40 52"}[name]; right != "" {
			c.ours = []string{"let: <nil>", "y: float64(2, 2) [" + right + "] true (2, 3)"}
			c.dies = name == "column major"
		}
		c.do = func(r *rig) {
			g := G.NewGraph()
			x := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 3), G.WithName("x"))
			w := mat(g, "w", 3, 2)
			v := view()
			r.note("let", G.Let(x, v))
			y := G.Must(G.Mul(x, w))
			var read G.Value
			G.Read(y, &read)
			r.run(g)
			r.note("y", read, x.Value() == G.Value(v), fmt.Sprint(v.Shape()))
		}
		cases = append(cases, c)
	}
	cases = append(cases, contractCase{name: "input that is a column of a matrix", do: func(r *rig) {
		g := G.NewGraph()
		x := G.NewVector(g, tensor.Float64, G.WithShape(3), G.WithName("x"))
		v, err := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 6))).Slice(nil, G.S(1))
		if err != nil {
			panic(err)
		}
		r.note("let", G.Let(x, v))
		y := G.Must(G.Sum(G.Must(G.Square(x))))
		r.run(g)
		r.note("y", y)
	}, ours: []string{"let: <nil>", "y: float64() 35"}})
	return cases
}
