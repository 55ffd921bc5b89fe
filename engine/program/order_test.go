package program

import (
	"slices"
	"testing"
)

// TestSumsEarly: the sum of a matrix's columns, and the step that it is the gradient of, go to
// where the matrix is made, where nothing between keeps them from it.
func TestSumsEarly(t *testing.T) {
	matrix := func(name string) *Tensor {
		return &Tensor{DType: Float32, Rows: 64, Cols: 128, LD: 128, Name: name}
	}
	vector := func(name string) *Tensor {
		return &Tensor{DType: Float32, Rows: 1, Cols: 128, LD: 128, Name: name}
	}
	x, g, other, sum, param := matrix("x"), matrix("g"), matrix("other"), vector("sum"), vector("param")
	param.Space = SpaceReplica
	instr := func(op Op, in, out []*Tensor) *Instr {
		return &Instr{Op: op, In: in, Out: out, Schedule: Schedule{Axis: ByCols, Extent: 128}}
	}
	made := func() *Instr { return instr(OpActivate, []*Tensor{x}, []*Tensor{g}) }
	between := func() *Instr { return instr(OpActivate, []*Tensor{x}, []*Tensor{other}) }
	byRows := made()
	byRows.Axis, byRows.Extent = ByRows, 64
	for what, c := range map[string]struct {
		made    *Instr
		between []*Instr
		want    string // s: the sum, u: its update, b: what is between
	}{
		"nothing in the way":        {made(), []*Instr{between(), between()}, "subb"},
		"made by rows":              {byRows, []*Instr{between()}, "bsu"},
		"made by a product":         {instr(OpGEMM, []*Tensor{x, x}, []*Tensor{g}), []*Instr{between()}, "bsu"},
		"the matrix changes":        {made(), []*Instr{between(), instr(OpActivate, []*Tensor{g}, []*Tensor{View(g, 64, 128)})}, "bbsu"},
		"the sum's buffer is read":  {made(), []*Instr{instr(OpAddRow, []*Tensor{x, sum}, []*Tensor{other})}, "bsu"},
		"the parameter is read":     {made(), []*Instr{instr(OpAddRow, []*Tensor{x, param}, []*Tensor{other})}, "sbu"},
		"the parameter is written":  {made(), []*Instr{instr(OpColumnSum, []*Tensor{x}, []*Tensor{param})}, "sbu"},
		"the rate is set":           {made(), []*Instr{instr(OpLearningRate, nil, []*Tensor{vector("rate")})}, "sbu"},
		"another reads what it has": {made(), []*Instr{instr(OpActivate, []*Tensor{g}, []*Tensor{other})}, "sub"},
	} {
		s, u := instr(OpColumnSum, []*Tensor{g}, []*Tensor{sum}), instr(OpUpdate, []*Tensor{sum}, []*Tensor{param})
		b := &Block{Instrs: slices.Concat([]*Instr{c.made}, c.between, []*Instr{s, u})}
		sumEarly(b)
		got := ""
		for _, in := range b.Instrs[1:] {
			switch in {
			case s:
				got += "s"
			case u:
				got += "u"
			default:
				got += "b"
			}
		}
		if b.Instrs[0] != c.made || got != c.want {
			t.Errorf("%s: the order is %s, want %s", what, got, c.want)
		}
	}
}
