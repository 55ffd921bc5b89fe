package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// StoreFirst stores the first lanes of a vector: those of a mask from Tail, and as many as n
// says. With AVX2 it goes four, two and one lanes at a time, for which no mask is needed: a
// store under one takes some processors (Zen 4) as long as a dozen others.
func (v V) StoreFirst(x Reg, m Mask, n, to Mem) {
	if v.Wide() {
		v.StoreMasked(x, m, to)
		return
	}
	if v.Double() {
		v.storeFirst64(x, n, to)
		return
	}
	four, two, one, done := NewLabel("four"), NewLabel("two"), NewLabel("one"), NewLabel("stored")
	plus := func(bytes int) Mem { m := to; m.Disp += bytes; return m }
	test := func(lanes int32, otherwise string) {
		TESTQ(I32(lanes), n)
		JZ(LabelRef(otherwise))
	}
	// few stores n&3 lanes of x, at so many bytes.
	few := func(x Op, at int, one string) {
		test(2, one)
		VMOVLPS(x, plus(at))
		test(1, done)
		VEXTRACTPS(Imm(2), x, plus(at+8))
		JMP(LabelRef(done))
		Label(one)
		test(1, done)
		VMOVSS(x, plus(at))
		JMP(LabelRef(done))
	}
	test(8, four)
	VMOVUPS(x, to)
	JMP(LabelRef(done))
	Label(four)
	test(4, two)
	h := XMM()
	VEXTRACTF128(Imm(1), x, h)
	VMOVUPS(x.AsX(), to)
	few(h, 16, NewLabel("one"))
	Label(two)
	few(x.AsX(), 0, one)
	Label(done)
}

// storeFirst64 is StoreFirst for float64: two lanes and one at a time.
func (v V) storeFirst64(x Reg, n, to Mem) {
	two, one, done := NewLabel("two"), NewLabel("one"), NewLabel("stored")
	test := func(lanes int32, otherwise string) {
		TESTQ(I32(lanes), n)
		JZ(LabelRef(otherwise))
	}
	test(4, two)
	VMOVUPS(x, to)
	JMP(LabelRef(done))
	Label(two)
	test(2, one)
	h, last := XMM(), to
	VEXTRACTF128(Imm(1), x, h)
	VMOVUPS(x.AsX(), to)
	test(1, done)
	last.Disp += 16
	VMOVLPS(h, last)
	JMP(LabelRef(done))
	Label(one)
	test(1, done)
	VMOVLPS(x.AsX(), to)
	Label(done)
}
