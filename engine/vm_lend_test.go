package engine_test

import (
	"fmt"
	"testing"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestVMReadsTablesInPlace: a run reads a table where it lies; a value on demand is that of the run, whatever has
// become of the table since, and of the machine.
func TestVMReadsTablesInPlace(t *testing.T) {
	const rows, width = 500, 4
	for _, closed := range []bool{false, true} {
		g := G.NewGraph()
		backing := make([]float64, rows*width)
		table := G.NewMatrix(g, tensor.Float64, G.WithName("table"), G.WithShape(rows, width), G.WithValue(tensor.New(tensor.WithShape(rows, width), tensor.WithBacking(backing))))
		ids := G.NewVector(g, tensor.Int, G.WithName("ids"), G.WithShape(3), G.WithValue(tensor.New(tensor.WithBacking([]int{7, 499, 7}))))
		w := input64(g, "w", []float64{1, 2, 3, 4, 5, 6, 7, 8}, width, 2)
		picked := G.Must(G.ByIndices(table, ids, 0))
		row := G.Must(G.Slice(table, G.S(7)))
		h := G.Must(G.Tanh(G.Must(G.Mul(picked, w))))
		loss := G.Must(G.Add(G.Must(G.Sum(h)), G.Must(G.Sum(G.Must(G.Exp(G.Must(G.Neg(row))))))))
		derivativesOf(t, loss, table, w)
		fill := func(f float64) {
			for i := range backing {
				backing[i] = f * float64(i%13-6)
			}
		}
		// All values, as a machine has them that keeps them.
		want := map[*G.Node][]float64{}
		tracing := engine.NewTapeMachine(g, G.TraceExec())
		defer tracing.Close()
		fill(0.2)
		if err := tracing.RunAll(); err != nil {
			t.Fatal(err)
		}
		for _, n := range g.AllNodes() {
			if n != table && n.Value() != nil {
				want[n] = append([]float64(nil), numbers(n.Value())...)
			}
		}
		vm := engine.NewTapeMachine(g)
		defer vm.Close()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		p, err := vm.Program()
		if err != nil || !p.Layout.Lookup(fmt.Sprintf("table (%d)", table.ID())).Apart {
			t.Errorf("the table is copied in: %v", err)
		}
		fill(5)
		if closed {
			if err := vm.Close(); err != nil {
				t.Fatal(err)
			}
		}
		late := 0
		for n, w := range want {
			if k, ok := n.Value().(*engine.ValueOnDemand); ok {
				if _, err := k.Now(); err != nil {
					t.Errorf("%v: %v", n, err)
					continue
				}
				late++
			}
			compare(t, n.String(), numbers(n.Value()), w, 0)
		}
		if late == 0 {
			t.Error("no value is computed on demand")
		}
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		compare(t, "rows", numbers(picked.Value())[4:8], backing[499*width:], 0)
	}
}
