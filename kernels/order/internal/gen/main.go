// Command gen writes the vector kernels of package order.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	pass()
	walk()
	Generate()
}

// network holds the operands of the network.
type network struct {
	v                  vec.V
	low, toHigh, toLow vec.Reg
	key                vec.GP
}

func newNetwork(v vec.V) *network {
	return &network{v, v.Fill(vec.Arg("low")), v.Fill(vec.Arg("toHigh")), v.Fill(vec.Arg("toLow")), vec.Arg("key")}
}

// product multiplies 32-bit lanes by one of the constants of mix32.
type product func(x vec.Reg, name string, c uint32) vec.Reg

// apply emits the network. Where the plain Go has x ^ x>>16 for x = l ^ key, here
// is l ^ l>>16 ^ folded key; and the last step of mix32 falls away, since no bit
// of it is left after a shift by 16 or more.
func (p *network) apply(i vec.Reg, mul product) vec.Reg {
	v := p.v
	half := func(x, y vec.Reg, r int, to vec.Reg) vec.Reg { // x ^ mix32(y ^ key)>>to
		k := v.Broadcast(Mem{Base: p.key, Disp: 4 * r})
		y = mul(v.XorInt3(y, v.ShiftRight(y, 16), k), "mix0", 0x7feb352d)
		y = mul(v.XorInt(y, v.ShiftRight(y, 15)), "mix1", 0x846ca68b)
		return v.XorInt(x, v.ShiftRightBy(y, to))
	}
	h := v.ShiftRightBy(i, p.low)
	l := v.XorInt(i, v.ShiftLeftBy(h, p.low))
	for r := 0; r < 8; r += 2 {
		h = half(h, l, r, p.toHigh)
		l = half(l, h, r+1, p.toLow)
	}
	return v.XorInt(v.ShiftLeftBy(h, p.low), l)
}

// full multiplies all lanes.
func (p *network) full(x vec.Reg, name string, c uint32) vec.Reg {
	return p.v.MulInt(x, vec.Uint32(name, c))
}

// even multiplies the even lanes and leaves anything in the odd ones, in half the
// time. AVX-512 only.
func (p *network) even(x vec.Reg, name string, c uint32) vec.Reg {
	y := ZMM()
	VPMULUDQ_BCST(vec.Uint64(name+"even", uint64(c)).Mem, x, y)
	return y
}

// pass writes one pass of the network for AVX2; Go does the rest of the walk.
func pass() {
	v := vec.AVX2
	vec.Text("passAVX2", "func(n int, x *uint32, low, toHigh, toLow int, key *uint32)",
		"passAVX2 applies the network to each of the n ≥ 1 elements of x, a multiple of 16.",
		"toHigh is 32 - high, toLow 32 - low; keys are folded: k ^ k>>16.")
	n, x := vec.Arg("n"), vec.Arg("x")
	p := newNetwork(v)
	Label("loop")
	vec.Interleave(2, func(i int) {
		at := Mem{Base: x, Disp: i * v.Bytes}
		v.Store(p.apply(v.Load(at), p.full), at)
	})
	ADDQ(Imm(64), x)
	SUBQ(Imm(16), n)
	JNZ(LabelRef("loop"))
	vec.End()
}

// walk writes the whole walk of 64 positions for AVX-512.
func walk() {
	const vectors = 4
	v := vec.AVX512
	TEXT("walkAVX512", 0, "func(n uint32, start, count int, out *int32, low, toHigh, toLow int, key *uint32)")
	Doc("walkAVX512 sets out[j] to the row at position start+j of the order of n rows, for",
		"1 ≤ count ≤ 64 positions. Keys are folded: k ^ k>>16.")
	Pragma("noescape")
	count, out, left, at := vec.Arg("count"), vec.Arg("out"), GP64(), GP64()
	LEAQ(AllocLocal(4*80), left) // rows that go on, and where in out they belong
	LEAQ(AllocLocal(4*80), at)
	p := newNetwork(v)
	n := v.BroadcastArg("n")
	lane := v.Load(lanes())

	// One pass for all; those that it leaves at n or beyond are packed together.
	first := v.AddInt(lane, v.Fill(vec.Arg("start")))
	var x [vectors]vec.Reg
	vec.Interleave(vectors, func(i int) {
		x[i] = p.apply(v.AddInt(first, vec.Uint32("lanes"+string(rune('0'+i)), uint32(16*i))), p.full)
	})
	here, total, ones := GP64(), GP64(), GP64()
	XORQ(total, total)
	MOVQ(I32(-1), ones)
	BZHIQ(count, ones, here) // all 64 if count is 64
	for i := range x {
		on, far := K(), K()
		KMOVW(here.As32(), on)
		VMOVDQU32(x[i], on, Mem{Base: out, Disp: 64 * i})
		VPCMPUD(Imm(5), n, x[i], on, far) // not below n
		VPCOMPRESSD_Z(x[i], far, x[i])
		VMOVDQU32(x[i], Mem{Base: left, Index: total, Scale: 4})
		j := v.AddInt(lane, vec.Uint32("lanes"+string(rune('0'+i)), uint32(16*i)))
		VPCOMPRESSD_Z(j, far, j)
		VMOVDQU32(j, Mem{Base: at, Index: total, Scale: 4})
		ADDQ(popcount(far), total)
		SHRQ(Imm(16), here)
	}

	// The others go on, eight at a time in the even lanes, until each is below n.
	even := GP64()
	MOVQ(U32(0x5555), even)
	Label("others")
	TESTQ(total, total)
	JLE(LabelRef("done"))
	on, far := K(), K()
	BZHIQ(total, ones, here)
	KMOVB(here.As32(), on)
	LEAQ(Mem{Base: total, Index: total, Scale: 1}, here)
	BZHIQ(here, even, here)
	KMOVW(here.As32(), far)
	y, j := ZMM(), YMM()
	VPMOVZXDQ(Mem{Base: left}, y)
	VMOVDQU(Mem{Base: at}, j)
	Label("again")
	VMOVDQA32(p.apply(y, p.even), far, y)
	VPCMPUD(Imm(5), n, y, far, far)
	KORTESTW(far, far)
	JNZ(LabelRef("again"))
	row := YMM()
	VPMOVQD(y, row)
	VPSCATTERDD(row, on, Mem{Base: out, Index: j, Scale: 4})
	ADDQ(Imm(32), left)
	ADDQ(Imm(32), at)
	SUBQ(Imm(8), total)
	JMP(LabelRef("others"))
	Label("done")
	vec.End()
}

// popcount returns the number of lanes where a mask holds.
func popcount(k reg.Register) reg.Register {
	n := GP32()
	KMOVW(k, n)
	POPCNTL(n, n)
	return n.As64()
}

// lanes holds the numbers of the lanes.
func lanes() Mem {
	m := GLOBL("laneNumbers", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(uint32(i)))
	}
	return m
}
