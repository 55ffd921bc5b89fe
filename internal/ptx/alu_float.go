package ptx

import "math"

// nan32 is the one NaN that single-precision instructions return on a GPU.
// For double precision PTX does not say which NaN; this device returns nan64
// on every host.
const (
	nan32 = 0x7fffffff
	nan64 = 0x7ff8_0000_0000_0000
)

func f32(b uint32) float32 { return math.Float32frombits(b) }
func f64(b uint64) float64 { return math.Float64frombits(b) }

func bits32(v float32) uint32 {
	if v != v {
		return nan32
	}
	return math.Float32bits(v)
}

func bits64(v float64) uint64 {
	if v != v {
		return nan64
	}
	return math.Float64bits(v)
}

func addF32(d, a, b *words) {
	for i := range d {
		d[i] = bits32(f32(a[i]) + f32(b[i]))
	}
}

func subF32(d, a, b *words) {
	for i := range d {
		d[i] = bits32(f32(a[i]) - f32(b[i]))
	}
}

func mulF32(d, a, b *words) {
	for i := range d {
		d[i] = bits32(f32(a[i]) * f32(b[i]))
	}
}

func divF32(d, a, b *words) {
	for i := range d {
		d[i] = bits32(f32(a[i]) / f32(b[i]))
	}
}

func addF64(d, a, b *longs) {
	for i := range d {
		d[i] = bits64(f64(a[i]) + f64(b[i]))
	}
}

func subF64(d, a, b *longs) {
	for i := range d {
		d[i] = bits64(f64(a[i]) - f64(b[i]))
	}
}

func mulF64(d, a, b *longs) {
	for i := range d {
		d[i] = bits64(f64(a[i]) * f64(b[i]))
	}
}

func divF64(d, a, b *longs) {
	for i := range d {
		d[i] = bits64(f64(a[i]) / f64(b[i]))
	}
}

func fmaF64(d, a, b, c *longs) {
	for i := range d {
		d[i] = bits64(math.FMA(f64(a[i]), f64(b[i]), f64(c[i])))
	}
}

// fmaF32 sets d to a·b + c in all lanes, rounded once.
func fmaF32(d, a, b, c *words) {
	if hasFMA {
		fmaVector(d, a, b, c)
		return
	}
	fmaLoop(d, a, b, c)
}

// fmaLoop is fmaF32 where the processor has no such instruction. In float64 the
// product is exact, so that only the sum is rounded, and then rounded again to
// float32. That goes wrong only where the first rounding may have made a tie of
// float32 or where the result is subnormal; these, infinities and NaN are left
// to fma32.
func fmaLoop(d, a, b, c *words) {
	for i := range d {
		v := float64(f32(a[i]))*float64(f32(b[i])) + float64(f32(c[i]))
		n := math.Float64bits(v)
		if n<<1-897<<53 < (2047-897)<<53 && n&(1<<29-1) != 1<<28 {
			d[i] = math.Float32bits(float32(v))
		} else if n<<1 == 0 {
			d[i] = uint32(n >> 32)
		} else {
			d[i] = fma32(a[i], b[i], c[i])
		}
	}
}

// fma32 returns a·b + c, rounded once: where the sum in float64 is not exact
// it is rounded to odd first, after which a second rounding to fewer bits
// gives what one rounding would (Boldo and Melquiond, 2008).
func fma32(a, b, c uint32) uint32 {
	p, z := float64(f32(a))*float64(f32(b)), float64(f32(c))
	s := p + z
	t := s - p
	e := (p - (s - t)) + (z - t) // the error of s (Knuth's two-sum)
	if n := math.Float64bits(s); n&1 == 0 && e != 0 && e-e == 0 {
		if (e > 0) == (s > 0) {
			n++
		} else {
			n--
		}
		s = math.Float64frombits(n)
	}
	return bits32(float32(s))
}

// minF32 and maxF32 return the other operand where one is NaN, and order -0
// before +0. minNaN32 and maxNaN32 return NaN.

func minF32(a, b uint32) uint32 {
	switch x, y := f32(a), f32(b); {
	case x != x:
		return bits32(y)
	case y != y || x < y || x == y && a>>31 != 0:
		return a
	}
	return b
}

func maxF32(a, b uint32) uint32 {
	switch x, y := f32(a), f32(b); {
	case x != x:
		return bits32(y)
	case y != y || x > y || x == y && a>>31 == 0:
		return a
	}
	return b
}

func orNaN(f func(a, b uint32) uint32) func(a, b uint32) uint32 {
	return func(a, b uint32) uint32 {
		if x, y := f32(a), f32(b); x != x || y != y {
			return nan32
		}
		return f(a, b)
	}
}

func minF64(a, b uint64) uint64 {
	switch x, y := f64(a), f64(b); {
	case x != x:
		return bits64(y)
	case y != y || x < y || x == y && a>>63 != 0:
		return a
	}
	return b
}

func maxF64(a, b uint64) uint64 {
	switch x, y := f64(a), f64(b); {
	case x != x:
		return bits64(y)
	case y != y || x > y || x == y && a>>63 == 0:
		return a
	}
	return b
}

// The square root of a float32 in float64, rounded to float32, is the correctly
// rounded one.
func sqrtF32(a uint32) uint32 { return bits32(float32(math.Sqrt(float64(f32(a))))) }

func registerFloat() {
	register("add.rn.f32", "fff", w2(addF32))
	register("sub.rn.f32", "fff", w2(subF32))
	register("mul.rn.f32", "fff", w2(mulF32))
	register("div.rn.f32", "fff", w2(divF32))
	register("fma.rn.f32", "ffff", w3(fmaF32))
	register("rcp.rn.f32", "ff", w1(each1(func(a uint32) uint32 { return bits32(1 / f32(a)) })))
	register("sqrt.rn.f32", "ff", w1(each1(sqrtF32)))
	register("min.f32", "fff", w2(each2(minF32)))
	register("max.f32", "fff", w2(each2(maxF32)))
	register("min.NaN.f32", "fff", w2(each2(orNaN(minF32))))
	register("max.NaN.f32", "fff", w2(each2(orNaN(maxF32))))
	register("abs.f32", "ff", w1(each1(func(a uint32) uint32 { return a &^ (1 << 31) })))
	register("neg.f32", "ff", w1(each1(func(a uint32) uint32 { return a ^ 1<<31 })))
	register("copysign.f32", "fff", w2(each2(func(a, b uint32) uint32 { return a&(1<<31) | b&^(1<<31) })))

	register("add.rn.f64", "ddd", l2(addF64))
	register("sub.rn.f64", "ddd", l2(subF64))
	register("mul.rn.f64", "ddd", l2(mulF64))
	register("div.rn.f64", "ddd", l2(divF64))
	register("fma.rn.f64", "dddd", l3(fmaF64))
	register("rcp.rn.f64", "dd", l1(each1(func(a uint64) uint64 { return bits64(1 / f64(a)) })))
	register("sqrt.rn.f64", "dd", l1(each1(func(a uint64) uint64 { return bits64(math.Sqrt(f64(a))) })))
	register("min.f64", "ddd", l2(each2(minF64)))
	register("max.f64", "ddd", l2(each2(maxF64)))
	register("abs.f64", "dd", l1(each1(func(a uint64) uint64 { return a &^ (1 << 63) })))
	register("neg.f64", "dd", l1(each1(func(a uint64) uint64 { return a ^ 1<<63 })))
	register("copysign.f64", "ddd", l2(each2(func(a, b uint64) uint64 { return a&(1<<63) | b&^(1<<63) })))
}
