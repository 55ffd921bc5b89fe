package engine_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A derivative is a public constructor of Gorgonia with operands to try it on.
type derivative struct {
	name    string
	args    []operand
	build   func(n []*G.Node) (*G.Node, error)
	refused string // part of the error where there must be one
	alone   bool   // it is not differentiated
}

// operand is an input of that shape; with ints it holds those and is not
// differentiated by.
type operand struct {
	shape tensor.Shape
	fill  func(r *rand.Rand) float64
	ints  []int
}

// point is a graph of a derivative's function f, weighted and summed so that no
// two elements have the same gradient.
type point struct {
	g    *G.ExprGraph
	y    *G.Node
	loss *G.Node
	in   []*G.Node
}

func (d derivative) at(dt tensor.Dtype) (*point, error) {
	r := rand.New(rand.NewPCG(7, 8))
	p, err := d.result(dt, r)
	if err != nil {
		return nil, err
	}
	w := p.input("weights", dt, normal(p.y.Shape()...), r)
	if p.loss, err = G.HadamardProd(p.y, w); err != nil {
		return nil, err
	}
	p.loss, err = G.Sum(p.loss)
	return p, err
}

// result is the point without its loss.
func (d derivative) result(dt tensor.Dtype, r *rand.Rand) (p *point, err error) {
	p = &point{g: G.NewGraph()}
	for i, a := range d.args {
		name := fmt.Sprint("in", i)
		if a.ints != nil {
			v := program.NewValue(a.shape, slices.Clone(a.ints))
			p.in = append(p.in, G.NewTensor(p.g, tensor.Int, a.shape.Dims(), G.WithShape(a.shape...), G.WithName(name), G.WithValue(v)))
			continue
		}
		p.in = append(p.in, p.input(name, dt, a, r))
	}
	p.y, err = d.build(p.in)
	return p, err
}

func (p *point) input(name string, dt tensor.Dtype, a operand, r *rand.Rand) *G.Node {
	wide, narrow := make([]float64, a.shape.TotalSize()), make([]float32, a.shape.TotalSize())
	for i := range wide {
		wide[i] = a.fill(r)
		narrow[i] = float32(wide[i])
	}
	v := program.NewValue(a.shape, wide)
	if dt == tensor.Float32 {
		v = program.NewValue(a.shape, narrow)
	}
	return G.NewTensor(p.g, dt, len(a.shape), G.WithShape(a.shape...), G.WithName(name), G.WithValue(v))
}

// TestDerivatives holds the derivative of every public constructor of Gorgonia against
// central differences of its value, in float64, and in float32 against those as well:
// what gorgonia.Grad put into the graph, run by a VM.
func TestDerivatives(t *testing.T) {
	if testing.Short() {
		t.Skip("random graphs run on the same machine")
	}
	log.SetOutput(io.Discard) // gorgonia's GroupNorm prints
	defer log.SetOutput(os.Stderr)
	for _, d := range derivatives {
		t.Run(d.name, func(t *testing.T) {
			want, err := d.differences()
			if err == nil {
				for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
					var got [][]float64
					if got, err = d.gradients(dt); err != nil {
						break
					}
					for i := range want {
						compare(t, fmt.Sprintf("%v: gradient of operand %d", dt, i), got[i], want[i], map[tensor.Dtype]float64{tensor.Float64: 1e-6, tensor.Float32: 2e-3}[dt])
					}
				}
			}
			if d.refused == "" && err != nil || d.refused != "" && (err == nil || !strings.Contains(err.Error(), d.refused)) {
				t.Errorf("error %v, want one with %q", err, d.refused)
			}
		})
	}
}

func compare(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	for j, w := range want {
		if len(got) != len(want) || !(math.Abs(got[j]-w) <= tol*(1+math.Abs(w))) {
			t.Errorf("%s is %v, want %v", what, got, want)
			return
		}
	}
}

// differences returns the central differences in the operands, nil for integers.
func (d derivative) differences() ([][]float64, error) {
	p, err := d.at(tensor.Float64)
	if err != nil {
		return nil, err
	}
	var l G.Value
	G.Read(p.loss, &l)
	vm := engine.NewVM(p.g, cpu.New())
	defer vm.Close()
	out := make([][]float64, len(p.in))
	for i, n := range p.in {
		if d.args[i].ints != nil {
			continue
		}
		x, _ := program.ValueData(n.Value())
		data := x.([]float64)
		for j := range data {
			const h = 1e-5
			var f [2]float64
			for k, step := range []float64{-h, h} {
				moved := slices.Clone(data)
				moved[j] += step
				if err := G.Let(n, program.NewValue(n.Shape(), moved)); err != nil {
					return nil, err
				}
				if err := vm.RunAll(); err != nil {
					return nil, err
				}
				f[k] = l.Data().(float64)
			}
			out[i] = append(out[i], (f[1]-f[0])/(2*h))
		}
		if err := G.Let(n, program.NewValue(n.Shape(), data)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// gradients returns what a VM gives for gorgonia.Grad, nil for integers.
func (d derivative) gradients(dt tensor.Dtype) (out [][]float64, err error) {
	defer func() {
		if r := recover(); r != nil { // gorgonia.Grad
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	p, err := d.at(dt)
	if err != nil {
		return nil, err
	}
	var wrt []*G.Node
	for i, n := range p.in {
		if d.args[i].ints == nil {
			wrt = append(wrt, n)
		}
	}
	grads, err := G.Grad(p.loss, wrt...)
	if err != nil {
		return nil, err
	}
	read := make([]G.Value, len(grads))
	for i, n := range grads {
		G.Read(n, &read[i])
	}
	vm := engine.NewVM(p.g, cpu.New())
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return nil, err
	}
	for i := range p.in {
		if d.args[i].ints != nil {
			out = append(out, nil)
			continue
		}
		out = append(out, numbers(read[0]))
		read = read[1:]
	}
	return out, nil
}

// numbers returns a value's elements.
func numbers(v G.Value) []float64 {
	data, _ := program.ValueData(v)
	switch d := data.(type) {
	case []float64:
		return d
	case []float32:
		out := make([]float64, len(d))
		for i, x := range d {
			out[i] = float64(x)
		}
		return out
	}
	return nil
}
