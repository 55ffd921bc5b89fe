package ptx

import "math/bits"

func and[T unsigned](d, a, b *[lanes]T) {
	for i := range d {
		d[i] = a[i] & b[i]
	}
}

func or[T unsigned](d, a, b *[lanes]T) {
	for i := range d {
		d[i] = a[i] | b[i]
	}
}

func xor[T unsigned](d, a, b *[lanes]T) {
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
}

// Shifts by more than the width give zero, or the sign: PTX clamps the amount,
// and so does Go.

func shl32(d, a, b *words) {
	for i := range d {
		d[i] = a[i] << b[i]
	}
}

func shrU32(d, a, b *words) {
	for i := range d {
		d[i] = a[i] >> b[i]
	}
}

func shrS32(d, a, b *words) {
	for i := range d {
		d[i] = uint32(int32(a[i]) >> b[i])
	}
}

func shl64(r *regs, d, a, b, _ int32) {
	x, y, z := &r.l[d], &r.l[a], &r.w[b]
	for i := range x {
		x[i] = y[i] << z[i]
	}
}

func shrU64(r *regs, d, a, b, _ int32) {
	x, y, z := &r.l[d], &r.l[a], &r.w[b]
	for i := range x {
		x[i] = y[i] >> z[i]
	}
}

func shrS64(r *regs, d, a, b, _ int32) {
	x, y, z := &r.l[d], &r.l[a], &r.w[b]
	for i := range x {
		x[i] = uint64(int64(y[i]) >> z[i])
	}
}

// funnel returns the upper half of b:a shifted left by n, or the lower half of
// it shifted right.
func funnel(left, clamp bool) func(a, b, n uint32) uint32 {
	return func(a, b, n uint32) uint32 {
		if clamp {
			n = min(n, 32)
		} else {
			n &= 31
		}
		v := uint64(b)<<32 | uint64(a)
		if left {
			return uint32(v << n >> 32)
		}
		return uint32(v >> n)
	}
}

// permute is prmt in its default mode: four selectors of four bits pick bytes
// of b:a; the top bit of a selector asks for the byte's sign instead.
func permute(a, b, sel uint32) uint32 {
	v := uint64(b)<<32 | uint64(a)
	var d uint32
	for i := range 4 {
		s := sel >> (4 * i)
		x := uint32(v>>(8*(s&7))) & 0xff
		if s&8 != 0 {
			x = uint32(int32(int8(x))>>7) & 0xff
		}
		d |= x << (8 * i)
	}
	return d
}

// extract is bfe: length bits of a from position pos, the rest filled with
// zeros or with the sign, which is the field's top bit or a's.
func extract[T unsigned](a T, pos, length uint32, width uint32, signed bool) T {
	pos, length = pos&0xff, length&0xff
	if length == 0 {
		return 0
	}
	var fill T
	if signed && a>>min(pos+length-1, width-1)&1 != 0 {
		fill = ^T(0)
	}
	if pos >= width {
		return fill
	}
	v := a >> pos
	if n := min(length, width-pos); n < width {
		v = v&(1<<n-1) | fill<<n
	}
	return v
}

// insert is bfi: b with length bits at pos replaced by the low bits of a.
func insert[T unsigned](a, b T, pos, length uint32) T {
	pos, length = pos&0xff, length&0xff
	mask := (T(1)<<length - 1) << pos
	return b&^mask | a<<pos&mask
}

// logic3 is lop3: bit by bit, the table's entry at a, b and c.
func logic3(table uint32) opFn {
	return w3(each3(func(a, b, c uint32) uint32 {
		var d uint32
		for i := range uint32(8) {
			if table>>i&1 != 0 {
				x, y, z := ^a, ^b, ^c
				if i&4 != 0 {
					x = a
				}
				if i&2 != 0 {
					y = b
				}
				if i&1 != 0 {
					z = c
				}
				d |= x & y & z
			}
		}
		return d
	}))
}

func registerBits() {
	register("and.b32", "www", w2(and[uint32]))
	register("or.b32", "www", w2(or[uint32]))
	register("xor.b32", "www", w2(xor[uint32]))
	register("and.b64", "lll", l2(and[uint64]))
	register("or.b64", "lll", l2(or[uint64]))
	register("xor.b64", "lll", l2(xor[uint64]))
	register("and.b16", "hhh", w2(and[uint32]))
	register("or.b16", "hhh", w2(or[uint32]))
	register("xor.b16", "hhh", w2(xor[uint32]))
	register("not.b16", "hh", w1(each1(func(a uint32) uint32 { return ^a & 0xffff })))
	register("not.b32", "ww", w1(each1(func(a uint32) uint32 { return ^a })))
	register("not.b64", "ll", l1(each1(func(a uint64) uint64 { return ^a })))

	register("shl.b16", "hhw", w2(each2(func(a, n uint32) uint32 { return a << n & 0xffff })))
	register("shl.b32", "www", w2(shl32))
	register("shl.b64", "llw", shl64)
	for _, t := range []string{"u", "b"} {
		register("shr."+t+"16", "hhw", w2(shrU32))
		register("shr."+t+"32", "www", w2(shrU32))
		register("shr."+t+"64", "llw", shrU64)
	}
	register("shr.s16", "hhw", w2(each2(func(a, n uint32) uint32 { return u16(s16(a) >> n) })))
	register("shr.s32", "www", w2(shrS32))
	register("shr.s64", "llw", shrS64)
	for _, mode := range []string{"wrap", "clamp"} {
		register("shf.l."+mode+".b32", "wwww", w3(each3(funnel(true, mode == "clamp"))))
		register("shf.r."+mode+".b32", "wwww", w3(each3(funnel(false, mode == "clamp"))))
	}

	register("prmt.b32", "wwww", w3(each3(permute)))
	register("bfe.u32", "wwww", w3(each3(func(a, p, n uint32) uint32 { return extract(a, p, n, 32, false) })))
	register("bfe.s32", "wwww", w3(each3(func(a, p, n uint32) uint32 { return extract(a, p, n, 32, true) })))
	bfe64 := func(signed bool) opFn {
		return func(r *regs, d, a, b, c int32) {
			for i := range lanes {
				r.l[d][i] = extract(r.l[a][i], r.w[b][i], r.w[c][i], 64, signed)
			}
		}
	}
	register("bfe.u64", "llww", bfe64(false))
	register("bfe.s64", "llww", bfe64(true))

	register("popc.b32", "ww", w1(each1(func(a uint32) uint32 { return uint32(bits.OnesCount32(a)) })))
	register("clz.b32", "ww", w1(each1(func(a uint32) uint32 { return uint32(bits.LeadingZeros32(a)) })))
	register("brev.b32", "ww", w1(each1(bits.Reverse32)))
	register("brev.b64", "ll", l1(each1(bits.Reverse64)))
	count64 := func(f func(uint64) int) opFn {
		return func(r *regs, d, a, _, _ int32) {
			for i := range lanes {
				r.w[d][i] = uint32(f(r.l[a][i]))
			}
		}
	}
	register("popc.b64", "wl", count64(bits.OnesCount64))
	register("clz.b64", "wl", count64(bits.LeadingZeros64))
}
