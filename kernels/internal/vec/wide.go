package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Half is half a vector of float32, and the whole vector of float64 that it
// widens to: what sums in float64 go by. Reg is half as wide where a comment says
// so. The zero value of tail is the whole half.
type Half struct {
	V
	tail *Mask
}

// Half returns the halves of a width.
func (v V) Half() Half { return Half{V: v} }

// Lanes is the number of float64 in a vector.
func (h Half) Lanes() int { return h.V.Lanes() / 2 }

// FirstOnly is a half of which only the first lanes exist, those of a mask from
// Tail.
func (h Half) FirstOnly(m Mask) Half { return Half{h.V, &m} }

// Tail returns the mask of the first n lanes, 0 ≤ n ≤ Lanes.
func (h Half) Tail(n GP) Mask {
	m := h.V.Tail(n)
	if h.Wide() {
		return m
	}
	return Mask{m.r.(Reg).AsX()}
}

func (h Half) newNarrow() Reg {
	if h.Wide() {
		return YMM()
	}
	return XMM()
}

// Load loads float32 to half a register; lanes that do not exist are 0.
func (h Half) Load(from Mem) Reg {
	x := h.newNarrow()
	switch {
	case h.tail == nil:
		VMOVUPS(from, x)
	case h.Wide():
		VMOVUPS_Z(from, h.tail.r, x)
	default:
		VMASKMOVPS(from, h.tail.r, x)
	}
	return x
}

// LoadWide is Load, widened to float64.
func (h Half) LoadWide(from Mem) Reg {
	x := h.New()
	switch {
	case h.tail == nil:
		VCVTPS2PD(from, x)
	case h.Wide():
		VCVTPS2PD_Z(from, h.tail.r, x)
	default:
		VCVTPS2PD(h.Load(from), x)
	}
	return x
}

// Store stores half a register of float32.
func (h Half) Store(x Reg, to Mem) {
	switch {
	case h.tail == nil:
		VMOVUPS(x, to)
	case h.Wide():
		VMOVUPS(x, h.tail.r, to)
	default:
		VMASKMOVPS(x, h.tail.r, to)
	}
}

// Widen converts half a register of float32 to float64, Narrow back, rounded.
func (h Half) Widen(x Reg) Reg { return h.op1(VCVTPS2PD, x) }

func (h Half) Narrow(x Reg) Reg {
	y := h.newNarrow()
	if h.Wide() {
		VCVTPD2PS(x, y)
	} else {
		VCVTPD2PSY(x, y)
	}
	return y
}

// Mul multiplies halves of registers of float32.
func (h Half) Mul(a, b Reg) Reg {
	x := h.newNarrow()
	VMULPS(b, a, x)
	return x
}

// DivBy returns a/n, correctly rounded, without a division, where inverse is 1/n
// correctly rounded. The first correction leaves a quotient that is off by less
// than one place, which the second makes the right one (Markstein, 1990). a is not
// -0, and neither the quotient nor a step on the way to it leaves the normal
// numbers, unless a is 0, infinite or NaN. DivBy64 is for float64 whatever the
// lanes are.
func (v V) DivBy(a, n, inverse Reg) Reg {
	q := v.Mul(a, inverse)
	first := q
	for range 2 {
		q = v.FMA(v.NegFMA(q, n, a), inverse, q)
	}
	return v.Select(v.Compare(Unordered, q, q), first, q) // Inf - Inf
}

func (v V) DivBy64(a, n, inverse Reg) Reg { return v.Float64().DivBy(a, n, inverse) }
