package cpu

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/engine/ops"
	"driftless/engine/program"
	"driftless/kernels"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// chainGraph is of inputs whose rows, or columns, are independent of one another.
type chainGraph struct {
	name   string
	byRows bool
	least  [2]int // from so many rows and columns on, nothing between operands and results has a buffer
	build  func(in func(name string, shape ...int) *G.Node, m, d int) G.Nodes
}

var chainGraphs = []chainGraph{
	{"elementwise", true, [2]int{2, 2}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		x, y := in("x", m, d), in("y", m, d)
		z := G.Must(G.HadamardProd(G.Must(G.Add(x, y)), x))
		z = G.Must(G.Sub(G.Must(G.Sigmoid(z)), G.Must(G.HadamardProd(y, y))))
		w := G.Must(G.HadamardDiv(G.Must(G.Square(z)), G.Must(G.Exp(G.Must(G.Neg(y))))))
		return G.Nodes{G.Must(G.Add(w, z)), G.Must(G.Tanh(G.Must(G.HadamardProd(w, x))))}
	}},
	{"scalars", true, [2]int{2, 2}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		x := in("x", m, d)
		two := G.NewConstant(2.0)
		if x.Dtype() == tensor.Float32 {
			two = G.NewConstant(float32(2))
		}
		z := G.Must(G.Add(G.Must(G.Mul(two, x)), two))
		return G.Nodes{G.Must(G.Sub(two, G.Must(G.Sqrt(G.Must(G.Abs(z))))))}
	}},
	{"broadcast", true, [2]int{2, 2}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		x, row, column := in("x", m, d), in("row", 1, d), in("column", m, 1)
		z := G.Must(G.BroadcastHadamardProd(x, row, nil, []byte{0}))
		z = G.Must(G.BroadcastAdd(z, column, nil, []byte{1}))
		return G.Nodes{G.Must(G.HadamardProd(z, x)), G.Must(G.BroadcastSub(row, z, []byte{0}, nil))}
	}},
	{"rows", true, [2]int{2, 2}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		x, y := in("x", m, d), in("y", m, d)
		z := G.Must(G.SoftMax(G.Must(G.HadamardProd(x, y)), 1))
		return G.Nodes{G.Must(G.Sum(G.Must(G.HadamardProd(z, x)), 1))}
	}},
	{"turned", true, [2]int{256, 32}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		x, y := in("x", m, d), in("y", m, d)
		z := G.Must(G.Transpose(G.Must(G.HadamardProd(x, y)), 1, 0))
		z = G.Must(G.Transpose(G.Must(ops.Center(G.Must(G.Square(z)))), 1, 0))
		return G.Nodes{G.Must(G.Sub(z, x))}
	}},
	{"turned before a product", true, [2]int{math.MaxInt, 0}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		z := G.Must(G.Transpose(G.Must(ops.Center(G.Must(G.Transpose(in("x", m, d), 1, 0)))), 1, 0))
		return G.Nodes{G.Must(G.Mul(G.Must(G.HadamardProd(z, in("y", m, d))), G.Must(G.Transpose(in("row", 1, d), 1, 0))))}
	}},
	{"turned columns", false, [2]int{2, 256}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		x := in("x", m, d)
		z := G.Must(G.Transpose(G.Must(ops.Center(G.Must(G.HadamardProd(x, in("y", m, d))))), 1, 0))
		return G.Nodes{G.Must(G.Sum(G.Must(G.Transpose(G.Must(G.Square(z)), 1, 0)), 0))}
	}},
	{"columns", false, [2]int{1, 32}, func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		x, y := in("x", m, d), in("y", m, d)
		z := G.Must(G.Sub(G.Must(G.HadamardProd(x, y)), y))
		return G.Nodes{z, G.Must(G.Sum(G.Must(G.HadamardProd(z, x)), 0))}
	}},
}

// TestChains: what is done strip by strip has the bits of parts of it that are too small for that, for any number
// of workers, and nothing between operands and results has a buffer.
func TestChains(t *testing.T) {
	t.Run("float32", testChains[float32])
	if !raced {
		t.Run("float64", testChains[float64])
	}
}

func testChains[T kernel](t *testing.T) {
	for _, c := range chainGraphs {
		for _, size := range [][2]int{{1, 90001}, {3, 24001}, {200, 800}, {2003, 33}, {70001, 1}, {11000, 7}, {1000, 300}, {16, 16 * 1024}} {
			m, d := size[0], size[1]
			t.Run(fmt.Sprintf("%s/%dx%d", c.name, m, d), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				data := map[string][]T{}
				for name, n := range map[string]int{"x": m * d, "y": m * d, "row": d, "column": m} {
					for range n {
						data[name] = append(data[name], T(r.NormFloat64()))
					}
				}
				whole := runChain(t, c, m, d, 1, data, true)
				for _, workers := range []int{2, 3} {
					if got := runChain(t, c, m, d, workers, data, true); !equalBits(got, whole) {
						t.Errorf("%d workers: other bits than one", workers)
					}
				}
				parts := make([][]T, len(whole))
				if c.byRows {
					for i, step := 0, max(1, 10000/d); i < m; i += step {
						n := min(step, m-i)
						part := map[string][]T{"x": data["x"][i*d:][:n*d], "y": data["y"][i*d:][:n*d], "row": data["row"], "column": data["column"][i:][:n]}
						for k, v := range runChain(t, c, n, d, 1, part, false) {
							parts[k] = append(parts[k], v...)
						}
					}
				} else {
					for k := range whole {
						parts[k] = make([]T, len(whole[k]))
					}
					for j, step := 0, max(1, 10000/m); j < d; j += step {
						n := min(step, d-j)
						part := map[string][]T{"x": make([]T, m*n), "y": make([]T, m*n)}
						for name, to := range part {
							copyColumns(to, data[name][j:], n, n, d)
						}
						for k, v := range runChain(t, c, m, n, 1, part, false) {
							copyColumns(parts[k][j:], v, n, d, n)
						}
					}
				}
				if !equalBits(parts, whole) {
					t.Errorf("other bits than its parts")
				}
			})
		}
	}
}

// copyColumns copies the first n columns of a matrix.
func copyColumns[T any](to, from []T, n, ldto, ldfrom int) {
	for i := 0; i*ldfrom < len(from); i++ {
		copy(to[i*ldto:][:n], from[i*ldfrom:])
	}
}

func equalBits[T kernel](a, b [][]T) bool {
	return slices.EqualFunc(a, b, func(x, y []T) bool { return slices.Equal(x, y) })
}

func runChain[T kernel](t *testing.T, c chainGraph, m, d, workers int, data map[string][]T, chained bool) (results [][]T) {
	t.Helper()
	dt := program.Float64
	if kernels.IsFloat32[T]() {
		dt = program.Float32
	}
	l := program.NewLayout(dt)
	l.Plain = true
	g := G.NewGraph()
	var outputs []program.Output
	for k, n := range c.build(func(name string, shape ...int) *G.Node {
		return G.NewTensor(g, dt.Dtype(), len(shape), G.WithName(name), G.WithShape(shape...),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(data[name])))))
	}, m, d) {
		outputs = append(outputs, program.Output{Node: n, Name: fmt.Sprint("out", k)})
	}
	p, err := program.Compile(l, program.Spec{Name: "chain", Graph: g, Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	if chained && m >= c.least[0] && d >= c.least[1] && p.Blocks[0].Scratch >= m*d*dt.Size() {
		t.Errorf("matrices between operands and results have %d bytes:\n%v", p.Blocks[0].Scratch, p)
	}
	s, err := newDevice(workers, 0).Open(l, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(context.Background(), p, 1); err != nil {
		t.Fatal(err)
	}
	for _, o := range outputs {
		out := make([]T, o.Node.Shape().TotalSize())
		if err := s.Read(o.Name, 0, out); err != nil {
			t.Fatal(err)
		}
		results = append(results, out)
	}
	return results
}

// TestChainsEnd: an instruction that needs more of what a chain computes than the strip in progress is none of it.
func TestChainsEnd(t *testing.T) {
	t.Run("float32", testChainsEnd[float32])
	t.Run("float64", testChainsEnd[float64])
}

func testChainsEnd[T kernel](t *testing.T) {
	const n, k = 150, 8
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]T, n*n*k), make([]T, n*n*k)
	for i := range x {
		x[i], y[i] = T(r.NormFloat64()), T(r.NormFloat64())
	}
	c := chainGraph{build: func(in func(string, ...int) *G.Node, m, d int) G.Nodes {
		z := G.Must(G.HadamardProd(in("x", n, n, k), in("y", n, n, k)))
		return G.Nodes{G.Must(G.Sub(G.Must(G.Neg(z)), G.Must(G.Transpose(z, 1, 0, 2))))}
	}}
	want := make([]T, len(x))
	for i := range want {
		j := (i/k%n*n+i/k/n)*k + i%k // where the first two axes are exchanged
		z, other := T(x[i]*y[i]), T(x[j]*y[j])
		want[i] = -z - other
	}
	for _, workers := range []int{1, 2} {
		if got := runChain(t, c, n*n, k, workers, map[string][]T{"x": x, "y": y}, false); !equalBits(got, [][]T{want}) {
			t.Errorf("%d workers: other values than element by element", workers)
		}
	}
}
