package cpu_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestPartedWaits: a team does a gradient in parts only when all of what it takes is there, also
// where the instruction before is shared by columns.
func TestPartedWaits(t *testing.T) {
	const rows, cols = 20000, 16
	rng := rand.New(rand.NewPCG(1, 1))
	images, gamma, beta := make([]float32, rows*cols), make([]float32, cols), make([]float32, cols)
	for i := range images {
		images[i] = float32(rng.NormFloat64()) + 3
	}
	for i := range gamma {
		gamma[i], beta[i] = 1+float32(i), float32(i)
	}
	grads := func(workers int) (out []any) {
		g := G.NewGraph()
		input := func(name string, values []float32, shape ...int) *G.Node {
			return G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name),
				G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float32(nil), values...)))))
		}
		x, ga, be := input("x", images, rows, cols), input("gamma", gamma, cols), input("beta", beta, cols)
		y := G.Must(ops.Affine(G.Must(ops.Standardize(x, 1e-5)), ga, be))
		d, err := G.Grad(G.Must(G.Sum(G.Must(G.Cube(G.Must(ops.Center(y)))))), x, ga, be)
		if err != nil {
			t.Fatal(err)
		}
		vm := engine.NewVM(g, cpu.NewDevice(workers, 0))
		defer vm.Close()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		for _, n := range d {
			out = append(out, n.Value().Data())
		}
		return out
	}
	want := grads(1)
	for range 3 {
		for _, workers := range []int{2, 3} {
			if !reflect.DeepEqual(grads(workers), want) {
				t.Fatalf("the gradients of %d workers are not those of one", workers)
			}
		}
	}
}
