package ptx

import "math/bits"

type unsigned interface{ uint32 | uint64 }

func add[T unsigned](d, a, b *[lanes]T) {
	for i := range d {
		d[i] = a[i] + b[i]
	}
}

func sub[T unsigned](d, a, b *[lanes]T) {
	for i := range d {
		d[i] = a[i] - b[i]
	}
}

func mulLo[T unsigned](d, a, b *[lanes]T) {
	for i := range d {
		d[i] = a[i] * b[i]
	}
}

func madLo[T unsigned](d, a, b, c *[lanes]T) {
	for i := range d {
		d[i] = a[i]*b[i] + c[i]
	}
}

func mulHiU32(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) >> 32) }
func mulHiS32(a, b uint32) uint32 { return uint32(int64(int32(a)) * int64(int32(b)) >> 32) }

func mulHiU64(a, b uint64) uint64 {
	hi, _ := bits.Mul64(a, b)
	return hi
}

// mulHiS64 corrects the unsigned product: a negative factor was taken 2⁶⁴ too
// large.
func mulHiS64(a, b uint64) uint64 {
	return mulHiU64(a, b) - uint64(int64(a)>>63)&b - uint64(int64(b)>>63)&a
}

func mulWideU32(r *regs, d, a, b, _ int32) {
	x, y, z := &r.l[d], &r.w[a], &r.w[b]
	for i := range x {
		x[i] = uint64(y[i]) * uint64(z[i])
	}
}

func mulWideS32(r *regs, d, a, b, _ int32) {
	x, y, z := &r.l[d], &r.w[a], &r.w[b]
	for i := range x {
		x[i] = uint64(int64(int32(y[i])) * int64(int32(z[i])))
	}
}

func madWideU32(r *regs, d, a, b, c int32) {
	x, y, z, s := &r.l[d], &r.w[a], &r.w[b], &r.l[c]
	for i := range x {
		x[i] = uint64(y[i])*uint64(z[i]) + s[i]
	}
}

func madWideS32(r *regs, d, a, b, c int32) {
	x, y, z, s := &r.l[d], &r.w[a], &r.w[b], &r.l[c]
	for i := range x {
		x[i] = uint64(int64(int32(y[i]))*int64(int32(z[i]))) + s[i]
	}
}

// s16 reads a 16-bit register as signed.
func s16(a uint32) int32 { return int32(int16(a)) }

// u16 writes a 16-bit register.
func u16(v int32) uint32 { return uint32(uint16(v)) }

// A division by zero that reaches these functions is in a lane that is not
// active: the interpreter has reported the others.

func divide[T int32 | int64 | uint32 | uint64](a, b T) T {
	if b == 0 {
		return 0
	}
	return a / b
}

func remainder[T int32 | int64 | uint32 | uint64](a, b T) T {
	if b == 0 {
		return 0
	}
	return a % b
}

func registerInteger() {
	for _, t := range []string{"s32", "u32"} {
		register("add."+t, "www", w2(add[uint32]))
		register("sub."+t, "www", w2(sub[uint32]))
		register("mul.lo."+t, "www", w2(mulLo[uint32]))
		register("mad.lo."+t, "wwww", w3(madLo[uint32]))
	}
	for _, t := range []string{"s64", "u64"} {
		register("add."+t, "lll", l2(add[uint64]))
		register("sub."+t, "lll", l2(sub[uint64]))
		register("mul.lo."+t, "lll", l2(mulLo[uint64]))
		register("mad.lo."+t, "llll", l3(madLo[uint64]))
	}
	for _, t := range []string{"s16", "u16"} {
		register("add."+t, "hhh", w2(each2(func(a, b uint32) uint32 { return (a + b) & 0xffff })))
		register("sub."+t, "hhh", w2(each2(func(a, b uint32) uint32 { return (a - b) & 0xffff })))
		register("mul.lo."+t, "hhh", w2(each2(func(a, b uint32) uint32 { return (a * b) & 0xffff })))
		register("mad.lo."+t, "hhhh", w3(each3(func(a, b, c uint32) uint32 { return (a*b + c) & 0xffff })))
	}
	register("mul.wide.u16", "whh", w2(each2(func(a, b uint32) uint32 { return a * b })))
	register("mul.wide.s16", "whh", w2(each2(func(a, b uint32) uint32 { return uint32(s16(a) * s16(b)) })))
	register("mul.hi.u16", "hhh", w2(each2(func(a, b uint32) uint32 { return a * b >> 16 })))
	register("mul.hi.s16", "hhh", w2(each2(func(a, b uint32) uint32 { return u16(s16(a) * s16(b) >> 16) })))
	register("mul.wide.u32", "lww", mulWideU32)
	register("mul.wide.s32", "lww", mulWideS32)
	register("mad.wide.u32", "lwwl", madWideU32)
	register("mad.wide.s32", "lwwl", madWideS32)
	register("mul.hi.u32", "www", w2(each2(mulHiU32)))
	register("mul.hi.s32", "www", w2(each2(mulHiS32)))
	register("mul.hi.u64", "lll", l2(each2(mulHiU64)))
	register("mul.hi.s64", "lll", l2(each2(mulHiS64)))
	register("mad.hi.u32", "wwww", w3(each3(func(a, b, c uint32) uint32 { return mulHiU32(a, b) + c })))
	register("mad.hi.s32", "wwww", w3(each3(func(a, b, c uint32) uint32 { return mulHiS32(a, b) + c })))

	divisions := func(name, sig string, fn opFn) { aluOps[name] = aluOp{sig, fn, kDivide} }
	divisions("div.u16", "hhh", w2(each2(divide[uint32])))
	divisions("rem.u16", "hhh", w2(each2(remainder[uint32])))
	divisions("div.s16", "hhh", w2(each2(func(a, b uint32) uint32 { return u16(divide(s16(a), s16(b))) })))
	divisions("rem.s16", "hhh", w2(each2(func(a, b uint32) uint32 { return u16(remainder(s16(a), s16(b))) })))
	divisions("div.u32", "www", w2(each2(divide[uint32])))
	divisions("rem.u32", "www", w2(each2(remainder[uint32])))
	divisions("div.s32", "www", w2(each2(func(a, b uint32) uint32 { return uint32(divide(int32(a), int32(b))) })))
	divisions("rem.s32", "www", w2(each2(func(a, b uint32) uint32 { return uint32(remainder(int32(a), int32(b))) })))
	divisions("div.u64", "lll", l2(each2(divide[uint64])))
	divisions("rem.u64", "lll", l2(each2(remainder[uint64])))
	divisions("div.s64", "lll", l2(each2(func(a, b uint64) uint64 { return uint64(divide(int64(a), int64(b))) })))
	divisions("rem.s64", "lll", l2(each2(func(a, b uint64) uint64 { return uint64(remainder(int64(a), int64(b))) })))

	register("min.u16", "hhh", w2(each2(func(a, b uint32) uint32 { return min(a, b) })))
	register("max.u16", "hhh", w2(each2(func(a, b uint32) uint32 { return max(a, b) })))
	register("min.s16", "hhh", w2(each2(func(a, b uint32) uint32 { return u16(min(s16(a), s16(b))) })))
	register("max.s16", "hhh", w2(each2(func(a, b uint32) uint32 { return u16(max(s16(a), s16(b))) })))
	register("min.u32", "www", w2(each2(func(a, b uint32) uint32 { return min(a, b) })))
	register("max.u32", "www", w2(each2(func(a, b uint32) uint32 { return max(a, b) })))
	register("min.s32", "www", w2(each2(func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) })))
	register("max.s32", "www", w2(each2(func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) })))
	register("min.u64", "lll", l2(each2(func(a, b uint64) uint64 { return min(a, b) })))
	register("max.u64", "lll", l2(each2(func(a, b uint64) uint64 { return max(a, b) })))
	register("min.s64", "lll", l2(each2(func(a, b uint64) uint64 { return uint64(min(int64(a), int64(b))) })))
	register("max.s64", "lll", l2(each2(func(a, b uint64) uint64 { return uint64(max(int64(a), int64(b))) })))

	register("neg.s16", "hh", w1(each1(func(a uint32) uint32 { return -a & 0xffff })))
	register("neg.s32", "ww", w1(each1(func(a uint32) uint32 { return -a })))
	register("neg.s64", "ll", l1(each1(func(a uint64) uint64 { return -a })))
	register("abs.s16", "hh", w1(each1(func(a uint32) uint32 { return u16(max(s16(a), -s16(a))) })))
	register("abs.s32", "ww", w1(each1(func(a uint32) uint32 { return uint32(max(int32(a), -int32(a))) })))
	register("abs.s64", "ll", l1(each1(func(a uint64) uint64 { return uint64(max(int64(a), -int64(a))) })))
}
