package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// pairs are AVX2's shuffles of neighbouring lanes. Vectors of AVX-512 would be no faster: memory is what poolings wait for.
type pairs struct{ vec.V }

// swap exchanges the lanes of each pair.
func (p pairs) swap(x vec.Reg) vec.Reg {
	y := p.New()
	if p.Double() {
		VPERMILPD(Imm(0x5), x, y)
	} else {
		VPERMILPS(Imm(0xB1), x, y)
	}
	return y
}

// first has the first lane of each pair in both.
func (p pairs) first(x Op) vec.Reg {
	y := p.New()
	if p.Double() {
		VMOVDDUP(x, y)
	} else {
		VMOVSLDUP(x, y)
	}
	return y
}

// lanes takes the first lane of each pair from x, and the other from y.
func (p pairs) lanes(x, y vec.Reg) vec.Reg {
	z := p.New()
	if p.Double() {
		VBLENDPD(Imm(0xA), y, x, z)
	} else {
		VBLENDPS(Imm(0xAA), y, x, z)
	}
	return z
}

// equal returns ones where lanes are equal.
func (p pairs) equal(x, y vec.Reg) vec.Reg { return p.Copy(p.Compare(vec.EQ, x, y).K()) }

// without returns the bits of x that y has not.
func (p pairs) without(x, y Op) vec.Reg {
	z := p.New()
	VANDNPS(x, y, z)
	return z
}

// rows emits body for the vectors of rows of n lanes, the last of which may do some again.
func (p pairs) rows(step func(), body func(at vec.GP)) {
	n, rows := vec.Arg("n"), vec.Arg("rows")
	last, at := GP64(), GP64()
	MOVQ(n, last)
	SUBQ(Imm(uint64(p.Lanes())), last)
	Label("row")
	XORQ(at, at)
	Label("vector")
	CMPQ(at, last)
	JLE(LabelRef("inside"))
	MOVQ(last, at)
	Label("inside")
	body(at)
	ADDQ(Imm(uint64(p.Lanes())), at)
	CMPQ(at, n)
	JLT(LabelRef("vector"))
	step()
	DECQ(rows)
	JNZ(LabelRef("row"))
	vec.End()
}

// top returns both rows of some windows, and the largest of each window in both its lanes.
func (p pairs) top(x, next, at vec.GP) (above, below, top vec.Reg) {
	above, below = p.Load(Mem{Base: x, Index: at, Scale: uint8(p.Size)}), p.Load(Mem{Base: next, Index: at, Scale: uint8(p.Size)})
	m := maximum(p.V, above, below)
	return above, below, maximum(p.V, m, p.swap(m))
}

// planePools writes poolings of windows of 2×2 beside one another, of images whose channels lie one after another.
func planePools(v vec.V) {
	p := pairs{v}
	half := uint8(v.Size / 2)
	vec.Text("planeMaxPool"+v.Name, v.Signature("func(rows, n int, x, next *T, xStep int, y *T, yStep int)"),
		"planeMaxPool"+v.Name+" sets rows of n/2 numbers to the largest of windows, whose rows are at x and next; n is even and a vector or more.")
	x, next, y := vec.Arg("x"), vec.Arg("next"), vec.Arg("y")
	p.rows(func() {
		ADDQ(vec.Step("xStep"), x)
		ADDQ(vec.Step("xStep"), next)
		ADDQ(vec.Step("yStep"), y)
	}, func(at vec.GP) {
		_, _, top := p.top(x, next, at)
		if !v.Double() {
			VSHUFPS(Imm(0x88), top, top, top)
		}
		VPERMPD(Imm(0x08), top, top)
		VMOVUPS(top.AsX(), Mem{Base: y, Index: at, Scale: half})
	})

	vec.Text("planeMaxPoolGrad"+v.Name, v.Signature("func(rows, n int, x, next *T, xStep int, up *T, upStep int, dx, dxNext *T)"),
		"planeMaxPoolGrad"+v.Name+" gives windows' gradients, at up, to the first place in each that holds the largest, or if none does to the",
		"first, and 0 to the others. Rows of dx are as far from one another as those of x.")
	x, next = vec.Arg("x"), vec.Arg("next")
	up, dx, dxNext := vec.Arg("up"), vec.Arg("dx"), vec.Arg("dxNext")
	zero := v.Zero()
	p.rows(func() {
		for _, q := range []vec.GP{x, next, dx, dxNext} {
			ADDQ(vec.Step("xStep"), q)
		}
		ADDQ(vec.Step("upStep"), up)
	}, func(at vec.GP) {
		above, below, top := p.top(x, next, at)
		inA, inB := p.equal(above, top), p.equal(below, top)
		anyA := v.Or(inA, p.swap(inA))
		all := v.Or(anyA, v.Or(inB, p.swap(inB)))
		a := p.without(inA, p.lanes(zero, p.first(inA)))
		b := p.without(p.without(inB, p.lanes(zero, p.first(inB))), anyA)
		ones := v.New()
		VPCMPEQD(ones, ones, ones)
		a = v.Or(a, p.lanes(p.without(ones, all), zero))
		g, from := v.New(), Mem{Base: up, Index: at, Scale: half}
		if v.Double() {
			VMOVUPS(from, g.AsX())
			VPERMPD(Imm(0x50), g, g)
		} else {
			VPMOVZXDQ(from, g)
			g = p.first(g)
		}
		g = v.Add(g, zero)
		v.Store(v.And(a, g), Mem{Base: dx, Index: at, Scale: uint8(v.Size)})
		v.Store(v.And(b, g), Mem{Base: dxNext, Index: at, Scale: uint8(v.Size)})
	})
}
