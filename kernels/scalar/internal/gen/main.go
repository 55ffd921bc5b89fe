// Command gen writes the AVX2 kernel of package scalar.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of the plain Go, in its order of use.
var (
	sign  = constant("sign", 1<<31)
	least = number("least", -87)
	log2E = number("log2E", 1.44269504088896341)
	magic = number("magic", 3<<22)
	ln2Hi = number("ln2Hi", 0.693359375)
	ln2Lo = number("ln2Lo", -2.12194440e-4)
	c0    = number("c0", 1.9875691500e-4)
	c1    = number("c1", 1.3981999507e-3)
	c2    = number("c2", 8.3334519073e-3)
	c3    = number("c3", 4.1665795894e-2)
	c4    = number("c4", 1.6666665459e-1)
	c5    = number("c5", 5.0000001201e-1)
	one   = number("one", 1)
)

func number(name string, v float32) Mem { return constant(name, math.Float32bits(v)) }

// constant holds a word for every lane.
func constant(name string, bits uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, U32(bits))
	}
	return m
}

func main() {
	ConstraintExpr("!noasm")
	TEXT("sigmoidAVX2", NOSPLIT, "func(groups int, x, y *float32) int")
	Doc("sigmoidAVX2 computes Sigmoid of groups of eight, up to the first that holds a NaN or",
		"an element beyond ±87, and returns the number of groups that it did.")
	Pragma("noescape")
	groups := Load(Param("groups"), GP64())
	x := Load(Param("x"), GP64())
	y := Load(Param("y"), GP64())
	done := GP64()
	XORQ(done, done)

	Label("loop")
	CMPQ(done, groups)
	JGE(LabelRef("out"))
	v, a := YMM(), YMM()
	VMOVUPS(Mem{Base: x}, v)
	VORPS(sign, v, a) // -|x|
	in := YMM()
	VCMPPS(Imm(13), least, a, in) // a >= least; false for NaN
	lanes := GP32()
	VMOVMSKPS(in, lanes)
	CMPL(lanes, Imm(0xff))
	JNE(LabelRef("out"))

	t, k, r, p := YMM(), YMM(), YMM(), YMM()
	VMULPS(log2E, a, t)
	VADDPS(magic, t, t)
	VSUBPS(magic, t, k)
	VMULPS(ln2Hi, k, p)
	VSUBPS(p, a, r)
	VMULPS(ln2Lo, k, p)
	VSUBPS(p, r, r)

	r2, q, s := YMM(), YMM(), YMM()
	VMULPS(r, r, r2)
	VMULPS(c0, r, q)
	VADDPS(c1, q, q)
	step := func(a, b Mem) { // q = q·r2 + (a·r + b)
		VMULPS(r2, q, q)
		VMULPS(a, r, s)
		VADDPS(b, s, s)
		VADDPS(s, q, q)
	}
	step(c2, c3)
	step(c4, c5)
	VMULPS(r2, q, q)
	VADDPS(r, q, q)
	VADDPS(one, q, q)

	e := exponent(q, t)
	n, d := YMM(), YMM()
	VMOVUPS(one, n)
	VADDPS(n, e, d)
	VBLENDVPS(v, e, n, n) // e where the sign is set, else 1
	VDIVPS(d, n, n)
	VMOVUPS(n, Mem{Base: y})
	ADDQ(Imm(32), x)
	ADDQ(Imm(32), y)
	INCQ(done)
	JMP(LabelRef("loop"))

	Label("out")
	VZEROUPPER()
	Store(done, ReturnIndex(0))
	RET()
	Generate()
}

// exponent returns p·2^n from t = magic + n by adding n to p's exponent.
func exponent(p, t reg.VecVirtual) reg.VecVirtual {
	e := YMM()
	VPSLLD(Imm(23), t, e)
	VPADDD(p, e, e)
	return e
}
