//go:build gpu

package cuda

import (
	"context"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
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
			data := make([]float64, 3*batch*width)
			for i, v := range wave(len(data)) {
				data[i] = float64(v)
			}
			p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(z)))), Params: []*G.Node{w}, Optimizer: optim.SGD(0.1),
				Data: []engine.Data{{Node: x, Values: data}}})
			must(t, err)
			var sessions []device.Session
			for _, d := range []device.Device{cpu.New(), open(t)} {
				s, err := d.Open(l, 2)
				must(t, err)
				defer s.Close()
				must(t, s.Write(program.StateSeed, 1, []int64{9}))
				must(t, s.Run(context.Background(), p, 5))
				sessions = append(sessions, s)
			}
			n := &net{layout: l}
			n.same(t, "replica 0", sessions[0], 0, sessions[1], 0)
			n.same(t, "replica 1", sessions[0], 1, sessions[1], 1)
			if c := counters(sessions[1]); c.HostCalls > 0 {
				t.Errorf("%d calls on the host", c.HostCalls)
			}
		})
	}
}
