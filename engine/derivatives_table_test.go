package engine_test

import (
	"fmt"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

type (
	nodes  = []*G.Node
	shape  = tensor.Shape
	unary  = func(*G.Node) (*G.Node, error)
	binary = func(a, b *G.Node) (*G.Node, error)
)

func normal(s ...int) operand {
	return operand{shape: s, fill: func(r *rand.Rand) float64 { return r.NormFloat64() }}
}

func above0(s ...int) operand {
	return operand{shape: s, fill: func(r *rand.Rand) float64 { return 0.3 + r.Float64() }}
}

func share(s ...int) operand {
	return operand{shape: s, fill: func(r *rand.Rand) float64 { return 0.1 + 0.8*r.Float64() }}
}

func whole(s shape, v ...int) operand { return operand{shape: s, ints: v} }

func of1(f unary) func(n nodes) (*G.Node, error) {
	return func(n nodes) (*G.Node, error) { return f(n[0]) }
}
func of2(f binary) func(n nodes) (*G.Node, error) {
	return func(n nodes) (*G.Node, error) { return f(n[0], n[1]) }
}

// table collects derivatives.
type table []derivative

func (t *table) add(name string, build func(n nodes) (*G.Node, error), args ...operand) {
	t.refuse("", name, build, args...)
}

// refuse adds one for which there must be an error that says why.
func (t *table) refuse(why, name string, build func(n nodes) (*G.Node, error), args ...operand) {
	for _, a := range args {
		name += fmt.Sprint(" ", a.shape)
	}
	*t = append(*t, derivative{name: name, args: args, build: build, refused: why})
}

// derivatives has every public constructor of Gorgonia that takes and returns numbers.
var derivatives = func() (t table) {
	t.elementwise()
	t.broadcasts()
	t.reductions()
	t.shapes()
	t.products()
	t.images()
	t.layers()
	return t
}()

func (t *table) elementwise() {
	shapes := []shape{{}, {1}, {4}, {1, 1}, {1, 3}, {3, 1}, {3, 4}, {2, 3, 2}}
	for name, f := range map[string]unary{
		"Abs": G.Abs, "Neg": G.Neg, "Square": G.Square, "Exp": G.Exp, "Expm1": G.Expm1, "Cube": G.Cube, "Sin": G.Sin, "Cos": G.Cos,
		"Tanh": G.Tanh, "Sigmoid": G.Sigmoid, "Softplus": G.Softplus, "Mish": G.Mish, "Rectify": G.Rectify,
		"LeakyRelu": func(n *G.Node) (*G.Node, error) { return G.LeakyRelu(n, 0.1) },
		"Sign":      func(n *G.Node) (*G.Node, error) { return G.Add(G.Must(G.Sign(n)), n) },
		"Floor":     func(n *G.Node) (*G.Node, error) { return G.HadamardProd(G.Must(G.Floor(n)), n) },
		"Ceil":      func(n *G.Node) (*G.Node, error) { return G.HadamardProd(G.Must(G.Ceil(n)), n) },
		"ReduceAdd": func(n *G.Node) (*G.Node, error) {
			return G.ReduceAdd(G.Nodes{G.Must(G.Square(n)), G.Must(G.Sin(n)), G.Must(G.Exp(n)), n})
		},
	} {
		for _, s := range shapes {
			t.add(name, of1(f), normal(s...))
		}
	}
	for name, f := range map[string]unary{
		"Sqrt": G.Sqrt, "Log": G.Log, "Log1p": G.Log1p, "Log2": G.Log2, "Inverse": G.Inverse, "InverseSqrt": G.InverseSqrt,
		"InverseSqrt of a difference": func(n *G.Node) (*G.Node, error) { return G.InverseSqrt(G.Must(G.Sub(G.Must(G.Exp(n)), n))) },
		"Log2 of InverseSqrt":         func(n *G.Node) (*G.Node, error) { return G.Log2(G.Must(G.InverseSqrt(G.Must(G.Square(n))))) },
	} {
		for _, s := range shapes {
			t.add(name, of1(f), above0(s...))
		}
	}
	for name, f := range map[string]binary{"Add": G.Add, "Sub": G.Sub, "HadamardProd": G.HadamardProd, "HadamardDiv": G.HadamardDiv,
		"Div": G.Div, "Pow": G.Pow, "ReduceMul": func(a, b *G.Node) (*G.Node, error) { return G.ReduceMul(G.Nodes{a, b}) }} {
		for _, s := range shapes {
			if name != "ReduceMul" || len(s) == 0 {
				t.add(name, of2(f), above0(s...), above0(s...))
				t.add(name+" of one", func(n nodes) (*G.Node, error) { return f(n[0], n[0]) }, above0(s...))
			}
			if len(s) > 0 {
				t.add(name, of2(f), above0(), above0(s...))
				t.add(name, of2(f), above0(s...), above0())
			}
		}
	}
	for _, s := range shapes[1:] {
		t.add("MinBetween", of2(G.MinBetween), normal(s...), normal(s...))
		t.add("MaxBetween", of2(G.MaxBetween), normal(s...), normal(s...))
	}
	t.add("MaxBetween", of2(G.MaxBetween), normal(), normal())
	t.add("BinaryXent", of2(G.BinaryXent), share(3, 4), share(3, 4))
	t.add("Gt", func(n nodes) (*G.Node, error) { return G.HadamardProd(G.Must(G.Gt(n[0], n[0], true)), n[0]) }, normal(3, 2))
}

func (t *table) broadcasts() {
	type broadcast = func(a, b *G.Node, l, r []byte) (*G.Node, error)
	for name, f := range map[string]broadcast{"Add": G.BroadcastAdd, "Sub": G.BroadcastSub, "HadamardProd": G.BroadcastHadamardProd,
		"HadamardDiv": G.BroadcastHadamardDiv, "Pow": G.BroadcastPow} {
		for _, c := range []struct {
			a, b shape
			l, r []byte
		}{
			{shape{3, 4}, shape{4}, nil, []byte{0}}, {shape{3, 4}, shape{3}, nil, []byte{1}}, {shape{4}, shape{3, 4}, []byte{0}, nil},
			{shape{3}, shape{3, 4}, []byte{1}, nil}, {shape{3, 4}, shape{1, 4}, nil, []byte{0}}, {shape{3, 4}, shape{3, 1}, nil, []byte{1}},
			{shape{1, 4}, shape{3, 4}, []byte{0}, nil}, {shape{3, 1}, shape{3, 4}, []byte{1}, nil}, {shape{3, 1}, shape{1, 4}, []byte{1}, []byte{0}},
			{shape{1, 4}, shape{3, 1}, []byte{0}, []byte{1}}, {shape{3, 4}, shape{1, 1}, nil, []byte{0, 1}}, {shape{1, 1}, shape{3, 4}, []byte{0, 1}, nil},
			{shape{2, 3, 4}, shape{3, 4}, nil, []byte{0}}, {shape{2, 3, 4}, shape{2, 4}, nil, []byte{1}}, {shape{2, 3, 4}, shape{2, 3}, nil, []byte{2}},
			{shape{2, 3, 4}, shape{1, 3, 1}, nil, []byte{0, 2}}, {shape{2, 3, 4}, shape{3}, nil, []byte{0, 2}}, {shape{2, 3, 4}, shape{4}, nil, []byte{0, 1}},
			{shape{2, 3, 4}, shape{2, 1, 1}, nil, []byte{1, 2}}, {shape{1, 3, 1}, shape{2, 3, 4}, []byte{0, 2}, nil},
			{shape{2, 3, 2, 2}, shape{1, 3, 1, 1}, nil, []byte{0, 2, 3}}, {shape{1, 3, 1, 1}, shape{2, 3, 2, 2}, []byte{0, 2, 3}, nil},
			{shape{1, 4}, shape{1, 4}, nil, nil}, {shape{3, 1}, shape{3}, nil, []byte{1}}, {shape{1, 4}, shape{4}, nil, []byte{0}},
		} {
			t.add(fmt.Sprint("Broadcast", name, c.l, c.r), func(n nodes) (*G.Node, error) { return f(n[0], n[1], c.l, c.r) }, above0(c.a...), above0(c.b...))
		}
	}
}

func (t *table) reductions() {
	t.add("BroadcastAdd, whose gradients are a column and a vector", func(n nodes) (*G.Node, error) {
		y := G.Must(G.Sum(G.Must(G.Auto(G.BroadcastHadamardProd, n[1], n[0]))))
		return G.Add(y, G.Must(G.Mean(G.Must(G.BroadcastAdd(n[0], n[1], nil, []byte{0, 1})))))
	}, normal(17, 1), normal(1, 1))
	for name, f := range map[string]func(*G.Node, ...int) (*G.Node, error){"Sum": G.Sum, "Mean": G.Mean, "Max": G.Max} {
		for _, c := range []struct {
			s    shape
			axes [][]int
		}{
			{shape{1}, [][]int{{}}}, {shape{4}, [][]int{{}, {0}}}, {shape{3, 4}, [][]int{{}, {0}, {1}, {0, 1}, {1, 0}}},
			{shape{1, 4}, [][]int{{0}, {1}}}, {shape{3, 1}, [][]int{{0}, {1}}},
			{shape{2, 3, 4}, [][]int{{}, {0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}}}, {shape{2, 3, 2, 2}, [][]int{{}, {1}, {2, 3}, {0, 2, 3}}}, {shape{2, 3, 3, 2}, [][]int{{2}, {0, 2}, {3, 2}, {0, 3, 2}}},
		} {
			for _, axes := range c.axes {
				t.add(fmt.Sprint(name, axes), func(n nodes) (*G.Node, error) { return f(n[0], axes...) }, normal(c.s...))
				t.add(fmt.Sprint(name, axes, " in KeepDims"), func(n nodes) (*G.Node, error) {
					return G.KeepDims(n[0], false, func(a *G.Node) (*G.Node, error) { return f(a, axes...) })
				}, normal(c.s...))
			}
		}
	}
	for _, s := range []shape{{4}, {3, 4}, {4, 1}, {2, 3, 2}} {
		t.add("SoftMax", func(n nodes) (*G.Node, error) { return G.SoftMax(n[0]) }, normal(s...))
		t.add("LogSoftMax", func(n nodes) (*G.Node, error) { return G.LogSoftMax(n[0]) }, normal(s...))
		t.add("LogSoftMax as Log of SoftMax", func(n nodes) (*G.Node, error) { return G.Log(G.Must(G.SoftMax(n[0]))) }, normal(s...))
		t.add("Sparsemax", func(n nodes) (*G.Node, error) { return G.Sparsemax(n[0]) }, normal(s...))
		for axis := range s {
			for p := 1; p <= 3; p++ {
				t.add(fmt.Sprint("Norm ", axis, p), func(n nodes) (*G.Node, error) { return G.Norm(n[0], axis, p) }, above0(s...))
			}
			t.add(fmt.Sprint("SoftMax ", axis), func(n nodes) (*G.Node, error) { return G.SoftMax(n[0], axis) }, normal(s...))
			t.add(fmt.Sprint("LogSoftMax ", axis), func(n nodes) (*G.Node, error) { return G.LogSoftMax(n[0], axis) }, normal(s...))
		}
	}
	t.add("LogSumExp", func(n nodes) (*G.Node, error) { return G.LogSumExp(n[0], 0) }, normal(4))
	t.add("Sparsemax 1", func(n nodes) (*G.Node, error) { return G.Sparsemax(n[0], 1) }, normal(3, 4))
	t.refuse("leaves its result transposed", "Sparsemax 0", func(n nodes) (*G.Node, error) { return G.Sparsemax(n[0], 0) }, normal(3, 4))
}

func (t *table) shapes() {
	t.add("Reshape", func(n nodes) (*G.Node, error) { return G.Reshape(n[0], shape{2, -1}) }, normal(3, 4))
	t.add("Ravel", of1(G.Ravel), normal(2, 3, 2))
	for _, p := range [][]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		t.add(fmt.Sprint("Transpose", p), func(n nodes) (*G.Node, error) { return G.Transpose(n[0], p...) }, normal(2, 3, 4))
	}
	t.add("Transpose", func(n nodes) (*G.Node, error) { return G.Transpose(n[0]) }, normal(3, 4))
	t.add("Transpose", func(n nodes) (*G.Node, error) { return G.Transpose(n[0], 0, 3, 1, 2) }, normal(2, 3, 4, 2))
	for name, c := range map[string]struct {
		s  shape
		at []tensor.Slice
	}{
		"1:3": {shape{4}, []tensor.Slice{G.S(1, 3)}}, "2": {shape{4}, []tensor.Slice{G.S(2)}}, "0:5:2": {shape{5}, []tensor.Slice{G.S(0, 5, 2)}},
		":,0:7:3": {shape{2, 7}, []tensor.Slice{nil, G.S(0, 7, 3)}},
		"1:3,":    {shape{3, 4}, []tensor.Slice{G.S(1, 3)}}, "1,": {shape{3, 4}, []tensor.Slice{G.S(1)}}, ":,1:3": {shape{3, 4}, []tensor.Slice{nil, G.S(1, 3)}},
		":,2": {shape{3, 4}, []tensor.Slice{nil, G.S(2)}}, "1,2": {shape{3, 4}, []tensor.Slice{G.S(1), G.S(2)}}, "1,1:3": {shape{3, 4}, []tensor.Slice{G.S(1), G.S(1, 3)}},
		"0,": {shape{1, 3}, []tensor.Slice{G.S(0)}}, ":,0": {shape{3, 1}, []tensor.Slice{nil, G.S(0)}}, ":,1,0:2": {shape{2, 3, 4}, []tensor.Slice{nil, G.S(1), G.S(0, 2)}},
	} {
		t.add("Slice "+name, func(n nodes) (*G.Node, error) { return G.Slice(n[0], c.at...) }, normal(c.s...))
	}
	for _, s := range []shape{{4}, {3, 4}, {2, 3, 2}} {
		for axis := range s {
			t.add(fmt.Sprint("Concat ", axis), func(n nodes) (*G.Node, error) { return G.Concat(axis, n[0], n[1], n[0]) }, normal(s...), normal(s...))
			t.add(fmt.Sprint("Unconcat ", axis), func(n nodes) (*G.Node, error) {
				parts, err := G.Unconcat(n[0], axis, s[axis])
				if err != nil {
					return nil, err
				}
				return G.Add(parts[0], G.Must(G.Square(parts[1])))
			}, normal(s...))
		}
	}
	t.add("Concat 1", func(n nodes) (*G.Node, error) { return G.Concat(1, n[0], n[1]) }, normal(2, 1, 3, 2), normal(2, 2, 3, 2))
	t.add("Concat 0", func(n nodes) (*G.Node, error) { return G.Concat(0, n[0], n[1]) }, normal(1, 3), normal(2, 3))
	for _, c := range []struct {
		s       shape
		axis    int
		indices []int
	}{{shape{4}, 0, []int{1, 0, 1}}, {shape{3, 4}, 0, []int{1, 0, 1}}, {shape{3, 4}, 1, []int{3, 0}}, {shape{4, 3}, 1, []int{1, 2, 1, 0, 0}},
		{shape{2, 3, 4}, 0, []int{1, 0, 1}}, {shape{3, 3, 4}, 2, []int{1, 2}}, {shape{2, 2, 2}, 2, []int{1, 0, 0, 1, 1}}, {shape{3, 2, 4}, 1, []int{1, 0, 1}}, {shape{1}, 0, []int{0, 0, 0}}} {
		t.add(fmt.Sprint("ByIndices ", c.axis, c.indices), func(n nodes) (*G.Node, error) { return G.ByIndices(n[0], n[1], c.axis) }, normal(c.s...), whole(shape{len(c.indices)}, c.indices...))
	}
	t.add("ByIndices 1", func(n nodes) (*G.Node, error) { return G.ByIndices(n[0], n[1], 1) }, normal(2, 3, 4), whole(shape{2}, 0, 1))
	t.refuse("Non Differentiable", "At", func(n nodes) (*G.Node, error) { return G.At(n[0], 1, 2) }, normal(3, 4))
}

func (t *table) products() {
	for _, c := range [][2]shape{{{3, 4}, {4, 2}}, {{3, 1}, {1, 2}}, {{1, 3}, {3, 1}}, {{1, 3}, {3, 2}}, {{3, 4}, {4}}, {{3}, {3, 4}}, {{4}, {4}}, {{}, {3, 4}}} {
		t.add("Mul", of2(G.Mul), normal(c[0]...), normal(c[1]...))
	}
	t.add("Mul of one", func(n nodes) (*G.Node, error) { return G.Mul(n[0], n[0]) }, normal(3, 3))
	t.add("Mul of one", func(n nodes) (*G.Node, error) { return G.Mul(n[0], n[0]) }, normal(3))
	t.add("OuterProd", of2(G.OuterProd), normal(3), normal(4))
	t.add("OuterProd", of2(G.OuterProd), normal(3), normal(3))
	t.add("OuterProd of a slice", func(n nodes) (*G.Node, error) {
		return G.OuterProd(G.Must(G.Slice(n[0], G.S(1, 4))), n[1])
	}, normal(5), normal(4))
	t.add("OuterProd of one", func(n nodes) (*G.Node, error) { return G.OuterProd(n[0], n[0]) }, normal(3))
	for _, c := range []struct {
		a, b   shape
		ta, tb bool
	}{{shape{2, 3, 4}, shape{2, 4, 2}, false, false}, {shape{2, 4, 3}, shape{2, 4, 2}, true, false}, {shape{2, 3, 4}, shape{2, 2, 4}, false, true},
		{shape{2, 4, 3}, shape{2, 2, 4}, true, true}, {shape{2, 2, 3, 4}, shape{2, 2, 4, 2}, false, false}} {
		t.add(fmt.Sprint("BatchedMatMul ", c.ta, c.tb), func(n nodes) (*G.Node, error) { return G.BatchedMatMul(n[0], n[1], c.ta, c.tb) }, normal(c.a...), normal(c.b...))
	}
	for _, c := range []struct {
		a, b         shape
		aAxes, bAxes []int
	}{
		{shape{3, 4}, shape{4, 2}, []int{1}, []int{0}}, {shape{3, 4}, shape{3, 2}, []int{0}, []int{0}}, {shape{3, 4}, shape{2, 4}, []int{1}, []int{1}},
		{shape{3, 4}, shape{3, 4}, []int{0, 1}, []int{0, 1}}, {shape{3, 4}, shape{4, 3}, []int{0, 1}, []int{1, 0}}, {shape{4}, shape{4}, []int{0}, []int{0}},
		{shape{4}, shape{4, 3}, []int{0}, []int{0}}, {shape{2, 3, 4}, shape{3, 2}, []int{1}, []int{0}}, {shape{2, 3, 4}, shape{3, 4, 2}, []int{1, 2}, []int{0, 1}},
		{shape{2, 3, 4}, shape{2, 5}, []int{0}, []int{0}}, {shape{2, 3, 4}, shape{5, 4}, []int{2}, []int{1}}, {shape{3, 3, 3}, shape{3, 3, 3}, []int{1}, []int{2}},
		{shape{3, 3, 3}, shape{3, 3, 3}, []int{0, 2}, []int{2, 1}}, {shape{2, 3, 4}, shape{4, 2}, []int{0, 2}, []int{1, 0}},
		{shape{3, 4, 2}, shape{2, 4}, []int{2, 1}, []int{0, 1}}, {shape{4, 3, 1}, shape{1, 4, 4}, []int{2}, []int{0}},
	} {
		t.add(fmt.Sprint("Tensordot", c.aAxes, c.bAxes), func(n nodes) (*G.Node, error) { return G.Tensordot(c.aAxes, c.bAxes, n[0], n[1]) },
			normal(c.a...), normal(c.b...))
	}
	t.refuse("Can't contract", "Tensordot[0] [1]", func(n nodes) (*G.Node, error) { return G.Tensordot([]int{0}, []int{1}, n[0], n[1]) }, normal(1), normal(4, 1))
}

func (t *table) images() {
	for _, c := range []struct{ image, filter, pad, stride, dilation []int }{
		{[]int{2, 2, 5, 4}, []int{3, 2, 3, 2}, []int{0, 0}, []int{1, 1}, []int{1, 1}}, {[]int{2, 2, 5, 4}, []int{3, 2, 3, 3}, []int{1, 2}, []int{1, 1}, []int{1, 1}},
		{[]int{2, 1, 6, 5}, []int{2, 1, 2, 3}, []int{0, 1}, []int{2, 1}, []int{1, 1}}, {[]int{1, 1, 6, 7}, []int{1, 1, 2, 2}, []int{0, 0}, []int{2, 3}, []int{1, 1}},
		{[]int{1, 2, 7, 6}, []int{1, 2, 2, 3}, []int{0, 0}, []int{1, 1}, []int{2, 2}}, {[]int{2, 3, 2, 2}, []int{2, 3, 1, 1}, []int{0, 0}, []int{1, 1}, []int{1, 1}},
	} {
		t.add(fmt.Sprint("Conv2d ", c.pad, c.stride, c.dilation), func(n nodes) (*G.Node, error) {
			return G.Conv2d(n[0], n[1], shape(c.filter[2:]), c.pad, c.stride, c.dilation)
		}, normal(c.image...), normal(c.filter...))
	}
	t.add("Conv1d", func(n nodes) (*G.Node, error) { return G.Conv1d(n[0], n[1], 3, 1, 2, 1) }, normal(2, 2, 1, 7), normal(2, 2, 1, 3))
	t.add("Im2Col", func(n nodes) (*G.Node, error) {
		return G.Im2Col(n[0], shape{2, 2}, shape{1, 0}, shape{1, 2}, shape{1, 1})
	}, normal(2, 2, 4, 5))
	for _, c := range []struct{ kernel, pad, stride []int }{{[]int{2, 2}, []int{0, 0}, []int{2, 2}}, {[]int{2, 3}, []int{0, 0}, []int{1, 2}},
		{[]int{3, 3}, []int{1, 1}, []int{2, 2}}, {[]int{2, 2}, []int{1, 0}, []int{1, 1}}, {[]int{3, 2}, []int{1, 1, 1, 1}, []int{1, 1}}} {
		t.add(fmt.Sprint("MaxPool2D ", c.kernel, c.pad, c.stride), func(n nodes) (*G.Node, error) { return G.MaxPool2D(n[0], c.kernel, c.pad, c.stride) }, normal(2, 2, 6, 6))
	}
	t.add("MaxPool1D", func(n nodes) (*G.Node, error) { return G.MaxPool1D(n[0], 2, 0, 2) }, normal(2, 2, 1, 6))
	t.refuse("confuses the sides", "MaxPool2D", func(n nodes) (*G.Node, error) { return G.MaxPool2D(n[0], shape{2, 2}, []int{0, 1, 1, 0}, []int{1, 1}) }, normal(2, 2, 6, 6))
	t.refuse("divides by the width", "AveragePool2D", func(n nodes) (*G.Node, error) { return G.AveragePool2D(n[0], shape{2, 2}, []int{0, 0}, []int{2, 2}) }, normal(2, 2, 6, 6))
	t.add("AveragePool1D", func(n nodes) (*G.Node, error) { return G.AveragePool1D(n[0], 2, 0, 2) }, normal(2, 2, 1, 6)) // which is MaxPool1D
	t.refuse("panic", "GlobalAveragePool2D", of1(G.GlobalAveragePool2D), normal(2, 3, 4, 4))
	t.add("Upsample2D", func(n nodes) (*G.Node, error) { return G.Upsample2D(n[0], 2) }, normal(2, 2, 3, 3))
	t.add("Upsample2D", func(n nodes) (*G.Node, error) { return G.Upsample2D(n[0], 3) }, normal(1, 2, 2, 3))
}

func (t *table) layers() {
	batchNorm := func(n nodes) (*G.Node, error) {
		y, _, _, _, err := G.BatchNorm(n[0], n[1], n[2], 0.1, 1e-3)
		return y, err
	}
	t.add("BatchNorm", batchNorm, normal(5, 3), above0(5, 3), normal(5, 3))
	t.add("BatchNorm", batchNorm, normal(5, 3), above0(1, 3), normal(1, 3))
	t.add("BatchNorm", batchNorm, normal(3, 2, 2, 2), above0(1, 2, 1, 1), normal(1, 2, 1, 1))
	t.add("BatchNorm", batchNorm, normal(2, 3, 4, 1), above0(1, 3, 1, 1), normal(1, 3, 1, 1))
	groupNorm := func(n nodes) (*G.Node, error) { return G.GroupNorm(n[0], n[1], n[2], 2, 4, 1e-3) }
	t.add("GroupNorm", groupNorm, normal(2, 4, 3, 3), above0(1, 4, 1, 1), normal(1, 4, 1, 1))
	t.add("GroupNorm", groupNorm, normal(1, 4, 8, 16), above0(1, 4, 1, 1), normal(1, 4, 1, 1)) // 256 a group
	t.add("GroupNorm", groupNorm, normal(3, 4), above0(1, 4), normal(1, 4))
	t.add("GroupNorm", groupNorm, normal(1, 4, 11, 12), above0(1, 4, 1, 1), normal(1, 4, 1, 1)) // more, which Gorgonia adds up wrongly
	t.add("Dropout 0", func(n nodes) (*G.Node, error) { return G.Dropout(n[0], 0) }, normal(3, 2))
	t.add("Dropout 0", func(n nodes) (*G.Node, error) { return G.Dropout(n[0], 0) }, normal())
	for _, c := range []struct {
		name           string
		log            bool
		time           int
		targets        shape
		values         []int
		inputs, labels []int
	}{
		{"CTCLoss", true, 4, shape{2, 2}, []int{1, 2, 2, 1}, []int{4, 4}, []int{2, 2}}, {"CTCLoss without LogSoftMax", false, 4, shape{2, 2}, []int{1, 2, 2, 1}, []int{4, 4}, []int{2, 2}},
		{"CTCLoss of lengths", true, 5, shape{2, 2}, []int{1, 2, 2, 1}, []int{5, 3}, []int{2, 1}}, {"CTCLoss in a row", true, 5, shape{3}, []int{1, 2, 1}, []int{5, 4}, []int{2, 1}},
	} {
		for how, name := range map[G.Reduction]string{G.ReductionMean: " mean", G.ReductionSum: " sum"} {
			t.add(c.name+name, func(n nodes) (*G.Node, error) {
				p := n[0]
				if c.log {
					p = G.Must(G.LogSoftMax(p, 2))
				}
				return G.CTCLoss(p, n[1], n[2], n[3], how)
			}, normal(c.time, 2, 3), whole(c.targets, c.values...), whole(shape{2}, c.inputs...), whole(shape{2}, c.labels...))
		}
	}
}
