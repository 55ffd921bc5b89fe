//go:build gpu

package cuda

import (
	"testing"

	"driftless/engine"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestTensors trains through operations of Gorgonia on tensors of four axes: the bits are the CPU's, and nothing
// runs on the host.
func TestTensors(t *testing.T) {
	const batch, width = 4, 30
	for name, f := range map[string]func(x *G.Node) *G.Node{
		"transpose, softmax": func(x *G.Node) *G.Node { return G.Must(G.SoftMax(G.Must(G.Transpose(x, 0, 2, 1, 3)), 3)) },
		"softmax":            func(x *G.Node) *G.Node { return G.Must(G.LogSoftMax(x, 1)) },
		"sums":               func(x *G.Node) *G.Node { return G.Must(G.Sum(x, 1, 3)) },
		"max":                func(x *G.Node) *G.Node { return G.Must(G.Max(x, 2)) },
		"slice, concat": func(x *G.Node) *G.Node {
			return G.Must(G.Concat(2, G.Must(G.Slice(x, nil, nil, G.S(1, 3))), x))
		},
		"broadcast, pow": func(x *G.Node) *G.Node {
			s := G.Must(G.Reshape(G.Must(G.Sum(x, 2)), tensor.Shape{batch, 2, 1, 5}))
			return G.Must(G.BroadcastPow(G.Must(G.Exp(x)), G.Must(G.Tanh(s)), nil, []byte{2}))
		},
		"functions": func(x *G.Node) *G.Node {
			return G.Must(G.Add(G.Must(G.Sin(x)), G.Must(G.HadamardProd(G.Must(G.Softplus(x)), G.Must(G.Expm1(G.Must(G.Log1p(G.Must(G.Abs(x))))))))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := G.NewGraph()
			x := G.NewMatrix(g, tensor.Float32, G.WithShape(batch, width), G.WithName("x"))
			w := G.NewMatrix(g, tensor.Float32, G.WithShape(batch, width), G.WithName("w"),
				G.WithValue(tensor.New(tensor.WithShape(batch, width), tensor.WithBacking(wave(batch*width)))))
			z := f(G.Must(G.Reshape(G.Must(G.HadamardProd(x, w)), tensor.Shape{batch, 2, 3, 5})))
			l := program.NewLayout(program.Float32)
			data := wideWave(3 * batch * width)
			p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(z)))), Params: []*G.Node{w}, Optimizer: optim.SGD(0.1),
				Data: []engine.Data{{Node: x, Values: data}}})
			must(t, err)
			sessions := besideCPU(t, l, open(t))
			sessions.run(t, p, 5)
			sessions.same(t, "")
			if c := counters(sessions.device); c.HostCalls > 0 {
				t.Errorf("%d calls on the host", c.HostCalls)
			}
		})
	}
}
