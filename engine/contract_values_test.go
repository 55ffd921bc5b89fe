package engine_test

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// vec, mat and num make inputs of float64.
func vec(g *G.ExprGraph, name string, data ...float64) *G.Node {
	return input64(g, name, data, len(data))
}

func mat(g *G.ExprGraph, name string, rows, cols int) *G.Node {
	data := make([]float64, rows*cols)
	for i := range data {
		data[i] = float64(i + 1)
	}
	return input64(g, name, data, rows, cols)
}

func num(g *G.ExprGraph, name string, v float64) *G.Node {
	return G.NewScalar(g, tensor.Float64, G.WithName(name), G.WithValue(v))
}

// gradients differentiates a scalar.
func gradients(loss *G.Node, wrt ...*G.Node) G.Nodes {
	d, err := G.Grad(loss, wrt...)
	if err != nil {
		panic(err)
	}
	return d
}

// gradOf is the gradient that a solver would take.
func gradOf(n *G.Node) any {
	v, err := n.Grad()
	if err != nil {
		return err
	}
	return v
}

// regression is a graph with a layer, a loss and gradients.
type regression struct {
	g                              *G.ExprGraph
	x, w, b, inner, out, err, loss *G.Node
	grads                          G.Nodes
}

func newRegression() (m regression) {
	m.g = G.NewGraph()
	m.x, m.w, m.b = mat(m.g, "x", 2, 3), mat(m.g, "w", 3, 2), input64(m.g, "b", []float64{.1, .2, .3, .4}, 2, 2)
	m.inner = G.Must(G.Add(G.Must(G.Mul(m.x, m.w)), m.b))
	m.out = G.Must(G.Tanh(G.Must(G.Mul(m.inner, G.NewConstant(0.01)))))
	m.err = G.Must(G.Square(m.out))
	m.loss = G.Must(G.Sum(m.err))
	m.grads = gradients(m.loss, m.w, m.b)
	return m
}

// valueCases: which values are there after a run, and of what shape.
func valueCases() []contractCase {
	return []contractCase{
		{name: "value of a root", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Mul(mat(g, "x", 2, 3), mat(g, "w", 3, 2)))
			r.run(g)
			r.note("y", y, fmt.Sprintf("%T", y.Value()))
		}},
		{name: "value of a node that others read", do: func(r *rig) {
			m := newRegression()
			r.run(m.g)
			r.note("inner", m.inner)
			r.note("out", m.out, m.err, m.loss)
		}, ours: []string{"inner: float64(2, 2) [22.1 28.2 49.3 64.4]", "out: float64(2, 2) [0.21747 0.27476 0.45659 0.56762] float64(2, 2) [0.047294 0.07549 0.20848 0.32219] float64() 0.65345"}},
		{name: "value of a node that others read, without gradients", do: func(r *rig) {
			g := G.NewGraph()
			y := G.Must(G.Mul(mat(g, "x", 2, 3), mat(g, "w", 3, 2)))
			z := G.Must(G.Sum(y))
			vm := r.run(g)
			r.note("y", y, z)
			r.again(vm)
			r.note("y", y, z, fmt.Sprintf("%T", y.Value()))
		}},
		{name: "value of a node that others read, printed", do: func(r *rig) {
			m := newRegression()
			r.run(m.g)
			r.note("out", fmt.Sprintf("%1.3f|%v", m.out.Value(), m.out.Value().Shape()), m.out.Value().Dtype(), m.out.Value().Size())
		}, ours: []string{`out: ⎡0.217  0.275⎤
⎣0.457  0.568⎦
|(2, 2) float64 4`}},
		{name: "value of a node that others read, after further runs", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g)
			r.note("first", m.out)
			for i := range 3 {
				_ = G.Let(m.b, program22(float64(i)))
				r.again(vm)
				r.note("out", m.out, m.err)
			}
		}, ours: []string{"first: float64(2, 2) [0.21747 0.27476 0.45659 0.56762]", "out: float64(2, 2) [0.21652 0.27291 0.45422 0.5649] float64(2, 2) [0.04688 0.074477 0.20631 0.31911]", "out: float64(2, 2) [0.22603 0.28213 0.46212 0.57167] float64(2, 2) [0.051089 0.0796 0.21355 0.32681]", "out: float64(2, 2) [0.2355 0.29131 0.46995 0.57836] float64(2, 2) [0.055458 0.084863 0.22085 0.3345]"}},
		{name: "value of a node that others read, looked at late", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g)
			_ = G.Let(m.b, program22(1))
			r.note("inner before the second run", m.inner)
			r.again(vm)
			r.note("inner", m.inner)
		}, ours: []string{"inner before the second run: float64(2, 2) [22.1 28.2 49.3 64.4]", "inner: float64(2, 2) [23 29 50 65]"}},
		{name: "value of a node that others read, after Close", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g)
			_ = vm.Close()
			r.note("inner", m.inner)
		}, ours: []string{"inner: float64(2, 2) [22.1 28.2 49.3 64.4]"}},
		{name: "value of a node that others read, after a solver's step", do: func(r *rig) {
			m := newRegression()
			r.run(m.g, G.BindDualValues(m.w, m.b))
			if err := G.NewVanillaSolver(G.WithLearnRate(1)).Step(G.NodesToValueGrads(G.Nodes{m.w, m.b})); err != nil {
				panic(err)
			}
			r.note("inner", m.inner)
		}, ours: []string{"inner: float64(2, 2) [22.1 28.2 49.3 64.4]"}},
		{name: "value of a node that others read, in training with batch normalization", do: func(r *rig) {
			g := G.NewGraph()
			y, _, _, _, err := G.BatchNorm(mat(g, "x", 4, 3), input64(g, "s", []float64{1, 1, 1}, 1, 3), input64(g, "o", []float64{0, 0, 0}, 1, 3), .9, 1e-3)
			if err != nil {
				panic(err)
			}
			sq := G.Must(G.Square(y))
			G.Must(G.Sum(sq))
			vm := r.run(g)
			r.again(vm)
			r.note("y", y, sq)
		}},
		{name: "value of a node that others read, handed to Let", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g)
			r.note("let", G.Let(m.b, m.inner.Value()))
			r.again(vm)
			r.note("inner", m.b, m.inner)
		}, ours: []string{"let: <nil>", "inner: float64(2, 2) [22.1 28.2 49.3 64.4] float64(2, 2) [44.1 56.2 98.3 128.4]"}},
		{name: "value of a node that others read, cloned, copied and compared", do: func(r *rig) {
			m := newRegression()
			r.run(m.g)
			c, err := G.CloneValue(m.out.Value())
			r.note("clone", c, err == nil)
			r.note("equal", G.ValueEq(m.out.Value(), m.out.Value()))
		}, ours: []string{"clone: float64(2, 2) [0.21747 0.27476 0.45659 0.56762] true", "equal: true"}},
		{name: "value of a node that others read, as a tensor", do: func(r *rig) {
			m := newRegression()
			r.run(m.g)
			r.note("out", m.out.Value().(tensor.Tensor).Shape())
		}},
		{name: "derivative of a node that others read", do: func(r *rig) {
			m := newRegression()
			r.run(m.g)
			r.note("derivatives", m.inner.Deriv(), m.out.Deriv())
			r.note("Grad", gradOf(m.inner))
		}},
		{name: "gradients of inputs", do: func(r *rig) {
			m := newRegression()
			vm := r.run(m.g)
			r.note("of Grad", m.grads[0], m.grads[1])
			r.note("w", gradOf(m.w))
			r.note("b", gradOf(m.b))
			r.note("x, not asked for", gradOf(m.x))
			r.again(vm)
			r.note("w again", gradOf(m.w))
		}},
		{name: "gradient that is a constant", do: func(r *rig) {
			g := G.NewGraph()
			x := vec(g, "x", 1, 2, 3)
			d := gradients(G.Must(G.Sum(x)), x)
			r.run(g)
			r.note("d", d[0], gradOf(x))
		}},
		{name: "gradient of a scalar", do: func(r *rig) {
			g := G.NewGraph()
			x, y := num(g, "x", 2), num(g, "y", 3)
			z := G.Must(G.Add(G.Must(G.Mul(x, y)), y))
			d := gradients(z, x, y)
			r.run(g)
			r.note("z", z, d[0], d[1], gradOf(x), gradOf(y))
			r.note("types", fmt.Sprintf("%T %T", z.Value(), d[0].Value()))
		}},
		{name: "two losses of one graph", do: func(r *rig) {
			g := G.NewGraph()
			x := vec(g, "x", 1, 2, 3)
			a, b := G.Must(G.Sum(G.Must(G.Square(x)))), G.Must(G.Mean(x))
			r.run(g)
			r.note("losses", a, b)
		}},
		{name: "scalar ()", do: func(r *rig) {
			g := G.NewGraph()
			x, v := num(g, "x", 2), vec(g, "v", 1, 2, 3)
			s, m, p := G.Must(G.Sum(v)), G.Must(G.Mean(v)), G.Must(G.HadamardProd(x, v))
			q := G.Must(G.Add(s, x))
			r.run(g)
			for _, n := range []*G.Node{s, m, p, q} {
				r.note("value", n.Shape(), n, fmt.Sprintf("%T", n.Value()))
			}
		}},
		{name: "vectors and matrices of one element", do: func(r *rig) {
			g := G.NewGraph()
			v, m := vec(g, "v", 5), mat(g, "m", 1, 1)
			ns := []*G.Node{G.Must(G.Square(v)), G.Must(G.Add(v, v)), G.Must(G.Sum(v)), G.Must(G.Square(m)), G.Must(G.Mul(m, m)),
				G.Must(G.Sum(m)), G.Must(G.Sum(m, 0)), G.Must(G.Sum(m, 1)), G.Must(G.Reshape(m, tensor.Shape{1})), G.Must(G.Mul(m, v))}
			r.run(g)
			for _, n := range ns {
				r.note("value", n.Shape(), n)
			}
		}},
		{name: "gradients of vectors and matrices of one element", do: func(r *rig) {
			g := G.NewGraph()
			v, m := vec(g, "v", 5), mat(g, "m", 1, 1)
			d := gradients(G.Must(G.Add(G.Must(G.Sum(G.Must(G.Square(v)))), G.Must(G.Sum(G.Must(G.Exp(m)))))), v, m)
			r.run(g)
			r.note("gradients", d[0], d[1], gradOf(v), gradOf(m))
		}},
		{name: "slice of one element", do: func(r *rig) {
			g := G.NewGraph()
			v, m := vec(g, "v", 1, 2, 3), mat(g, "m", 2, 3)
			ns := []*G.Node{G.Must(G.Slice(v, G.S(1))), G.Must(G.Slice(v, G.S(1, 2))), G.Must(G.Slice(m, G.S(1), G.S(2))), G.Must(G.Slice(m, G.S(0, 1), G.S(2)))}
			r.run(g)
			for _, n := range ns {
				r.note("value", n.Shape(), n)
			}
		}},
		{name: "slices and transposes", do: func(r *rig) {
			g := G.NewGraph()
			m := mat(g, "m", 3, 4)
			ns := []*G.Node{G.Must(G.Slice(m, G.S(1))), G.Must(G.Slice(m, nil, G.S(1))), G.Must(G.Slice(m, G.S(1, 3), G.S(0, 2))), G.Must(G.Transpose(m)),
				G.Must(G.Transpose(G.Must(G.Slice(m, nil, G.S(1, 3))))), G.Must(G.Sum(G.Must(G.Transpose(m)), 0))}
			r.run(g)
			for _, n := range ns {
				r.note("value", n.Shape(), n)
			}
		}},
		{name: "comparisons and integers", do: func(r *rig) {
			g := G.NewGraph()
			a, b := vec(g, "a", 1, 2, 3), vec(g, "b", 3, 2, 1)
			i := G.NewVector(g, tensor.Int, G.WithShape(3), G.WithName("i"), G.WithValue(tensor.New(tensor.WithBacking([]int{1, 2, 3}))))
			ns := []*G.Node{G.Must(G.Gt(a, b, false)), G.Must(G.Eq(a, b, true)), G.Must(G.Add(i, i)), G.Must(G.Lte(a, b, false))}
			r.run(g)
			for _, n := range ns {
				r.note("value", n)
			}
		}},
		{name: "constants as operands", do: func(r *rig) {
			g := G.NewGraph()
			x, c := vec(g, "x", 1, 2, 3), G.NewConstant(tensor.New(tensor.WithBacking([]float64{4, 5, 6})))
			y := G.Must(G.Add(x, c))
			z := G.Must(G.Mul(y, G.NewConstant(2.0)))
			r.run(g)
			r.note("c", c, z)
			r.note("y", y)
		}, ours: []string{"c: float64(3) [4 5 6] float64(3) [10 14 18]", "y: float64(3) [5 7 9]"}},
		{name: "graph of constants alone", do: func(r *rig) {
			g := G.NewGraph()
			a := g.AddNode(G.NewConstant(2.0))
			b := g.AddNode(G.NewConstant(3.0))
			y := G.Must(G.Add(a, b))
			r.run(g)
			r.note("y", y)
		}, ours: []string{"y: float64() 5"}},
		{name: "empty graph", do: func(r *rig) { r.run(G.NewGraph()) }},
		{name: "no graph", do: func(r *rig) { r.run(nil) }},
		{name: "float32 and float64 in one graph", do: func(r *rig) {
			g := G.NewGraph()
			a := vec(g, "a", 1, 2, 3)
			b := G.NewVector(g, tensor.Float32, G.WithShape(3), G.WithName("b"), G.WithValue(tensor.New(tensor.WithBacking([]float32{4, 5, 6}))))
			c := G.NewScalar(g, tensor.Float32, G.WithName("c"), G.WithValue(float32(2)))
			x := G.Must(G.Square(a))
			y, z := G.Must(G.Tanh(G.Must(G.HadamardProd(c, b)))), G.Must(G.Sum(G.Must(G.Square(G.Must(G.Reshape(b, tensor.Shape{3, 1}))))))
			d := gradients(z, b)
			r.run(g)
			r.note("float64", x)
			r.note("float32", y, z, d[0])
		}},
		{name: "float64 beside mostly float32, with both gradients", do: func(r *rig) {
			g := G.NewGraph()
			n32 := func(name string, shape ...int) *G.Node {
				return G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name), G.WithInit(G.Ones()))
			}
			x, w := n32("x", 2, 3), n32("w", 3, 2)
			loss := G.Must(G.Sum(G.Must(G.Sigmoid(G.Must(G.Mul(x, w))))))
			d := gradients(loss, w)
			a := mat(g, "a", 2, 2)
			y := G.Must(G.Sum(G.Must(G.Sigmoid(G.Must(G.Mul(a, a)))), 0))
			r.run(g)
			r.note("float32", loss, d[0])
			r.note("float64", y)
		}},
		{name: "random nodes", do: func(r *rig) {
			g := G.NewGraph()
			u := G.UniformRandomNode(g, tensor.Float64, 2, 3, 100)
			y := G.Must(G.Add(u, u))
			vm := r.run(g)
			d := y.Value().Data().([]float64)
			inside := true
			for _, v := range d {
				inside = inside && v >= 4 && v <= 6
			}
			r.again(vm)
			e := y.Value().Data().([]float64)
			r.note("drawn", y.Shape(), inside, math.Abs(d[0]-e[0]) > 0)
		}},
	}
}

// program22 is a matrix of one number.
func program22(v float64) G.Value {
	return tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{v, v, v, v}))
}
