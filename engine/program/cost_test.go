package program

import (
	"strings"
	"testing"
	"time"
)

// TestAveragedOverPeriods: what is due every so many steps counts for its share, in the
// operations of a step as in the rate of an instruction.
func TestAveragedOverPeriods(t *testing.T) {
	matrix := func() *Tensor { return &Tensor{Name: "x", DType: Float32, Rows: 1000, Cols: 1000, LD: 1000} }
	square := func(every int) *Instr {
		return &Instr{Op: OpUnary, In: []*Tensor{matrix()}, Out: []*Tensor{matrix()}, Every: every} // a million operations
	}
	often, seldom := square(1), square(4)
	p := &Program{Blocks: []*Block{
		{Name: "train", Rounds: 1, Instrs: []*Instr{often, seldom}},
		{Name: "refresh", Every: 10, Rounds: 2, Instrs: []*Instr{square(0)}},
	}}
	if got := p.Flops(); got != 1.45e6 {
		t.Errorf("%v operations a step, want 1.45e6", got)
	}
	for most, want := range map[int]int{100: 20, 20: 20, 19: 19, 5: 5} {
		if got := p.Period(most); got != want {
			t.Errorf("period, at most %d: %d, want %d", most, got, want)
		}
	}
	// Each took 1 ms a step where the peak is 1 GFLOP/s: all of it, a quarter, a fifth.
	plan := Plan{Steps: 20, Workers: 1, Peak: 1, Total: 60 * time.Millisecond}
	for _, b := range p.Blocks {
		var parts []Part
		for _, in := range b.Instrs {
			parts = append(parts, Part{Instrs: []*Instr{in}, Spent: 20 * time.Millisecond})
		}
		plan.Parts = append(plan.Parts, parts)
	}
	text := p.Listing(plan)
	for _, want := range []string{" 100%\n", " 25%\n", " 20%\n", "1.45 MFLOP, 48% of 1 × 1 GFLOP/s"} {
		if !strings.Contains(text, want) {
			t.Errorf("the listing lacks %q:\n%s", want, text)
		}
	}
}
