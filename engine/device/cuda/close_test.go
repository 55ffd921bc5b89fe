//go:build gpu

package cuda

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/internal/ptx"
	"driftless/models/norm"

	"gorgonia.org/cu"
)

// TestCloseFreesAll: after the last session nothing is left on the device.
func TestCloseFreesAll(t *testing.T) {
	onlyVirtual(t, "lists what is left")
	n := small(norm.Must("whiten:naive")).compile(t)
	a, b := n.open(t, open(t), 3), n.open(t, open(t), 3, 4)
	for range 2 { // once for graphs
		must(t, a.Run(context.Background(), n.train, 4))
		must(t, b.Run(context.Background(), n.train, 4))
	}
	n.evaluate(t, b) // which needs more scratch memory
	must(t, a.Run(context.Background(), n.train, 2))
	must(t, a.Close())
	must(t, b.Run(context.Background(), n.train, 1))
	must(t, b.Close())
	must(t, b.Close())
	for _, leak := range driver.Virtual().Leaks() {
		t.Error(leak)
	}
	if err := a.Run(context.Background(), n.train, 1); err == nil {
		t.Error("a closed session ran")
	}
	if err := a.Read(program.StateStep, 0, make([]int64, 1)); err == nil {
		t.Error("a closed session was read")
	}
}

// TestErrors: what cannot be done is said in one line.
func TestErrors(t *testing.T) {
	onlyVirtual(t, "has a known number of devices and little memory")
	d := open(t)
	if _, err := d.Open(program.NewLayout(program.Float64), 1); err == nil || !strings.Contains(err.Error(), "float32") || !strings.Contains(err.Error(), "--device cpu") {
		t.Errorf("float64: %v", err)
	}
	if _, err := New(1); err == nil || !strings.Contains(err.Error(), "no CUDA device 1") {
		t.Errorf("device 1: %v", err)
	}
	l := program.NewLayout(program.Float32)
	if _, err := l.Add(program.State{Name: "large", DType: program.Float32, Rows: 1 << 10, Cols: 1 << 17}); err != nil {
		t.Fatal(err)
	}
	_, err := d.Open(l, 3)
	if err == nil || !errors.Is(err, cu.OutOfMemory) || !strings.Contains(err.Error(), "the state of 3 replicas needs 1536.") || !strings.Contains(err.Error(), "OUT_OF_MEMORY") {
		t.Errorf("out of memory: %v", err)
	}
	if left := driver.Virtual().Leaks(); len(left) > 0 {
		t.Errorf("a session that could not be opened left %v", left)
	}
}

// TestUnknownInstruction: a Program that the device does not understand is refused
// before it runs.
func TestUnknownInstruction(t *testing.T) {
	for _, in := range []*program.Instr{{Op: 250}, {Op: program.OpGEMM}, {Op: program.OpCenter, In: make([]*program.Tensor, 1), Out: make([]*program.Tensor, 1)},
		{Op: program.OpUpdate, In: []*program.Tensor{{Rows: 1, Cols: 1, LD: 1}}, Out: []*program.Tensor{{Rows: 1, Cols: 1, LD: 1}}},
		{Op: program.OpMasked, In: []*program.Tensor{{}, {}}, Out: []*program.Tensor{{}}}} {
		l := program.NewLayout(program.Float32)
		p := &program.Program{Layout: l, Blocks: []*program.Block{{Name: "odd", Rounds: 1, Instrs: []*program.Instr{in}}}}
		s, err := open(t).Open(l, 1)
		must(t, err)
		if err := s.Run(context.Background(), p, 1); err == nil || !strings.Contains(err.Error(), "odd") {
			t.Errorf("instruction %d ran: %v", in.Op, err)
		}
		must(t, s.Close())
	}
}

// TestFault: a kernel that goes wrong on the virtual device is named with its line.
func TestFault(t *testing.T) {
	onlyVirtual(t, "finds every fault and recovers from it")
	l := program.NewLayout(program.Float32)
	far := &program.Tensor{Space: program.SpaceScratch, DType: program.Float32, Rows: 1, Cols: 8, LD: 8}
	to := *far
	to.Off = 64
	p := &program.Program{Layout: l, Blocks: []*program.Block{{Name: "odd", Rounds: 1, Scratch: 128,
		Instrs: []*program.Instr{{Op: program.OpCopy, In: []*program.Tensor{far}, Out: []*program.Tensor{&to}}}}}}
	s, err := open(t).Open(l, 1)
	must(t, err)
	err = s.Run(context.Background(), p, 1)
	var fault *ptx.Fault
	if !errors.As(driver.LastFault(), &fault) || fault.Kind != ptx.Uninitialised || fault.Kernel != "copy" {
		t.Fatalf("fault: %v", driver.LastFault())
	}
	if err == nil || !strings.Contains(err.Error(), fault.Error()) || strings.Contains(err.Error(), OneByOne) {
		t.Errorf("the error does not have the fault's text: %v", err)
	}
	// NVIDIA's driver has no such text.
	b := s.(*session).bound[p]
	if got := b.blame(err); !errors.Is(got, err) || !strings.HasSuffix(got.Error(), "; of the kernels begin, copy one is at fault: with "+OneByOne+
		" in the environment the error names it, and compute-sanitizer tells the access") {
		t.Errorf("on a device of the driver the error is %v", got)
	}
	if other := driver.Explain("launch", cu.InvalidValue); b.blame(other) != other {
		t.Errorf("an error that is no fault becomes %v", b.blame(other))
	}
	if err := s.Run(context.Background(), p, 1); err == nil {
		t.Error("a session ran after a fault")
	}
	_ = s.Close()
	s, err = open(t).Open(l, 1) // in a context of its own
	must(t, err)
	must(t, s.Close())
}

// TestTooLarge: what is beyond the kernels' ints is refused before memory is asked for.
func TestTooLarge(t *testing.T) {
	for _, cols := range []int{1 << 15, 1<<15 - 1} {
		l := program.NewLayout(program.Float32)
		x := &program.Tensor{Space: program.SpaceScratch, DType: program.Float32, Rows: 1 << 16, Cols: cols, LD: 1 << 15}
		y := *x
		p := &program.Program{Layout: l, Blocks: []*program.Block{{Name: "odd", Rounds: 1,
			Instrs: []*program.Instr{{Op: program.OpCopy, In: []*program.Tensor{x}, Out: []*program.Tensor{&y}}}}}}
		s, err := open(t).Open(l, 1)
		must(t, err)
		must(t, s.(*session).do(func() error {
			_, err := s.(*session).bind(p)
			if cols == 1<<15 && (err == nil || !strings.Contains(err.Error(), "kernel copy: 65536 × 32768 elements are more than the 2147483647 that kernels count")) || cols < 1<<15 && err != nil {
				t.Errorf("%d columns: %v", cols, err)
			}
			return nil
		}))
		must(t, s.Close())
	}
}

func TestPieces(t *testing.T) {
	for _, c := range []struct {
		span
		want int
	}{{span{3, 8, 8}, 1}, {span{1, 8, 64}, 1}, {span{3, 8, 16}, 3}, {span{0, 8, 8}, 1}} {
		n, total := 0, 0
		must(t, c.pieces(func(_, _, bytes int) error { n++; total += bytes; return nil }))
		if n != c.want || total != c.rows*c.row {
			t.Errorf("%+v: %d pieces of %d bytes", c.span, n, total)
		}
	}
	if v, raw := makeSlice(program.Bool, 3); len(raw) != 3 || unsafe.Pointer(&v.([]bool)[0]) != unsafe.Pointer(&raw[0]) {
		t.Error("bytes of a slice of bool")
	}
}
