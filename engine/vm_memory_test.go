package engine_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"driftless/engine"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestValuesOutliveRuns: what a run has handed over, no later run changes, nor does Close.
func TestValuesOutliveRuns(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float32, G.WithShape(3, 5), G.WithName("x"))
	h := G.Must(G.Sigmoid(x))
	y := G.Must(G.Square(h))
	z := G.Must(G.Reshape(h, tensor.Shape{5, 3})) // lies where h does
	m := engine.NewTapeMachine(g)
	var old [3]G.Value
	var want [3]string
	for run := range 3 {
		values := make([]float32, 15)
		for i := range values {
			values[i] = float32(run*15+i) / 10
		}
		if err := G.Let(x, tensor.New(tensor.WithShape(3, 5), tensor.WithBacking(values))); err != nil {
			t.Fatal(err)
		}
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		for i, n := range []*G.Node{h, y, z} {
			if run > 0 && show(old[i]) != want[i] {
				t.Errorf("run %d: the value of node %v before it was %s, and is now %s", run, n, want[i], show(old[i]))
			}
			if old[i] = n.Value(); show(old[i]) == want[i] {
				t.Errorf("run %d: node %v has the value of the run before", run, n)
			}
			want[i] = show(old[i])
		}
		h.Value().Data().([]float32)[0] = 7 // a program's own doing
		if z.Value().Data().([]float32)[0] == 7 {
			t.Error("two nodes share memory")
		}
		want[0] = show(old[0])
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range old {
		if show(old[i]) != want[i] {
			t.Errorf("after Close value %d is %s, want %s", i, show(old[i]), want[i])
		}
	}
}

// TestDoKeepsOperands: no operation of Gorgonia's writes into its operands by its Do, so that the
// engine can have it read them where they lie.
func TestDoKeepsOperands(t *testing.T) {
	if testing.Short() {
		t.Skip("random graphs run on the same machine")
	}
	quiet(t)
	for _, d := range derivatives {
		if d.refused != "" {
			continue
		}
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, stock := range []bool{false, true} {
				values, both, err := d.programs(dt, stock)
				if err != nil {
					t.Fatalf("%s: %v", d.name, err)
				}
				if both == nil {
					both = values
				}
				for in := range instrs(both) {
					if in.ByDo() {
						keepsOperands(t, fmt.Sprintf("%s in %v, stock %v", d.name, dt, stock), in)
					}
				}
			}
		}
	}
}

// keepsOperands calls an operation of the host on numbers.
func keepsOperands(t *testing.T, name string, in *program.Instr) {
	var from, before, to []any
	slice := func(x *program.Tensor) any {
		switch n := x.Len(); x.DType {
		case program.Float32:
			return countUp(make([]float32, n))
		case program.Float64:
			return countUp(make([]float64, n))
		case program.Int:
			return slices.Repeat([]int{1}, n)
		case program.Bool:
			return make([]bool, n)
		default:
			t.Fatalf("%s: operand of %v", name, x.DType)
			return nil
		}
	}
	for _, x := range in.In {
		from, before = append(from, slice(x)), append(before, slice(x))
	}
	for _, x := range in.Out {
		to = append(to, slice(x))
	}
	_ = in.Host.Call(from, to) // on such numbers it may fail
	for i := range from {
		if fmt.Sprint(from[i]) != fmt.Sprint(before[i]) {
			t.Errorf("%s: %s writes into operand %d", name, in.Title(), i)
		}
	}
}

func countUp[T float32 | float64](x []T) []T {
	for i := range x {
		x[i] = T(i+1) / 8
	}
	return slices.Clip(x)
}

// TestRunsKeepNothing: however often a machine runs, the heap stays as it is.
func TestRunsKeepNothing(t *testing.T) {
	runs := 5000
	if testing.Short() {
		runs = 1000
	}
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float64, G.WithShape(20, 30), G.WithName("x"), G.WithInit(G.Ones()))
	w := G.NewMatrix(g, tensor.Float64, G.WithShape(30, 10), G.WithName("w"), G.WithInit(G.Ones()))
	loss := G.Must(G.Mean(G.Must(G.Sin(G.Must(G.SoftMax(G.Must(G.Mul(x, w))))))))
	if _, err := G.Grad(loss, w); err != nil {
		t.Fatal(err)
	}
	m := engine.NewTapeMachine(g, G.BindDualValues(w))
	defer m.Close()
	run := func(n int) {
		for range n {
			if err := m.RunAll(); err != nil {
				t.Fatal(err)
			}
			m.Reset()
		}
	}
	run(10)
	before := heap()
	run(runs)
	if grown := heap() - before; grown > 200<<10 {
		t.Errorf("%d runs leave %d bytes behind", runs, grown)
	}
}

// TestMachinesKeepNothing: machines that are closed leave neither goroutines nor memory behind.
func TestMachinesKeepNothing(t *testing.T) {
	machines := 2000
	if testing.Short() {
		machines = 300
	}
	open := func(n int) {
		for range n {
			g := G.NewGraph()
			x := G.NewMatrix(g, tensor.Float32, G.WithShape(20, 30), G.WithName("x"), G.WithInit(G.Ones()))
			G.Must(G.Sum(G.Must(G.Tanh(x))))
			m := engine.NewTapeMachine(g)
			if err := m.RunAll(); err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	open(20)
	before, goroutines := heap(), runtime.NumGoroutine()
	open(machines)
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d machines leave %d bytes behind", machines, grown)
	}
	for wait := time.Now(); runtime.NumGoroutine() > goroutines && time.Since(wait) < 5*time.Second; {
		time.Sleep(10 * time.Millisecond) // one may be on its way out
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("%d machines leave %d goroutines behind", machines, now-goroutines)
	}
}

// heap is the number of bytes that are in use.
func heap() int {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
