package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestConvolutionsReadImages: Conv2d and its gradients make no patches, whatever the geometry, and compute what Gorgonia's own
// code does.
func TestConvolutionsReadImages(t *testing.T) {
	for _, c := range []struct {
		images, channels, height, width, filters int
		kernel                                   tensor.Shape
		pad, stride, dilation                    []int
	}{
		{3, 2, 9, 11, 5, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
		{1, 2, 8, 20, 3, tensor.Shape{3, 2}, []int{0, 1}, []int{1, 1}, []int{1, 1}},
		{2, 3, 10, 13, 1, tensor.Shape{3, 3}, []int{1, 1}, []int{2, 2}, []int{1, 1}},
		{2, 1, 12, 9, 4, tensor.Shape{2, 3}, []int{0, 0}, []int{2, 1}, []int{1, 2}},
		{1, 1, 5, 6, 1, tensor.Shape{1, 1}, []int{0, 0}, []int{1, 1}, []int{1, 1}},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			var listing string
			results := func(opts ...G.VMOpt) (all [][]float64) {
				g := G.NewGraph()
				param := func(name string, shape ...int) *G.Node {
					v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(tensor.Random(tensor.Float64, tensor.Shape(shape).TotalSize())))
					x := v.Data().([]float64)
					for i := range x {
						x[i] = float64(i*37%19) - 9
					}
					return G.NewTensor(g, tensor.Float64, 4, G.WithShape(shape...), G.WithName(name), G.WithValue(v))
				}
				x, w := param("x", c.images, c.channels, c.height, c.width), param("w", c.filters, c.channels, c.kernel[0], c.kernel[1])
				y := G.Must(G.Conv2d(x, w, c.kernel, c.pad, c.stride, c.dilation))
				s := y.Shape()
				cost := G.Must(G.Sum(G.Must(G.HadamardProd(G.Must(G.Square(y)), param("by", s...)))))
				var read G.Value
				G.Read(y, &read)
				grads, err := G.Grad(cost, x, w)
				if err != nil {
					t.Fatal(err)
				}
				m := engine.NewTapeMachine(g, opts...)
				defer m.Close()
				if err := m.RunAll(); err != nil {
					t.Fatal(err)
				}
				p, err := m.Program()
				if err != nil {
					t.Fatal(err)
				}
				listing = p.String()
				return [][]float64{numbers(read), numbers(grads[0].Value()), numbers(grads[1].Value())}
			}
			want, got := results(engine.Stock()), results()
			for i, name := range []string{"result", "gradient of x", "gradient of w"} {
				alike(t, name, got[i], want[i], 1e-12)
			}
			if strings.Contains(listing, "patches") || !strings.Contains(listing, "plane filter grad") || !strings.Contains(listing, "plane conv grad") {
				t.Errorf("patches are made:\n%s", listing)
			}
		})
	}
}

// TestPartsOfPatches: products of a part of the patches, and sums of a part of a product, are no convolutions.
func TestPartsOfPatches(t *testing.T) {
	const side, windows = 32, 32 * 32
	three, one := tensor.Shape{3, 3}, tensor.Shape{1, 1}
	for name, build := range map[string]func(x, b *G.Node) *G.Node{
		"product": func(x, b *G.Node) *G.Node {
			patches := G.Must(G.Im2Col(x, three, one, one, one))
			part := G.Must(G.Reshape(G.Must(G.Slice(patches, G.S(1, 3))), tensor.Shape{2 * windows, 18}))
			a := G.Must(G.Neg(input64(x.Graph(), "a", wave(2*windows*5), 2*windows, 5)))
			grads, err := G.Backpropagate(G.Nodes{G.Must(G.Mul(a, b))}, G.Nodes{part}, G.Nodes{a})
			if err != nil {
				t.Fatal(err)
			}
			return G.Must(G.Transpose(G.Must(G.Reshape(grads[0], tensor.Shape{2, windows, 5})), 0, 2, 1))
		},
		"sum": func(x, b *G.Node) *G.Node {
			x = G.Must(G.Neg(x))
			patches := G.Must(G.Im2Col(x, three, one, one, one))
			a := G.Must(G.Transpose(input64(x.Graph(), "a", wave(4*windows*5), 4, 5, windows), 0, 2, 1))
			product := G.Must(G.Mul(G.Must(G.Reshape(a, tensor.Shape{4 * windows, 5})), b))
			part := G.Must(G.Reshape(G.Must(G.Slice(product, G.S(windows, 4*windows))), tensor.Shape{3, side, side, 18}))
			grads, err := G.Backpropagate(G.Nodes{patches}, G.Nodes{part}, G.Nodes{x})
			if err != nil {
				t.Fatal(err)
			}
			return grads[0]
		},
	} {
		t.Run(name, func(t *testing.T) {
			results := func(opts ...G.VMOpt) []float64 {
				g := G.NewGraph()
				y := G.Must(G.Square(build(input64(g, "x", wave(3*2*windows), 3, 2, side, side), input64(g, "b", wave(5*18), 5, 18))))
				m := engine.NewTapeMachine(g, opts...)
				defer m.Close()
				if err := m.RunAll(); err != nil {
					t.Fatal(err)
				}
				return numbers(y.Value())
			}
			alike(t, name, results(), results(engine.Stock()), 1e-12)
		})
	}
}
