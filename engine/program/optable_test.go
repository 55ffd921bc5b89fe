package program

import (
	"slices"
	"strings"
	"testing"

	"driftless/engine/optim"
)

// TestTable: each instruction has a row, and the row says what the compiler and the devices
// need to know.
func TestTable(t *testing.T) {
	names := map[string]Op{}
	for op := range Ops() {
		r, s := table[op], signatures[op]
		if r.name == "" || !strings.Contains(r.sig, "→") {
			t.Errorf("instruction %d has no row with a name and a signature: add one to the table", op)
			continue
		}
		if other, taken := names[r.name]; taken {
			t.Errorf("instructions %d and %d are both called %q", other, op, r.name)
		}
		names[r.name] = op
		all := slices.Concat(s.in, s.out)
		has := func(dims string) bool {
			return slices.ContainsFunc(all, func(o operandSpec) bool { return o.dims == dims })
		}
		for _, o := range all {
			if !slices.Contains([]string{"", "m,d", "m", "d", ",m", "m,k", "k,d"}, o.dims) {
				t.Errorf("%v: %q of %s is no shape that the scheduler knows", op, o.dims, o.name)
			}
		}
		switch r.share {
		case byColumns, elementwise, asGEMM:
			if !has("m,d") {
				t.Errorf("%v is shared by columns, and nothing of it has m rows and d columns: %s", op, r.sig)
			}
		case byRows:
			if !has("m,d") && !has("m") {
				t.Errorf("%v is shared by rows, and nothing of it has m rows: %s", op, r.sig)
			}
		}
		for _, name := range r.state {
			if NewLayout(Float32).Lookup(name) == nil {
				t.Errorf("%v reads control state %q, which does not exist", op, name)
			}
		}
		if optional := slices.IndexFunc(s.in, func(o operandSpec) bool { return o.optional }); optional >= 0 && op != OpMasked &&
			slices.ContainsFunc(s.in[optional:], func(o operandSpec) bool { return !o.optional }) {
			t.Errorf("%v: an operand follows one that may be missing: %s", op, r.sig)
		}
	}
	if got := opEnd.String(); !strings.HasPrefix(got, "instruction") {
		t.Errorf("what is no instruction is called %q", got)
	}
}

// TestSignature reads one that has everything.
func TestSignature(t *testing.T) {
	s := parseSignature("a[m,d] b?[d] c… → &x[m] ~y")
	want := signature{operandList{{name: "a", dims: "m,d"}, {name: "b", dims: "d", optional: true}, {name: "c", repeated: true}},
		operandList{{name: "x", dims: "m", read: true}, {name: "y", lost: true}}}
	if !slices.Equal(s.in, want.in) || !slices.Equal(s.out, want.out) {
		t.Errorf("%+v", s)
	}
	for _, c := range []struct {
		list string
		want string
	}{{"", "0"}, {"a b", "2"}, {"a b? c?", "1 to 3"}, {"a b…", "1 or more"}} {
		if got := parseOperands(c.list).String(); got != c.want {
			t.Errorf("%q stands for %s, want %s", c.list, got, c.want)
		}
	}
}

// TestCheck: what has too few or too many operands, or others than it takes, is refused.
func TestCheck(t *testing.T) {
	x := &Tensor{DType: Float32, Rows: 2, Cols: 3, LD: 3}
	wide, bytes := &Tensor{DType: Float64, Rows: 2, Cols: 3, LD: 3}, &Tensor{DType: Uint8, Rows: 2, Cols: 3, LD: 3}
	ts := func(t ...*Tensor) []*Tensor { return t }
	adam, none := optim.Adam(0.1), optim.Optimizer{}
	for _, c := range []struct {
		in   Instr
		want string // "" for none
	}{
		{Instr{Op: opEnd}, "is not known"},
		{Instr{Op: OpGEMM, In: ts(x, x), Out: ts(x)}, ""},
		{Instr{Op: OpGEMM, In: ts(x, x, x), Out: ts(x)}, ""},
		{Instr{Op: OpGEMM, In: ts(x), Out: ts(x)}, "needs 2 to 3 and 1"},
		{Instr{Op: OpGEMM, In: ts(x, x, x, x), Out: ts(x)}, "needs 2 to 3 and 1"},
		{Instr{Op: OpGEMM, In: ts(x, nil), Out: ts(x)}, "must be there"},
		{Instr{Op: OpTick, In: ts(x), Out: ts(x)}, "needs 1 and 0"},
		{Instr{Op: OpHost, Out: ts(x, x)}, ""},
		{Instr{Op: OpHost, In: ts(x)}, "needs 0 or more and 1 or more"},
		{Instr{Op: OpMean, In: ts(x), Out: ts(x)}, ""},
		{Instr{Op: OpMean, In: ts(&Tensor{Rows: 2, Cols: 3, LD: 4}), Out: ts(x)}, "without gaps"},
		{Instr{Op: OpCopy, In: ts(x), Out: ts(wide)}, "cannot copy"},
		{Instr{Op: OpTranspose, In: ts(x), Out: ts(x)}, "cannot transpose"},
		{Instr{Op: OpGather, In: ts(bytes, x), Out: ts(x)}, ""},
		{Instr{Op: OpGather, In: ts(&Tensor{DType: Bool}, x), Out: ts(x)}, "cannot be gathered"},
		{Instr{Op: OpGatherMask, In: ts(x, x), Out: ts(x)}, "made of bytes"},
		{Instr{Op: OpGatherMask, In: ts(bytes, x), Out: ts(x), Values: true}, "need a place"},
		{Instr{Op: OpMasked, In: ts(x, x), Out: ts(x), Values: true}, "lacks its values"},
		{Instr{Op: OpUpdate, In: ts(x), Out: ts(x), Rule: optim.SGD(0.1)}, ""},
		{Instr{Op: OpUpdate, In: ts(x), Out: ts(x), Rule: none}, "is unknown"},
		{Instr{Op: OpUpdate, In: ts(x, x), Out: ts(x, x, x), Rule: adam}, ""},
		{Instr{Op: OpUpdate, In: ts(x), Out: ts(x, x, x), Rule: adam}, "1 powers of beta"},
		{Instr{Op: OpUpdate, In: ts(x, x), Out: ts(x, x), Rule: adam}, "2 slots"},
	} {
		if err := c.in.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v of %d and %d: %v, want %q", c.in.Op, len(c.in.In), len(c.in.Out), err, c.want)
		}
	}
}
