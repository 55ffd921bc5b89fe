package engine_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// graphs are those of single operations and their derivatives, and some nets.
func graphs(t *testing.T) map[string]func() *G.ExprGraph {
	out := map[string]func() *G.ExprGraph{}
	for name, build := range operations {
		out[name] = func() *G.ExprGraph {
			in := newInputs(tensor.Float64)
			n := G.Must(build(in))
			if undifferentiable[name] {
				return in.g
			}
			f := n
			if n.Dims() > 0 {
				f = G.Must(G.Sum(G.Must(G.Tanh(G.Must(G.Add(n, n))))))
			}
			var wrt []*G.Node
			for _, v := range []*G.Node{in.x, in.y, in.p, in.w, in.v, in.v2, in.c} {
				if uses(n, v) {
					wrt = append(wrt, v)
				}
			}
			derivativesOf(t, f, wrt...)
			return in.g
		}
	}
	input := func(g *G.ExprGraph, dt tensor.Dtype, name string, shape ...int) *G.Node {
		data := wave(tensor.Shape(shape).TotalSize())
		if dt == tensor.Float64 {
			return input64(g, name, data, shape...)
		}
		small := make([]float32, len(data))
		for i, v := range data {
			small[i] = float32(v)
		}
		return G.NewTensor(g, dt, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(program.NewValue(shape, small)))
	}
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		out[fmt.Sprint("convolutions in ", dt)] = func() *G.ExprGraph {
			g := G.NewGraph()
			x, f, w := input(g, dt, "x", 2, 1, 8, 8), input(g, dt, "f", 3, 1, 3, 3), input(g, dt, "w", 48, 4)
			h := G.Must(G.Rectify(G.Must(G.Conv2d(x, f, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))))
			h = G.Must(G.MaxPool2D(h, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
			e := input(g, dt, "e", 3, 3, 3, 3)
			h = G.Must(G.Tanh(G.Must(G.Conv2d(h, e, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))))
			p := G.Must(G.SoftMax(G.Must(G.Mul(G.Must(G.Reshape(h, tensor.Shape{2, 48})), w))))
			derivativesOf(t, G.Must(G.Neg(G.Must(G.Mean(G.Must(G.HadamardProd(G.Must(G.Log(p)), input(g, dt, "y", 2, 4))))))), f, e, w)
			return g
		}
		out[fmt.Sprint("normalized layers in ", dt)] = func() *G.ExprGraph {
			g := G.NewGraph()
			x, w, v := input(g, dt, "x", 20, 6), input(g, dt, "w", 6, 40), input(g, dt, "v", 40, 3)
			gamma, beta := input(g, dt, "gamma", 40), input(g, dt, "beta", 40)
			h := G.Must(ops.Standardize(G.Must(G.Mul(x, w)), 1e-3))
			h = G.Must(G.Sigmoid(G.Must(ops.Affine(h, gamma, beta))))
			logits := G.Must(G.BroadcastAdd(G.Must(G.Mul(h, v)), input(g, dt, "b", 3), nil, []byte{0}))
			labels := G.NewVector(g, dt, G.WithShape(20), G.WithName("labels"), G.WithInit(G.Zeroes()))
			derivativesOf(t, G.Must(ops.CrossEntropy(logits, labels)), w, v, gamma, beta)
			return g
		}
		out[fmt.Sprint("steps in time in ", dt)] = func() *G.ExprGraph {
			g := G.NewGraph()
			w, u, h := input(g, dt, "w", 4, 5), input(g, dt, "u", 5, 5), input(g, dt, "h", 3, 5)
			var loss *G.Node
			for i := range 3 {
				h = G.Must(G.Tanh(G.Must(G.Add(G.Must(G.Mul(input(g, dt, fmt.Sprint("x", i), 3, 4), w)), G.Must(G.Mul(h, u))))))
				l := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Slice(h, nil, G.S(i, i+2)))))))
				if loss == nil {
					loss = l
				} else {
					loss = G.Must(G.Add(loss, l))
				}
			}
			derivativesOf(t, loss, w, u)
			return g
		}
	}
	return out
}

// TestEveryNode: the value of each node, kept since it was there, or computed when somebody looks,
// has the bits that it has when all are traced, and nothing is fused.
func TestEveryNode(t *testing.T) {
	onDemand := 0
	for name, build := range graphs(t) {
		values := func(opts ...G.VMOpt) (out []string, labels []string) {
			g := build()
			vm := engine.NewTapeMachine(g, opts...)
			if err := errors.Join(vm.RunAll(), vm.RunAll(), vm.Close()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, n := range g.AllNodes() {
				v := n.Value()
				if _, late := v.(*engine.ValueOnDemand); late {
					onDemand++
				}
				data, err := program.Elements(v)
				if err != nil {
					t.Fatalf("%s: node %q: %v", name, program.Label(n), err)
				}
				var bits []uint64
				switch x := data.(type) {
				case []float64:
					for _, f := range x {
						bits = append(bits, math.Float64bits(f))
					}
				case []float32:
					for _, f := range x {
						bits = append(bits, uint64(math.Float32bits(f)))
					}
				}
				out, labels = append(out, fmt.Sprint(n.Shape(), v.Shape(), v.Dtype(), bits)), append(labels, program.Label(n))
			}
			return out, labels
		}
		got, labels := values()
		want, _ := values(G.TraceExec())
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: node %q is %s, traced it is %s", name, labels[i], got[i], want[i])
			}
		}
	}
	if onDemand == 0 {
		t.Error("no value was on demand: the test tells little")
	}
}

// TestValueOnDemand: what nobody asked for is computed when somebody looks, from the inputs of the
// last run; then the node keeps it. What cannot be computed again says so.
func TestValueOnDemand(t *testing.T) {
	g := G.NewGraph()
	x, w := mat(g, "x", 2, 3), mat(g, "w", 3, 2)
	h := G.Must(G.Mul(x, w))
	h2 := G.Must(G.Square(h))
	derivativesOf(t, G.Must(G.Sum(h2)), w)
	d := h.Deriv() // nobody asks for it
	vm := engine.NewTapeMachine(g)
	defer vm.Close()
	run := func() {
		t.Helper()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
	}
	run()
	v, late := d.Value().(*engine.ValueOnDemand)
	if !late {
		t.Fatalf("the derivative of the product is a %T: the test is of no use", d.Value())
	}
	x.Value().Data().([]float64)[0] = 100 // after the run
	want := []float64{44, 56, 98, 128}
	compare(t, "the derivative", v.Data().([]float64), want, 0)
	compare(t, "the derivative as the node's", d.Value().Data().([]float64), want, 0)
	if _, dense := d.Value().(*tensor.Dense); !dense || v.MemSize() != 32 || v.Size() != 4 || v.Uintptr() == 0 {
		t.Errorf("the node's value is a %T of %d bytes", d.Value(), v.MemSize())
	}
	run()
	if _, dense := d.Value().(*tensor.Dense); !dense || math.Abs(d.Value().Data().([]float64)[0]-242) > 1e-9 {
		t.Errorf("in the next run it is a %T: %v", d.Value(), d.Value())
	}
	compare(t, "the old value", v.Data().([]float64), want, 0)

	// Copies, and comparisons.
	other := engine.NewTapeMachine(g)
	defer other.Close()
	if err := other.RunAll(); err != nil {
		t.Fatal(err)
	}
	on, late := d.Value().(*engine.ValueOnDemand)
	into := tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Float64))
	if !late || on.CopyTo(into) != nil || !G.ValueEq(on, into) || on.CopyTo(3) == nil || !on.Type().Eq(d.Type()) {
		t.Errorf("the copy of %v is %v", on, into)
	}

	// An input that has gone, or is of another type, has its name in the error.
	if err := G.Let(x, 1.0); err != nil {
		t.Fatal(err)
	}
	if err := vm.RunAll(); err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), "shape ()") {
		t.Errorf("a number for a matrix: %v", err)
	}

	// One that has no name has its shape there.
	nameless := G.NewGraph()
	G.Must(G.Square(G.NewVector(nameless, tensor.Float64, G.WithShape(2))))
	if err := engine.NewTapeMachine(nameless).RunAll(); err == nil || !strings.Contains(err.Error(), "without a name, of shape (2)") {
		t.Errorf("an input without name and value: %v", err)
	}

	// Random numbers are not drawn again.
	g = G.NewGraph()
	drop := G.Must(G.Dropout(mat(g, "x", 2, 3), 0.5))
	p := input64(g, "p", wave(6), 2, 3)
	derivativesOf(t, G.Must(G.Sum(G.Must(G.Square(G.Must(G.HadamardProd(drop, p)))))), p)
	vm = engine.NewTapeMachine(g)
	defer vm.Close()
	run()
	gone := 0
	for _, n := range g.AllNodes() {
		if v, late := n.Value().(*engine.ValueOnDemand); late {
			if _, err := v.Now(); err != nil {
				gone++
				if text := fmt.Sprint(v); !strings.Contains(text, "gorgonia.Read") || !strings.Contains(text, "was not kept") {
					t.Errorf("it says %s", text)
				}
			}
		}
	}
	if gone == 0 {
		t.Error("all that comes of a Dropout was computed again")
	}
	run()
	for _, n := range g.AllNodes() {
		if v := n.Value(); v != nil {
			_ = v.Data() // kept now
		}
	}
}

// named is a device that counts its sessions.
type counted struct {
	device.Device
	n *int
}

func (c counted) Open(l *program.Layout, replicas int) (device.Session, error) {
	*c.n++
	return c.Device.Open(l, replicas)
}

// TestOwnOptions: On and UntilReset.
func TestOwnOptions(t *testing.T) {
	g := G.NewGraph()
	x := vec(g, "x", 1, 2)
	y := G.Must(G.Square(x))
	opened := 0
	vm := engine.NewTapeMachine(g, engine.On(counted{cpu.New(), &opened}), engine.UntilReset(), G.TraceExec())
	defer vm.Close()
	for i, want := range []float64{1, 1, 9} {
		if i == 2 {
			vm.Reset()
		}
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		compare(t, "y", numbers(y.Value())[:1], []float64{want}, 0)
		x.Value().Data().([]float64)[0] = 3
	}
	if opened != 1 {
		t.Errorf("%d sessions were opened on the device", opened)
	}
	stock := G.NewTapeMachine(g, engine.On(cpu.New()), engine.UntilReset()) // passes over them
	if err := errors.Join(stock.RunAll(), stock.Close()); err != nil {
		t.Error(err)
	}
}

// TestConcurrentMachines: machines over graphs of their own that share weights are made, run,
// looked into and closed side by side.
func TestConcurrentMachines(t *testing.T) {
	w := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float64{1, 2, 3, 4, 5, 6}))
	view, err := tensor.New(tensor.WithShape(4, 3), tensor.WithBacking(tensor.Range(tensor.Float64, 0, 12))).Slice(nil, G.S(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for id := range 4 { // Gorgonia's own building of graphs and their derivatives is not for goroutines
		g := G.NewGraph()
		x := mat(g, "x", 2, 3)
		shared := G.NewMatrix(g, tensor.Float64, G.WithShape(3, 2), G.WithName("w"), G.WithValue(w))
		part := G.NewMatrix(g, tensor.Float64, G.WithShape(4, 2), G.WithName("part"), G.WithValue(view))
		h := G.Must(G.Tanh(G.Must(G.Mul(x, shared))))
		derivativesOf(t, G.Must(G.Sum(G.Must(G.Square(G.Must(G.Mul(part, h)))))), shared)
		var read G.Value
		G.Read(h, &read)
		opts := [][]G.VMOpt{nil, {G.TraceExec()}, {G.BindDualValues(shared)}, {G.WithNaNWatch()}}[id]
		wg.Add(1)
		go func() {
			defer wg.Done()
			vm := engine.NewTapeMachine(g, opts...)
			for k := range 3 {
				if err := G.Let(x, tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float64{float64(id), 0, 0, 0, 0, float64(k)}))); err != nil {
					t.Error(err)
				}
				if err := vm.RunAll(); err != nil {
					t.Error(err)
				}
				if want := math.Tanh(float64(id)); math.Abs(read.Data().([]float64)[0]-want) > 1e-12 {
					t.Errorf("machine %d reads %v, want %v", id, read, want)
				}
				for _, n := range g.AllNodes() {
					if v := n.Value(); v != nil {
						_ = v.Data()
					}
				}
				vm.Reset()
			}
			if err := vm.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}

// TestMachineState: what Assign writes is in its node after each run, whatever the node is called,
// and what is read before it has the old value.
func TestMachineState(t *testing.T) {
	g := G.NewGraph()
	x, state, one := vec(g, "x", 1, 2), vec(g, "step", 0, 0), vec(g, "lr", 1, 1)
	y := G.Must(G.Add(x, G.Must(ops.State(state))))
	sq := G.Must(G.Square(y))
	sum := G.Must(G.Sum(sq))
	G.Must(ops.Assign(state, G.Must(G.Add(state, one)), 1, true))
	vm := engine.NewTapeMachine(g)
	defer vm.Close()
	for i := range 3 {
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		v := float64(i)
		compare(t, "the state", numbers(state.Value()), []float64{v + 1, v + 1}, 0)
		compare(t, "y and its square", append(numbers(y.Value()), numbers(sq.Value())...), []float64{1 + v, 2 + v, (1 + v) * (1 + v), (2 + v) * (2 + v)}, 0)
		compare(t, "the sum", numbers(sum.Value()), []float64{(1+v)*(1+v) + (2+v)*(2+v)}, 0)
	}
}
