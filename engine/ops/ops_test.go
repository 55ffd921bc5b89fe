package ops

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestGradients compares Gorgonia's symbolic gradients, on both of its machines,
// with central differences of the reference.
func TestGradients(t *testing.T) {
	const h, tol = 1e-5, 1e-7
	for _, c := range opCases {
		if c.noSym {
			continue
		}
		for machine := range machines {
			t.Run(c.name+"/"+machine, func(t *testing.T) {
				nodes := c.nodes(tensor.Float64)
				y := must(c.build(nodes))(t)
				w := normals(newRand(11), max(1, y.Shape().TotalSize()))
				var wrt []*G.Node
				var which []int
				for i, a := range c.args {
					if a.wrt {
						wrt, which = append(wrt, nodes[i]), append(which, i)
					}
				}
				if len(wrt) == 0 {
					if _, err := G.Grad(contract(t, y, w), nodes[0]); err == nil {
						t.Error("Grad found a gradient of an operation that has none")
					}
					return
				}
				grads := must(G.Grad(contract(t, y, w), wrt...))(t)
				got := run(t, machine, append([]*G.Node{y}, grads...)...)
				close64(t, "the value", got[0], do(t, y.Op(), c.values(tensor.Float64)...), 0)

				data := c.data()
				loss := func() float64 {
					vs := make([]G.Value, len(data))
					for i, x := range data {
						vs[i] = toValue(x, tensor.Float64, c.args[i].shape...)
					}
					sum := 0.0
					for i, v := range do(t, y.Op(), vs...) {
						sum += v * w[i]
					}
					return sum
				}
				for k, i := range which {
					want := make([]float64, len(data[i]))
					for e, x := range data[i] {
						data[i][e] = x + h
						up := loss()
						data[i][e] = x - h
						down := loss()
						data[i][e] = x
						want[e] = (up - down) / (2 * h)
					}
					close64(t, "gradient in "+c.args[i].name, got[k+1], want, tol*math.Max(1, maxAbs(want)))
				}
			})
		}
	}
}

// TestNoGradient checks that Grad reports the operations that have no gradient
// instead of taking them for constants.
func TestNoGradient(t *testing.T) {
	for _, c := range opCases {
		if !c.noSym {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			for i, a := range c.args {
				if !a.wrt {
					continue
				}
				nodes := c.nodes(tensor.Float64) // a failed Grad leaves its graph half differentiated
				y := must(c.build(nodes))(t)
				_, err := G.Grad(contract(t, y, normals(newRand(1), y.Shape().TotalSize())), nodes[i])
				if err == nil || !strings.Contains(err.Error(), "no symbolic gradient") || !strings.Contains(err.Error(), c.name) {
					t.Errorf("Grad in %s: got error %v, want one that names %s", a.name, err, c.name)
				}
			}
		})
	}
}

// TestFloat32 checks that the reference computes in float64 for float32 inputs:
// its result is the float64 one, rounded once.
func TestFloat32(t *testing.T) {
	for _, c := range opCases {
		t.Run(c.name, func(t *testing.T) {
			op := must(c.build(c.nodes(tensor.Float32)))(t).Op()
			narrow := c.values(tensor.Float32)
			wide := make([]G.Value, len(narrow))
			for i, v := range narrow {
				wide[i] = toValue(floats(t, v), tensor.Float64, c.args[i].shape...)
			}
			v := must(op.Do(narrow...))(t)
			if v.Dtype() != tensor.Float32 {
				t.Errorf("the result is %v, want float32", v.Dtype())
			}
			want := do(t, op, wide...)
			for i := range want {
				want[i] = float64(float32(want[i]))
			}
			close64(t, "float32", floats(t, v), want, 0)
		})
	}
}

// TestFloat32Gradients checks that a float32 graph differentiates and agrees with
// the float64 graph to float32 accuracy.
func TestFloat32Gradients(t *testing.T) {
	grads := func(t *testing.T, c opCase, dt tensor.Dtype) [][]float64 {
		nodes := c.nodes(dt)
		y := must(c.build(nodes))(t)
		var wrt []*G.Node
		for i, a := range c.args {
			if a.wrt {
				wrt = append(wrt, nodes[i])
			}
		}
		w := normals(newRand(11), max(1, y.Shape().TotalSize()))
		return run(t, "TapeMachine", must(G.Grad(contract(t, y, w), wrt...))(t)...)
	}
	for _, c := range opCases {
		differentiable := false
		for _, a := range c.args {
			differentiable = differentiable || a.wrt
		}
		if c.noSym || !differentiable {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			want := grads(t, c, tensor.Float64)
			for i, got := range grads(t, c, tensor.Float32) {
				close64(t, fmt.Sprintf("gradient %d", i), got, want[i], 1e-5*math.Max(1, maxAbs(want[i])))
			}
		})
	}
}

// TestMachines runs every operation on both machines in both dtypes.
func TestMachines(t *testing.T) {
	for _, c := range opCases {
		for machine := range machines {
			for _, dt := range bothDtypes {
				t.Run(fmt.Sprintf("%s/%s/%v", c.name, machine, dt), func(t *testing.T) {
					y := must(c.build(c.nodes(dt)))(t)
					want := do(t, y.Op(), c.values(dt)...)
					close64(t, "the value", run(t, machine, y)[0], want, 0)
				})
			}
		}
	}
}

// TestInputsUntouched checks that Do neither writes to its inputs nor returns
// their memory, which Gorgonia's in-place operations would then overwrite.
func TestInputsUntouched(t *testing.T) {
	for _, c := range opCases {
		for _, dt := range bothDtypes {
			t.Run(fmt.Sprintf("%s/%v", c.name, dt), func(t *testing.T) {
				op := must(c.build(c.nodes(dt)))(t).Op()
				if op.OverwritesInput() != -1 || op.ReturnsPtr() || op.CallsExtern() {
					t.Error("the operation claims to overwrite an input, return a pointer or call foreign code")
				}
				vs := c.values(dt)
				out := must(op.Do(vs...))(t)
				switch data := out.Data().(type) {
				case []float64:
					for i := range data {
						data[i] = -77
					}
				case []float32:
					for i := range data {
						data[i] = -77
					}
				}
				for i, v := range c.values(dt) {
					close64(t, "input "+c.args[i].name, floats(t, vs[i]), floats(t, v), 0)
				}
			})
		}
	}
}

// TestLayouts feeds lazily transposed, sliced and column-major inputs, which
// Gorgonia's own operations produce.
func TestLayouts(t *testing.T) {
	layouts := map[string]func(t *testing.T, v *tensor.Dense) G.Value{
		"transposed": func(t *testing.T, v *tensor.Dense) G.Value {
			u := v.Clone().(*tensor.Dense)
			if err := u.T(); err != nil {
				t.Fatal(err)
			}
			if err := u.Transpose(); err != nil { // moves the data
				t.Fatal(err)
			}
			if err := u.T(); err != nil { // moves the strides only
				t.Fatal(err)
			}
			return u
		},
		"sliced": func(t *testing.T, v *tensor.Dense) G.Value {
			rows, cols := v.Shape()[0], v.Shape()[1]
			wide := tensor.New(tensor.Of(v.Dtype()), tensor.WithShape(rows, cols+2))
			for i := 0; i < rows; i++ {
				for j := 0; j < cols; j++ {
					x := must(v.At(i, j))(t)
					if err := wide.SetAt(x, i, j+1); err != nil {
						t.Fatal(err)
					}
				}
			}
			return must(wide.Slice(nil, G.S(1, cols+1)))(t).(*tensor.Dense)
		},
		"column-major": func(t *testing.T, v *tensor.Dense) G.Value {
			rows, cols := v.Shape()[0], v.Shape()[1]
			u := tensor.New(tensor.Of(v.Dtype()), tensor.WithShape(rows, cols), tensor.AsFortran(nil))
			for i := 0; i < rows; i++ {
				for j := 0; j < cols; j++ {
					if err := u.SetAt(must(v.At(i, j))(t), i, j); err != nil {
						t.Fatal(err)
					}
				}
			}
			return u
		},
	}
	for name, layout := range layouts {
		for _, dt := range bothDtypes {
			for _, c := range opCases {
				t.Run(fmt.Sprintf("%s/%v/%s", name, dt, c.name), func(t *testing.T) {
					op := must(c.build(c.nodes(dt)))(t).Op()
					vs := c.values(dt)
					for i, v := range vs {
						if m, ok := v.(*tensor.Dense); ok && m.Dims() == 2 {
							vs[i] = layout(t, m)
						}
					}
					close64(t, "the value", do(t, op, vs...), do(t, op, c.values(dt)...), 0)
				})
			}
		}
	}
}

// TestShapeErrors checks that wrong shapes are refused in one sentence that names
// the operation, the nodes and the shapes.
func TestShapeErrors(t *testing.T) {
	for _, c := range opCases {
		for _, shapes := range c.bad {
			t.Run(fmt.Sprintf("%s%v", c.name, shapes), func(t *testing.T) {
				g := G.NewGraph()
				nodes := make([]*G.Node, len(shapes))
				want := []string{"ops: " + c.name}
				for i, s := range shapes {
					name := "layer3." + c.args[i].name
					nodes[i] = G.NewTensor(g, tensor.Float64, s.Dims(), G.WithShape(s...), G.WithName(name))
					want = append(want, fmt.Sprintf("%s %v", name, s))
				}
				n, err := c.build(nodes)
				if err == nil {
					t.Fatalf("accepted, with shape %v", n.Shape())
				}
				for _, w := range want {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("error %q does not contain %q", err, w)
					}
				}
				if strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "nify") {
					t.Errorf("error %q is not one sentence of ours", err)
				}
				if len(g.AllNodes()) != len(nodes) {
					t.Errorf("a refused operation left a node in the graph")
				}
			})
		}
	}
}

// TestNodeErrors checks arguments that are no float nodes of one dtype and graph.
func TestNodeErrors(t *testing.T) {
	for _, c := range opCases {
		t.Run(c.name, func(t *testing.T) {
			refuse := func(what, want string, nodes []*G.Node) {
				t.Helper()
				if _, err := c.build(nodes); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got error %v, want one with %q", what, err, want)
				}
			}
			last := len(c.args) - 1
			nodes := c.nodes(tensor.Float64)
			nodes[last] = nil
			refuse("nil node", "nil node", nodes)

			g := G.NewGraph()
			for i, a := range c.args {
				nodes[i] = G.NewTensor(g, tensor.Int, a.shape.Dims(), G.WithShape(a.shape...), G.WithName(a.name))
			}
			refuse("int nodes", "want float32 or float64", nodes)

			if last > 0 {
				nodes = c.nodes(tensor.Float64)
				a := c.args[last]
				nodes[last] = G.NewTensor(nodes[0].Graph(), tensor.Float32, a.shape.Dims(), G.WithShape(a.shape...), G.WithName("narrow"))
				refuse("two dtypes", "want one dtype", nodes)
				nodes[last] = c.nodes(tensor.Float64)[last]
				refuse("two graphs", "same graph", nodes)
			}

			nodes = c.nodes(tensor.Float64)
			var into G.Value
			nodes[last] = G.Read(nodes[last], &into)
			refuse("statement", "has no value", nodes)
		})
	}
}

// TestDoErrors checks that a machine that feeds wrong values gets an error.
func TestDoErrors(t *testing.T) {
	for _, c := range opCases {
		t.Run(c.name, func(t *testing.T) {
			op := must(c.build(c.nodes(tensor.Float64)))(t).Op()
			vs := c.values(tensor.Float64)
			if _, err := op.Do(append(vs, vs[0])...); err == nil {
				t.Error("accepted one input too many")
			}
			if _, err := op.Do(); err == nil {
				t.Error("accepted no inputs")
			}
			vs[0] = nil
			if _, err := op.Do(vs...); err == nil {
				t.Error("accepted a nil input")
			}
			ints := make([]G.Value, len(c.args))
			for i, a := range c.args {
				if a.shape.Dims() == 0 {
					ints[i] = G.NewI(1)
					continue
				}
				ints[i] = tensor.New(tensor.Of(tensor.Int), tensor.WithShape(a.shape...))
			}
			if _, err := op.Do(ints...); err == nil {
				t.Error("accepted integers")
			}
			if _, err := op.InferShape(); err == nil {
				t.Error("InferShape accepted no arguments")
			}
			for _, shapes := range c.bad {
				bad := make([]G.Value, len(shapes))
				for i, s := range shapes {
					bad[i] = toValue(make([]float64, max(1, s.TotalSize())), tensor.Float64, s...)
				}
				if _, err := op.Do(bad...); err == nil {
					t.Errorf("accepted values of shapes %v", shapes)
				}
			}
		})
	}
}

// TestParameterErrors checks parameters that make no sense.
func TestParameterErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	g := G.NewGraph()
	x := matrix64(g, "x", make([]float64, 6), 2, 3)
	sq := matrix64(g, "sq", make([]float64, 4), 2, 2)
	v := vector64(g, "v", make([]float64, 3))
	u := vector64(g, "u", make([]float64, 3))
	inner := must(Scale(v, 2))(t)
	for _, c := range []struct {
		want  string
		build func(p float64) (*G.Node, error)
		bad   []float64
	}{
		{"eps is", func(p float64) (*G.Node, error) { return Standardize(x, p) }, []float64{-1, nan, inf}},
		{"eps is", func(p float64) (*G.Node, error) { return StandardizeGrad(x, x, x, p) }, []float64{-1, nan, inf}},
		{"eps is", func(p float64) (*G.Node, error) { return NormalizeBy(x, v, u, p) }, []float64{-1, nan, inf}},
		{"eps is", func(p float64) (*G.Node, error) { return ScaleBy(x, v, p) }, []float64{-1, nan, inf}},
		{"relEps is", func(p float64) (*G.Node, error) { return ZCA(sq, p) }, []float64{-1, nan, inf}},
		{"factor is", func(p float64) (*G.Node, error) { return Scale(x, p) }, []float64{nan, inf, -inf}},
		{"alpha is", func(p float64) (*G.Node, error) { return EMA(v, u, p, 1) }, []float64{-0.1, 1.1, nan}},
		{"scale is", func(p float64) (*G.Node, error) { return EMA(v, u, 0.1, p) }, []float64{nan, inf}},
		{"every is", func(p float64) (*G.Node, error) { return Assign(v, u, int(p), false) }, []float64{0, -3}},
		{"rows is", func(p float64) (*G.Node, error) { return BroadcastRows(v, int(p)) }, []float64{0, -3}},
		{"state is no input node", func(float64) (*G.Node, error) { return Assign(inner, v, 1, false) }, []float64{0}},
	} {
		for _, p := range c.bad {
			if _, err := c.build(p); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("parameter %v: got error %v, want one with %q", p, err, c.want)
			}
		}
	}
}

// TestHashcodes checks that no two operations share a hash, and that the smallest
// change of any exported field changes it: Gorgonia merges nodes of equal hash.
func TestHashcodes(t *testing.T) {
	seen := map[uint32]string{}
	add := func(op G.Op) {
		t.Helper()
		name := fmt.Sprintf("%T %v", op, op)
		if other, ok := seen[op.Hashcode()]; ok && other != name {
			t.Errorf("%s and %s share the hash %08x", name, other, op.Hashcode())
		}
		seen[op.Hashcode()] = name
	}
	for _, c := range opCases {
		op := must(c.build(c.nodes(tensor.Float64)))(t).Op()
		add(op)
		if op.Arity() != len(c.args) {
			t.Errorf("%v has arity %d, want %d", op, op.Arity(), len(c.args))
		}
		typ := reflect.TypeOf(op)
		for i := range parameters(reflect.New(typ).Elem()) {
			changed := reflect.New(typ).Elem()
			changed.Set(reflect.ValueOf(op))
			switch f := parameters(changed)[i]; f.Kind() {
			case reflect.Float64:
				f.SetFloat(math.Nextafter(f.Float(), 2))
			case reflect.Int:
				f.SetInt(f.Int() + 1)
			case reflect.Uint8:
				f.SetUint(f.Uint() + 1)
			case reflect.Bool:
				f.SetBool(!f.Bool())
			default:
				t.Fatalf("%v: teach this test to change a field of type %v", op, f.Type())
			}
			other := changed.Interface().(G.Op)
			if other.Hashcode() == op.Hashcode() {
				t.Errorf("the hash of %v does not cover parameter %d", op, i)
			}
			add(other)
		}
	}
}

// parameters are the exported fields of an operation, and those of their structs.
func parameters(op reflect.Value) (all []reflect.Value) {
	for i := range op.NumField() {
		switch f := op.Field(i); {
		case !op.Type().Field(i).IsExported():
		case f.Kind() == reflect.Struct:
			all = append(all, parameters(f)...)
		default:
			all = append(all, f)
		}
	}
	return all
}

// TestMerging checks that nodes with different parameters stay apart and that
// equal ones are one node.
func TestMerging(t *testing.T) {
	g := G.NewGraph()
	x := matrix64(g, "x", normals(newRand(1), 6), 3, 2)
	a := must(Standardize(x, 1e-5))(t)
	b := must(Standardize(x, 1e-3))(t)
	if a == b {
		t.Error("two eps merged")
	}
	if c := must(Standardize(x, 1e-5))(t); c != a {
		t.Error("equal nodes did not merge")
	}
	s1, s2 := vector64(g, "s1", []float64{1, 2}), vector64(g, "s2", []float64{3, 4})
	mean := must(ColumnMean(x))(t)
	assigns := map[*G.Node]bool{}
	for _, state := range []*G.Node{s1, s2} {
		for _, every := range []int{1, 2} {
			for _, late := range []bool{false, true} {
				assigns[must(Assign(state, mean, every, late))(t)] = true
			}
		}
	}
	if len(assigns) != 8 {
		t.Errorf("8 assignments became %d nodes", len(assigns))
	}
}
