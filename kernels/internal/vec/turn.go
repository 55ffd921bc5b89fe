package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Four columns of Lanes rows, and the way from a row a quarter to a column a
// vector: in vector q of what GatherRows loads, quarter p of 16 bytes is row
// 4p + q; Turn makes vector j column j, lane i row i, and is its own inverse.

// GatherRows loads four columns of the first rows of a matrix, at most Lanes of
// them; from is the first row and step how many bytes the next one is away. Rows
// that are not there are zeros, and so are columns where tail, of four lanes, is
// off if it is not nil.
func (v V) GatherRows(from GP, step Op, rows GP, tail *Mask) [4]Reg {
	var x [4]Reg
	for q := range x {
		x[q] = v.Zero()
	}
	p := GP64()
	MOVQ(from, p)
	v.eachRow(p, step, rows, func(i int) {
		row := Mem{Base: p}
		switch to := x[i%4]; {
		case i < 4 && tail == nil:
			VMOVUPS(row, to.AsX())
		case i < 4:
			v.loadQuarter(row, tail, to.AsX())
		case tail == nil:
			v.insertQuarter(i/4, row, to)
		default:
			t := XMM()
			v.loadQuarter(row, tail, t)
			v.insertQuarter(i/4, t, to)
		}
	})
	return x
}

// ScatterRows stores what GatherRows loads.
func (v V) ScatterRows(x [4]Reg, to GP, step Op, rows GP, tail *Mask) {
	p := GP64()
	MOVQ(to, p)
	v.eachRow(p, step, rows, func(i int) {
		row, from := Mem{Base: p}, Op(x[i%4].AsX())
		if i >= 4 {
			from = XMM()
			v.extractQuarter(i/4, x[i%4], from)
		}
		switch {
		case tail == nil:
			VMOVUPS(from, row)
		case v.Wide():
			VMOVUPS(from, tail.r, row)
		default:
			VMASKMOVPS(from, tail.r.(Reg).AsX(), row)
		}
	})
}

// eachRow emits body for the rows that are there, and moves p along.
func (v V) eachRow(p GP, step Op, rows GP, body func(i int)) {
	done := NewLabel("rows")
	for i := range v.Lanes() {
		body(i)
		if i+1 < v.Lanes() {
			CMPQ(rows, Imm(uint64(i+1)))
			JLE(LabelRef(done))
			ADDQ(step, p)
		}
	}
	Label(done)
}

func (v V) loadQuarter(from Mem, tail *Mask, to Op) {
	if v.Wide() {
		VMOVUPS_Z(from, tail.r, to)
	} else {
		VMASKMOVPS(from, tail.r.(Reg).AsX(), to)
	}
}

func (v V) insertQuarter(p int, from Op, to Reg) {
	if v.Wide() {
		VINSERTF32X4(Imm(uint64(p)), from, to, to)
	} else {
		VINSERTF128(Imm(uint64(p)), from, to, to)
	}
}

func (v V) extractQuarter(p int, from Reg, to Op) {
	if v.Wide() {
		VEXTRACTF32X4(Imm(uint64(p)), from, to)
	} else {
		VEXTRACTF128(Imm(uint64(p)), from, to)
	}
}

// Turn transposes each block of 4×4.
func (v V) Turn(x [4]Reg) [4]Reg {
	pair := func(f func(...Op), a, b Reg) Reg { y := v.New(); f(b, a, y); return y }
	low, low2 := pair(VUNPCKLPS, x[0], x[1]), pair(VUNPCKLPS, x[2], x[3])
	high, high2 := pair(VUNPCKHPS, x[0], x[1]), pair(VUNPCKHPS, x[2], x[3])
	return [4]Reg{pair(VUNPCKLPD, low, low2), pair(VUNPCKHPD, low, low2), pair(VUNPCKLPD, high, high2), pair(VUNPCKHPD, high, high2)}
}

// Fill returns the low 32 bits of a general register in every lane.
func (v V) Fill(n GP) Reg {
	x := v.New()
	if v.Wide() {
		VPBROADCASTD(n.As32(), x)
		return x
	}
	t := XMM()
	VMOVD(n.As32(), t)
	VPBROADCASTD(t, x)
	return x
}
