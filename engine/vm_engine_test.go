package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// awkward returns n numbers with zeros of both signs, infinities and NaN among them.
func awkward(rng *rand.Rand, dt tensor.Dtype, e tensor.Engine, shape ...int) *tensor.Dense {
	special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), -1, 1e-320, 1e300}
	x := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range x {
		if x[i] = rng.NormFloat64(); rng.IntN(4) == 0 {
			x[i] = special[rng.IntN(len(special))]
		}
	}
	if dt == tensor.Float64 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x), tensor.WithEngine(e))
	}
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(y), tensor.WithEngine(e))
}

// bitsOf are the bits of a tensor's elements, one pattern for every NaN.
func bitsOf(t tensor.Tensor) []uint64 {
	var out []uint64
	switch x := t.Data().(type) {
	case []float32:
		for _, v := range x {
			out = append(out, math.Float64bits(float64(v)))
		}
	case []float64:
		for _, v := range x {
			out = append(out, math.Float64bits(v))
		}
	}
	for i, v := range out {
		if f := math.Float64frombits(v); f != f {
			out[i] = 1
		}
	}
	return out
}

// TestSolverEngine: our engine has the bits of Gorgonia's, in all operands after each operation.
func TestSolverEngine(t *testing.T) {
	type operands struct{ a, b, c *tensor.Dense }
	scalar := func(x operands) any {
		if x.a.Dtype() == tensor.Float32 {
			return float32(-0.3)
		}
		return -0.3
	}
	view := func(d *tensor.Dense, from, to int) tensor.Tensor {
		v, err := d.Slice(G.S(from, to))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	unsafe := tensor.UseUnsafe()
	type binary = func(a, b any, opts ...tensor.FuncOpt) (tensor.Tensor, error)
	ops := map[string]func(x operands) (tensor.Tensor, error){}
	for name, f := range map[string]binary{"add": tensor.Add, "sub": tensor.Sub, "mul": tensor.Mul, "div": tensor.Div} {
		ops[name] = func(x operands) (tensor.Tensor, error) { return f(x.a, x.b) }
		ops[name+" in place"] = func(x operands) (tensor.Tensor, error) { return f(x.a, x.b, unsafe) }
		ops[name+" of itself"] = func(x operands) (tensor.Tensor, error) { return f(x.a, x.a, unsafe) }
		ops[name+" reuse"] = func(x operands) (tensor.Tensor, error) { return f(x.a, x.b, tensor.WithReuse(x.c)) }
		ops[name+" incr"] = func(x operands) (tensor.Tensor, error) { return f(x.a, x.b, tensor.WithIncr(x.c)) }
		ops[name+" scalar"] = func(x operands) (tensor.Tensor, error) { return f(x.a, scalar(x)) }
		ops[name+" scalar in place"] = func(x operands) (tensor.Tensor, error) { return f(x.a, scalar(x), unsafe) }
		ops[name+" scalar first"] = func(x operands) (tensor.Tensor, error) { return f(scalar(x), x.a, unsafe) }
		ops[name+" scalar incr"] = func(x operands) (tensor.Tensor, error) {
			return f(x.a, scalar(x), tensor.WithIncr(x.c), unsafe)
		}
		ops[name+" scalar incr itself"] = func(x operands) (tensor.Tensor, error) {
			return f(x.a, scalar(x), tensor.WithIncr(x.a), unsafe)
		}
		ops[name+" of overlapping views"] = func(x operands) (tensor.Tensor, error) {
			return f(view(x.a, 1, 20), view(x.a, 0, 19), unsafe)
		}
	}
	for name, f := range map[string]func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error){
		"sqrt": tensor.Sqrt, "invsqrt": tensor.InvSqrt, "square": tensor.Square} {
		ops[name] = func(x operands) (tensor.Tensor, error) { return f(x.a) }
		ops[name+" in place"] = func(x operands) (tensor.Tensor, error) { return f(x.a, unsafe) }
		ops[name+" of a view"] = func(x operands) (tensor.Tensor, error) { return f(view(x.a, 3, 20), unsafe) }
	}
	for name, op := range ops {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, width := range []int{1, 67, 113} {
				var got [2][]uint64
				var failed [2]string
				for i, e := range []tensor.Engine{solverEngine{}, G.StandardEngine{}} {
					rng := rand.New(rand.NewPCG(1, uint64(width)))
					x := operands{awkward(rng, dt, e, 20, width), awkward(rng, dt, e, 20, width), awkward(rng, dt, e, 20, width)}
					out, err := op(x)
					if failed[i] = fmt.Sprint(err); err != nil {
						continue
					}
					if out.Engine() != e {
						t.Errorf("%s: the result has engine %T", name, out.Engine())
					}
					for _, d := range []tensor.Tensor{out, x.a, x.b, x.c} {
						got[i] = append(got[i], bitsOf(d)...)
					}
				}
				if failed[0] != failed[1] {
					t.Errorf("%s %v: error %q, want %q", name, dt, failed[0], failed[1])
				}
				for k := range got[1] {
					if len(got[0]) != len(got[1]) || got[0][k] != got[1][k] {
						t.Errorf("%s %v, width %d: number %d of %d differs (of %d)", name, dt, width, k, len(got[1]), len(got[0]))
						break
					}
				}
			}
		}
	}
}

// TestSolvers: Gorgonia's solvers move parameters of our engine to the bits of those of Gorgonia's.
func TestSolvers(t *testing.T) {
	l2 := []G.SolverOpt{G.WithL2Reg(1e-3), G.WithClip(0.5), G.WithBatchSize(8)}
	for name, solver := range map[string]func() G.Solver{
		"vanilla":  func() G.Solver { return G.NewVanillaSolver() },
		"momentum": func() G.Solver { return G.NewMomentum() },
		"rmsprop":  func() G.Solver { return G.NewRMSPropSolver(l2...) },
		"adam":     func() G.Solver { return G.NewAdamSolver() },
		"adam l2":  func() G.Solver { return G.NewAdamSolver(l2...) },
		"adagrad":  func() G.Solver { return G.NewAdaGradSolver() },
	} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			var got [2][]uint64
			for i, e := range []tensor.Engine{solverEngine{}, G.StandardEngine{}} {
				rng := rand.New(rand.NewPCG(3, 4))
				numbers := func(scale float64) *tensor.Dense {
					d := tensor.New(tensor.Of(dt), tensor.WithShape(31, 43), tensor.WithEngine(e))
					for k := range d.Shape().TotalSize() {
						if v := scale * rng.NormFloat64(); dt == tensor.Float64 {
							d.SetF64(k, v)
						} else {
							d.SetF32(k, float32(v))
						}
					}
					return d
				}
				w := G.NewTensor(G.NewGraph(), dt, 2, G.WithShape(31, 43), G.WithName("w"), G.WithValue(numbers(1)))
				s := solver()
				for range 4 {
					G.WithGrad(numbers(0.3))(w)
					if err := s.Step(G.NodesToValueGrads(G.Nodes{w})); err != nil {
						t.Fatal(err)
					}
				}
				got[i] = bitsOf(w.Value().(tensor.Tensor))
			}
			for k := range got[1] {
				if got[0][k] != got[1][k] {
					t.Errorf("%s %v: number %d differs", name, dt, k)
					break
				}
			}
		}
	}
}
