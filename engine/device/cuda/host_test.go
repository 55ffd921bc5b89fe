//go:build gpu

package cuda

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestHost trains through operations that run on the host, and one of Gorgonia's own,
// which may keep state from forward to backward: the bits are the CPU's, and what is copied is counted.
func TestHost(t *testing.T) {
	const batch = 4
	sparse := func(x *G.Node) (*G.Node, error) { return G.Sparsemax(x) }
	for name, c := range map[string]struct {
		f      func(x *G.Node) (*G.Node, error)
		shape  tensor.Shape
		serial bool
	}{
		"softplus":  {G.Softplus, tensor.Shape{batch, 5}, false},
		"expm1":     {G.Expm1, tensor.Shape{batch, 5}, false},
		"sparsemax": {sparse, tensor.Shape{batch, 5}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := G.NewGraph()
			x := G.NewTensor(g, tensor.Float32, len(c.shape), G.WithShape(c.shape...), G.WithName("x"))
			w := G.NewTensor(g, tensor.Float32, len(c.shape), G.WithShape(c.shape...), G.WithName("w"),
				G.WithValue(tensor.New(tensor.WithShape(c.shape...), tensor.WithBacking(wave(c.shape.TotalSize())))))
			z := G.Must(c.f(G.Must(G.HadamardProd(x, w))))
			l := program.NewLayout(program.Float32)
			data := wideWave(3 * c.shape.TotalSize())
			p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(z)))), Params: []*G.Node{w}, Optimizer: optim.SGD(0.1),
				Data: []engine.Data{{Node: x, Values: data}}})
			must(t, err)
			var said []string
			here := open(t, Warn(func(m string) { said = append(said, m) })).(*Device)
			here.onHost = map[program.Op]bool{program.OpUnary: true}
			sessions := besideCPU(t, l, here)
			sessions.run(t, p, 5, 3)
			sessions.same(t, "")
			count := counters(sessions.device)
			if count.HostCalls == 0 || count.HostCalls%16 != 0 || count.HostBytes == 0 || count.GraphLaunches > 0 {
				t.Errorf("%+v after 8 steps of 2 replicas", count)
			}
			if len(said) != count.HostCalls/16 || !strings.Contains(said[0], "runs on the host") {
				t.Errorf("said %q", said)
			}
			if b := sessions.device.(*session).bound[p]; b.serial != c.serial {
				t.Errorf("serial: %v", b.serial)
			}
		})
	}
}

// TestTransposes: the product of two transposes has no kernel.
func TestTransposes(t *testing.T) {
	for _, update := range []bool{false, true} {
		l := program.NewLayout(program.Float32)
		l.Lookup(program.StateLR).Init = []float64{0.25}
		add := func(name string, rows, cols int) *program.Tensor {
			st, err := l.Add(program.State{Name: name, DType: program.Float32, Rows: rows, Cols: cols, Init: wave(rows * cols)})
			must(t, err)
			return &program.Tensor{Space: program.SpaceReplica, DType: program.Float32, Off: st.Off, Rows: rows, Cols: cols, LD: st.LD}
		}
		a, b, c := add("a", 7, 5), add("b", 3, 7), add("c", 5, 3)
		in := &program.Instr{Op: program.OpGEMM, TransA: true, TransB: true, In: []*program.Tensor{a, b}, Out: []*program.Tensor{c}, Update: update}
		if !update {
			in.In = append(in.In, add("bias", 1, 3))
		}
		in.Extent = 1
		p := &program.Program{Layout: l, Blocks: []*program.Block{{Name: "odd", Rounds: 1, Instrs: []*program.Instr{in}}}}
		x, err := cpu.New().Open(l, 1)
		must(t, err)
		y, err := open(t).Open(l, 1)
		must(t, err)
		must(t, x.Run(context.Background(), p, 1))
		must(t, y.Run(context.Background(), p, 1))
		n := &net{layout: l}
		n.same(t, fmt.Sprintf("update %v", update), x, 0, y, 0)
		must(t, y.Close())
	}
}

type failing struct{ calls *int }

func (f failing) Call(_, _ []any) error { *f.calls++; return errors.New("it does not work") }

// TestHostFails: an operation that fails on what is not finite ends its replica; on
// anything else it fails the run.
func TestHostFails(t *testing.T) {
	l := program.NewLayout(program.Float32)
	st, err := l.Add(program.State{Name: "x", DType: program.Float32, Rows: 1, Cols: 2, Init: []float32{1, 2}})
	must(t, err)
	x := &program.Tensor{Space: program.SpaceReplica, DType: program.Float32, Off: st.Off, Rows: 1, Cols: 2, LD: 2}
	y := &program.Tensor{Space: program.SpaceScratch, DType: program.Float32, Rows: 1, Cols: 2, LD: 2}
	calls := 0
	p := &program.Program{Layout: l, Blocks: []*program.Block{{Name: "odd", Rounds: 1, Scratch: 64,
		Instrs: []*program.Instr{{Op: program.OpHost, Host: failing{&calls}, In: []*program.Tensor{x}, Out: []*program.Tensor{y}}}}}}
	s, err := open(t).Open(l, 3)
	must(t, err)
	defer s.Close()
	must(t, s.Write("x", 0, []float32{1, float32(math.NaN())}))
	must(t, s.Write(program.StateNonFinite, 1, []int64{5}))
	if err := s.Run(context.Background(), p, 4); err == nil || !strings.Contains(err.Error(), "replica 2: it does not work") {
		t.Errorf("%v", err)
	}
	if calls != 2 {
		t.Errorf("%d calls, want one each for replicas 0 and 2", calls)
	}
	var at [1]int64
	must(t, s.Read(program.StateNonFinite, 0, at[:]))
	if at[0] != 0 {
		t.Errorf("non-finite at %d, want 0", at[0])
	}
}
