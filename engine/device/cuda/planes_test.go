//go:build gpu

package cuda

import (
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestPlanes trains nets of Gorgonia's convolutions and pooling: the bits are the CPU's, and the host has nothing to
// do but decide what a batch normalization standardizes by.
func TestPlanes(t *testing.T) {
	const batch = 3
	for name, norm := range map[string]func(x, gamma, beta *G.Node) *G.Node{
		"plain": func(x, _, _ *G.Node) *G.Node { return x },
		"batch norm": func(x, gamma, beta *G.Node) *G.Node {
			y, _, _, _, err := G.BatchNorm(x, gamma, beta, 0.1, 1e-5)
			return G.Must(y, err)
		},
		"group norm": func(x, gamma, beta *G.Node) *G.Node {
			return G.Must(G.GroupNorm(x, gamma, beta, 2, x.Shape()[1], 1e-5))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := G.NewGraph()
			l := program.NewLayout(program.Float32)
			var params G.Nodes
			param := func(name string, shape ...int) *G.Node {
				n := G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name),
					G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(wave(tensor.Shape(shape).TotalSize())))))
				params = append(params, n)
				return n
			}
			x := G.NewTensor(g, tensor.Float32, 4, G.WithShape(batch, 2, 8, 9), G.WithName("x"))
			h := x
			for i, w := range [][]int{{4, 2, 3, 3}, {6, 4, 3, 2}} {
				stride := []int{1, 1 + i}
				layer := string(rune('a' + i))
				h = G.Must(G.Conv2d(h, param("w"+layer, w...), tensor.Shape(w[2:]), []int{1, 1}, stride, []int{1, 1}))
				h = norm(h, param("gamma"+layer, 1, w[0], 1, 1), param("beta"+layer, 1, w[0], 1, 1))
				h = G.Must(G.MaxPool2D(G.Must(G.Rectify(h)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
			}
			if name == "plain" { // which has no use for the others
				params = G.Nodes{params[0], params[3]}
			}
			data := wideWave(5 * 2 * 8 * 9)
			p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(h)))), Params: params, Optimizer: optim.SGD(0.1),
				Data: []engine.Data{{Node: x, Values: data}}})
			must(t, err)
			var said []string
			sessions := besideCPU(t, l, open(t, Warn(func(m string) { said = append(said, m) })))
			sessions.run(t, p, 4)
			sessions.same(t, "")
			for _, m := range said {
				if name == "plain" || !strings.Contains(m, "the operation of node") {
					t.Error(m)
				}
			}
		})
	}
}
