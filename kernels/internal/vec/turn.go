package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Quad is the number of lanes in 16 bytes, four of float32 or two of float64. So many
// columns of Lanes rows are Quad vectors, and this is the way from a row a quarter of 16
// bytes to a column a vector: in vector q of what GatherRows loads, quarter p is row
// Quad·p + q; Turn makes vector j column j, lane i row i, and is its own inverse.
func (v V) Quad() int { return 16 / v.Size }

// GatherRows loads Quad columns of the first rows of a matrix, at most Lanes of
// them; from is the first row and step how many bytes the next one is away. Rows
// that are not there are zeros, and so are columns where tail, of Quad lanes, is
// off if it is not nil.
func (v V) GatherRows(from GP, step Op, rows GP, tail *Mask) []Reg {
	x := make([]Reg, v.Quad())
	for q := range x {
		x[q] = v.Zero()
	}
	p := GP64()
	MOVQ(from, p)
	v.eachRow(p, step, rows, func(i int) {
		row := Mem{Base: p}
		switch to := x[i%len(x)]; {
		case i < len(x) && tail == nil:
			VMOVUPS(row, to.AsX())
		case i < len(x):
			v.MoveMasked(tail.quarter(v), row, to.AsX().(Reg))
		case tail == nil:
			v.insertQuarter(i/len(x), row, to)
		default:
			t := XMM()
			v.MoveMasked(tail.quarter(v), row, t)
			v.insertQuarter(i/len(x), t, to)
		}
	})
	return x
}

// ScatterRows stores what GatherRows loads.
func (v V) ScatterRows(x []Reg, to GP, step Op, rows GP, tail *Mask) {
	p := GP64()
	MOVQ(to, p)
	v.eachRow(p, step, rows, func(i int) {
		row, from := Mem{Base: p}, x[i%len(x)].AsX().(Reg)
		if i >= len(x) {
			from = XMM()
			v.extractQuarter(i/len(x), x[i%len(x)], from)
		}
		if tail == nil {
			VMOVUPS(from, row)
		} else {
			v.StoreMasked(from, tail.quarter(v), row)
		}
	})
}

// quarter is the mask of the first 16 bytes.
func (m *Mask) quarter(v V) Mask {
	if v.Wide() {
		return *m
	}
	return Mask{m.r.(Reg).AsX()}
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

// Turn transposes each block of Quad×Quad.
func (v V) Turn(x []Reg) []Reg {
	pair := func(f func(...Op), a, b Reg) Reg { y := v.New(); f(b, a, y); return y }
	if v.Double() {
		return []Reg{pair(VUNPCKLPD, x[0], x[1]), pair(VUNPCKHPD, x[0], x[1])}
	}
	low, low2 := pair(VUNPCKLPS, x[0], x[1]), pair(VUNPCKLPS, x[2], x[3])
	high, high2 := pair(VUNPCKHPS, x[0], x[1]), pair(VUNPCKHPS, x[2], x[3])
	return []Reg{pair(VUNPCKLPD, low, low2), pair(VUNPCKHPD, low, low2), pair(VUNPCKLPD, high, high2), pair(VUNPCKHPD, high, high2)}
}

// Number returns an integer of a general register, as a float, in every lane.
func (v V) Number(n GP) Reg {
	x, one := v.New(), XMM()
	VXORPS(one, one, one)
	if v.Double() {
		VCVTSI2SDQ(n, one, one)
		VBROADCASTSD(one, x)
	} else {
		VCVTSI2SSQ(n, one, one)
		VBROADCASTSS(one, x)
	}
	return x
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
