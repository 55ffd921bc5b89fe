package ptx

import "cmp"

// less and equal return the masks of lanes in which a < b and a = b.

func less[T cmp.Ordered](a, b *[lanes]T) (m uint32) {
	for i := range a {
		var bit uint32
		if a[i] < b[i] {
			bit = 1
		}
		m |= bit << (i & 31)
	}
	return m
}

func equal[T comparable](a, b *[lanes]T) (m uint32) {
	for i := range a {
		var bit uint32
		if a[i] == b[i] {
			bit = 1
		}
		m |= bit << (i & 31)
	}
	return m
}

func lessS32(a, b *words) (m uint32) {
	for i := range a {
		var bit uint32
		if int32(a[i]) < int32(b[i]) {
			bit = 1
		}
		m |= bit << (i & 31)
	}
	return m
}

func lessS16(a, b *words) (m uint32) {
	for i := range a {
		if s16(a[i]) < s16(b[i]) {
			m |= 1 << (i & 31)
		}
	}
	return m
}

func lessS64(a, b *longs) (m uint32) {
	for i := range a {
		var bit uint32
		if int64(a[i]) < int64(b[i]) {
			bit = 1
		}
		m |= bit << (i & 31)
	}
	return m
}

func lessF32(a, b *words) (m uint32) {
	for i := range a {
		var bit uint32
		if f32(a[i]) < f32(b[i]) {
			bit = 1
		}
		m |= bit << (i & 31)
	}
	return m
}

func equalF32(a, b *words) (m uint32) {
	for i := range a {
		var bit uint32
		if f32(a[i]) == f32(b[i]) {
			bit = 1
		}
		m |= bit << (i & 31)
	}
	return m
}

func lessF64(a, b *longs) (m uint32) {
	for i := range a {
		if f64(a[i]) < f64(b[i]) {
			m |= 1 << (i & 31)
		}
	}
	return m
}

func equalF64(a, b *longs) (m uint32) {
	for i := range a {
		if f64(a[i]) == f64(b[i]) {
			m |= 1 << (i & 31)
		}
	}
	return m
}

// compareOps derives the comparisons of an ordered type from less and equal.
// Lanes that are not active hold values that no one looks at.
func compareOps[T any](typ, sig string, less, equal func(a, b *[lanes]T) uint32, get func(r *regs, slot int32) *[lanes]T) {
	set := func(op string, f func(a, b *[lanes]T) uint32) {
		compares["setp."+op+"."+typ] = struct {
			sig string
			fn  cmpFn
		}{sig, func(r *regs, a, b int32) uint32 { return f(get(r, a), get(r, b)) }}
	}
	set("eq", equal)
	if typ[0] == 'f' {
		lessEqual := func(a, b *[lanes]T) uint32 { return less(a, b) | equal(a, b) }
		ordered := func(a, b *[lanes]T) uint32 { return equal(a, a) & equal(b, b) }
		set("ne", func(a, b *[lanes]T) uint32 { return less(a, b) | less(b, a) })
		set("lt", less)
		set("gt", func(a, b *[lanes]T) uint32 { return less(b, a) })
		set("le", lessEqual)
		set("ge", func(a, b *[lanes]T) uint32 { return lessEqual(b, a) })
		set("equ", func(a, b *[lanes]T) uint32 { return ^(less(a, b) | less(b, a)) })
		set("neu", func(a, b *[lanes]T) uint32 { return ^equal(a, b) })
		set("ltu", func(a, b *[lanes]T) uint32 { return ^lessEqual(b, a) })
		set("gtu", func(a, b *[lanes]T) uint32 { return ^lessEqual(a, b) })
		set("leu", func(a, b *[lanes]T) uint32 { return ^less(b, a) })
		set("geu", func(a, b *[lanes]T) uint32 { return ^less(a, b) })
		set("num", ordered)
		set("nan", func(a, b *[lanes]T) uint32 { return ^ordered(a, b) })
		return
	}
	set("ne", func(a, b *[lanes]T) uint32 { return ^equal(a, b) })
	if typ[0] == 'b' {
		return
	}
	names := []string{"lt", "gt", "le", "ge"}
	gt := func(a, b *[lanes]T) uint32 { return less(b, a) }
	le := func(a, b *[lanes]T) uint32 { return ^less(b, a) }
	ge := func(a, b *[lanes]T) uint32 { return ^less(a, b) }
	for i, f := range []func(a, b *[lanes]T) uint32{less, gt, le, ge} {
		set(names[i], f)
		if typ[0] == 'u' {
			set([]string{"lo", "hi", "ls", "hs"}[i], f)
		}
	}
}

func registerCompares() {
	w := func(r *regs, slot int32) *words { return &r.w[slot] }
	l := func(r *regs, slot int32) *longs { return &r.l[slot] }
	compareOps("b16", "hh", nil, equal[uint32], w)
	compareOps("u16", "hh", less[uint32], equal[uint32], w)
	compareOps("s16", "hh", lessS16, equal[uint32], w)
	compareOps("b32", "ww", nil, equal[uint32], w)
	compareOps("u32", "ww", less[uint32], equal[uint32], w)
	compareOps("s32", "ww", lessS32, equal[uint32], w)
	compareOps("f32", "ff", lessF32, equalF32, w)
	compareOps("b64", "ll", nil, equal[uint64], l)
	compareOps("u64", "ll", less[uint64], equal[uint64], l)
	compareOps("s64", "ll", lessS64, equal[uint64], l)
	compareOps("f64", "dd", lessF64, equalF64, l)
}
