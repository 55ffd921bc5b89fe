package ptx

import (
	"fmt"
	"math"
	"math/big"
	"testing"
)

// exactFMA32 computes x·y + z with all digits and rounds it once.
func exactFMA32(x, y, z float32) float32 {
	for _, v := range []float32{x, y, z} {
		if v-v != 0 { // infinite or NaN: no rounding
			return float32(float64(x)*float64(y) + float64(z))
		}
	}
	p := new(big.Float).SetPrec(1000).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
	s := new(big.Float).SetPrec(1000).Add(p, big.NewFloat(float64(z)))
	if s.Sign() == 0 { // the sign of an exact zero
		return float32(math.FMA(float64(x), float64(y), float64(z)))
	}
	f, _ := s.Float32()
	return f
}

// ref32 makes a reference of a function on float32; NaN is the GPU's.
func ref32(sources int, f func(a, b, c float32) float32) reference {
	return reference{"ffff"[:1+sources], func(a, b, c uint64) uint64 {
		v := f(f32(uint32(a)), f32(uint32(b)), f32(uint32(c)))
		if v != v {
			return 0x7fffffff
		}
		return uint64(math.Float32bits(v))
	}}
}

func ref64(sources int, f func(a, b, c float64) float64) reference {
	return reference{"dddd"[:1+sources], func(a, b, c uint64) uint64 {
		v := f(f64(a), f64(b), f64(c))
		if v != v {
			return nan64
		}
		return math.Float64bits(v)
	}}
}

// minimum is IEEE 754-2019's minimumNumber, on numbers of either size: the
// other operand where one is NaN, and -0 below +0.
func minimum(a, b float64) float64 {
	switch {
	case a != a:
		return b
	case b != b:
		return a
	}
	return math.Min(a, b)
}

func maximum(a, b float64) float64 { return -minimum(-a, -b) }

// quotient rounds a/b once: with all digits, or as float64 where no rounding
// matters.
func quotient(a, b float32) float32 {
	if a-a != 0 || b-b != 0 || b == 0 || a == 0 {
		return float32(float64(a) / float64(b))
	}
	q, _ := new(big.Rat).Quo(new(big.Rat).SetFloat64(float64(a)), new(big.Rat).SetFloat64(float64(b))).Float32()
	return q
}

// squareRoot rounds once: it is the float32 whose neighbourhood holds the root.
func squareRoot(a float32) float32 {
	if !(a > 0) || a-a != 0 {
		return float32(math.Sqrt(float64(a)))
	}
	r, _ := new(big.Float).SetPrec(200).Sqrt(big.NewFloat(float64(a)).SetPrec(200)).Float32()
	return r
}

func sum(a, b float32) float32 { return exactFMA32(a, 1, b) }

func floatReferences() map[string]reference {
	return map[string]reference{
		"add.rn.f32":  ref32(2, func(a, b, _ float32) float32 { return sum(a, b) }),
		"sub.rn.f32":  ref32(2, func(a, b, _ float32) float32 { return sum(a, -b) }),
		"mul.rn.f32":  ref32(2, func(a, b, _ float32) float32 { return float32(float64(a) * float64(b)) }),
		"fma.rn.f32":  ref32(3, exactFMA32),
		"div.rn.f32":  ref32(2, func(a, b, _ float32) float32 { return quotient(a, b) }),
		"rcp.rn.f32":  ref32(1, func(a, _, _ float32) float32 { return quotient(1, a) }),
		"sqrt.rn.f32": ref32(1, func(a, _, _ float32) float32 { return squareRoot(a) }),
		"min.f32": ref32(2, func(a, b, _ float32) float32 {
			return float32(minimum(float64(a), float64(b)))
		}),
		"max.f32": ref32(2, func(a, b, _ float32) float32 {
			return float32(maximum(float64(a), float64(b)))
		}),
		"abs.f32":      {"ff", func(a, _, _ uint64) uint64 { return a % (1 << 31) }},
		"neg.f32":      {"ff", func(a, _, _ uint64) uint64 { return (a + 1<<31) % (1 << 32) }},
		"copysign.f32": {"fff", func(a, b, _ uint64) uint64 { return a/(1<<31)*(1<<31) + b%(1<<31) }},

		"add.rn.f64":  ref64(2, func(a, b, _ float64) float64 { return a + b }),
		"sub.rn.f64":  ref64(2, func(a, b, _ float64) float64 { return a - b }),
		"mul.rn.f64":  ref64(2, func(a, b, _ float64) float64 { return a * b }),
		"fma.rn.f64":  ref64(3, math.FMA),
		"div.rn.f64":  ref64(2, func(a, b, _ float64) float64 { return a / b }),
		"rcp.rn.f64":  ref64(1, func(a, _, _ float64) float64 { return 1 / a }),
		"sqrt.rn.f64": ref64(1, func(a, _, _ float64) float64 { return math.Sqrt(a) }),
		"min.f64":     ref64(2, func(a, b, _ float64) float64 { return minimum(a, b) }),
		"max.f64":     ref64(2, func(a, b, _ float64) float64 { return maximum(a, b) }),
		"abs.f64":     {"dd", func(a, _, _ uint64) uint64 { return a % (1 << 63) }},
		"neg.f64":     {"dd", func(a, _, _ uint64) uint64 { return a + 1<<63 }},
		"copysign.f64": {"ddd", func(a, b, _ uint64) uint64 {
			return a/(1<<63)*(1<<63) + b%(1<<63)
		}},
	}
}

func TestFloat(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	compareWith(t, floatReferences())
}

// Ties that a float32 fma through float64 rounds twice, near and below the
// smallest normal number too.
func TestFMARoundsOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	var rows [][3]uint64
	for e := -149; e < 60; e++ {
		for i := range 40 {
			x := float32(1 + float64(2*i+1)*0x1p-12)
			y := float32(math.Ldexp(1+float64(2*i+3)*0x1p-12, e))
			for _, z := range []float64{0x1p-60, -0x1p-60, 0x1p-24, 1 + 0x1p-23} {
				rows = append(rows, [3]uint64{uint64(math.Float32bits(x)), uint64(math.Float32bits(y)), uint64(math.Float32bits(float32(math.Ldexp(z, e))))})
			}
		}
	}
	for i, got := range evaluate(t, "fma.rn.f32", "ffff", rows) {
		x, y, z := f32(uint32(rows[i][0])), f32(uint32(rows[i][1])), f32(uint32(rows[i][2]))
		if want := exactFMA32(x, y, z); i%3 != 2 && uint32(got) != math.Float32bits(want) {
			t.Fatalf("fma(%v, %v, %v) is %v instead of %v", x, y, z, f32(uint32(got)), want)
		}
	}
}

// The loop in Go gives the bits of the processor's instruction, NaN's too, and
// both may write to an operand.
func TestFMALoop(t *testing.T) {
	rows := operandsFor("ffff")
	for ; len(rows) >= lanes; rows = rows[lanes:] {
		var a, b, c, d words
		for i, r := range rows[:lanes] {
			a[i], b[i], c[i] = uint32(r[0]), uint32(r[1]), uint32(r[2])
		}
		fmaLoop(&d, &a, &b, &c)
		sums := c
		fmaF32(&sums, &a, &b, &sums)
		if sums != d {
			t.Fatalf("fma of %#x, %#x, %#x is %#x, by the loop %#x", a, b, c, sums, d)
		}
		fmaLoop(&c, &a, &b, &c)
		if c != d {
			t.Fatalf("the loop in place gives %#x instead of %#x", c, d)
		}
	}
}

func compareReferences() map[string]reference {
	refs := map[string]reference{}
	results := map[string]func(less, equal, greater, unordered bool) bool{
		"eq": func(_, e, _, _ bool) bool { return e }, "ne": func(l, _, g, _ bool) bool { return l || g },
		"lt": func(l, _, _, _ bool) bool { return l }, "gt": func(_, _, g, _ bool) bool { return g },
		"le": func(l, e, _, _ bool) bool { return l || e }, "ge": func(_, e, g, _ bool) bool { return g || e },
		"equ": func(_, e, _, u bool) bool { return e || u }, "neu": func(l, _, g, u bool) bool { return l || g || u },
		"ltu": func(l, _, _, u bool) bool { return l || u }, "gtu": func(_, _, g, u bool) bool { return g || u },
		"leu": func(l, e, _, u bool) bool { return l || e || u }, "geu": func(_, e, g, u bool) bool { return g || e || u },
		"num": func(_, _, _, u bool) bool { return !u }, "nan": func(_, _, _, u bool) bool { return u },
	}
	alias := map[string]string{"lo": "lt", "hi": "gt", "ls": "le", "hs": "ge"}
	for op, c := range compares {
		var name, typ string
		if _, err := fmt.Sscanf(op, "setp.%2s", &name); err != nil {
			panic(err)
		}
		name, typ = op[5:len(op)-4], op[len(op)-3:]
		if a := alias[name]; a != "" {
			name = a
		}
		f := results[name]
		refs[op] = reference{"p" + c.sig, func(a, b, _ uint64) uint64 {
			var x, y *big.Float
			switch {
			case typ == "f32" && (f32(uint32(a)) != f32(uint32(a)) || f32(uint32(b)) != f32(uint32(b))),
				typ == "f64" && (f64(a) != f64(a) || f64(b) != f64(b)):
				return bit(f(false, false, false, true))
			case typ == "f32":
				x, y = big.NewFloat(float64(f32(uint32(a)))), big.NewFloat(float64(f32(uint32(b))))
			case typ == "f64":
				x, y = big.NewFloat(f64(a)), big.NewFloat(f64(b))
			case typ[0] == 's':
				n := map[byte]int{'1': 16, '3': 32, '6': 64}[typ[1]]
				x, y = new(big.Float).SetInt64(sx(a, n)), new(big.Float).SetInt64(sx(b, n))
			default:
				x, y = new(big.Float).SetUint64(a), new(big.Float).SetUint64(b)
			}
			return bit(f(x.Cmp(y) < 0, x.Cmp(y) == 0, x.Cmp(y) > 0, false))
		}}
	}
	return refs
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func TestCompares(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	compareWith(t, compareReferences())
}

// conversionReferences computes with all digits.
func conversionReferences() map[string]reference {
	refs := map[string]reference{}
	ints := []string{"u16", "s16", "u32", "s32", "u64", "s64"}
	size := func(typ string) int { return map[byte]int{'8': 8, '1': 16, '3': 32, '6': 64}[typ[1]] }
	letter := func(typ string) string {
		if typ[0] == 'f' {
			return map[int]string{32: "f", 64: "d"}[size(typ)]
		}
		return classBits(size(typ))
	}
	value := func(v uint64, typ string) float64 {
		if typ == "f32" {
			return float64(f32(uint32(v)))
		}
		return f64(v)
	}
	for _, from := range ints {
		n := size(from)
		integer := func(a uint64) *big.Int {
			if from[0] == 's' {
				return big.NewInt(sx(a, n))
			}
			return new(big.Int).SetUint64(a)
		}
		for _, to := range ints {
			refs["cvt."+to+"."+from] = reference{letter(to) + letter(from), func(a, _, _ uint64) uint64 {
				mod := new(big.Int).Lsh(big.NewInt(1), uint(size(to)))
				return new(big.Int).Mod(integer(a), mod).Uint64()
			}}
			refs["cvt.sat."+to+"."+from] = reference{letter(to) + letter(from), func(a, _, _ uint64) uint64 {
				return clampInt(integer(a), to, size(to))
			}}
		}
		refs["cvt.rn.f32."+from] = reference{"f" + letter(from), func(a, _, _ uint64) uint64 {
			f, _ := new(big.Float).SetInt(integer(a)).Float32()
			return uint64(math.Float32bits(f))
		}}
		refs["cvt.rn.f64."+from] = reference{"d" + letter(from), func(a, _, _ uint64) uint64 {
			f, _ := new(big.Float).SetInt(integer(a)).Float64()
			return math.Float64bits(f)
		}}
	}
	round := map[string]func(float64) float64{"rni": math.RoundToEven, "rzi": math.Trunc, "rmi": math.Floor, "rpi": math.Ceil}
	for _, from := range []string{"f32", "f64"} {
		for mode, f := range round {
			for _, to := range ints {
				refs["cvt."+mode+"."+to+"."+from] = reference{letter(to) + letter(from), func(a, _, _ uint64) uint64 {
					v := value(a, from)
					switch {
					case v != v && from == "f32" && size(to) < 64:
						return 0
					case v != v:
						return 1 << (size(to) - 1)
					case math.IsInf(v, 0):
						v = math.Copysign(1e300, v)
					}
					i, _ := big.NewFloat(f(v)).Int(nil)
					return clampInt(i, to, size(to))
				}}
			}
			refs["cvt."+mode+"."+from+"."+from] = reference{letter(from) + letter(from), func(a, _, _ uint64) uint64 {
				if from == "f32" {
					return ref32(1, func(x, _, _ float32) float32 { return float32(f(float64(x))) }).f(a, 0, 0)
				}
				return ref64(1, func(x, _, _ float64) float64 { return f(x) }).f(a, 0, 0)
			}}
		}
	}
	refs["cvt.f64.f32"] = reference{"df", func(a, _, _ uint64) uint64 {
		return ref64(1, func(x, _, _ float64) float64 { return x }).f(math.Float64bits(value(a, "f32")), 0, 0)
	}}
	refs["cvt.sat.f32.f32"] = ref32(1, func(a, _, _ float32) float32 {
		if a != a || a <= 0 {
			return 0
		}
		return min(a, 1)
	})
	for mode, dir := range map[string]big.RoundingMode{"rn": big.ToNearestEven, "rz": big.ToZero, "rm": big.ToNegativeInf, "rp": big.ToPositiveInf} {
		refs["cvt."+mode+".f32.f64"] = reference{"fd", func(a, _, _ uint64) uint64 {
			v := f64(a)
			if v-v != 0 || v == 0 {
				return ref32(1, func(x, _, _ float32) float32 { return x }).f(uint64(math.Float32bits(float32(v))), 0, 0)
			}
			return uint64(math.Float32bits(roundTo32(v, dir)))
		}}
	}
	return refs
}

// roundTo32 rounds to the grid of float32 at v's magnitude.
func roundTo32(v float64, dir big.RoundingMode) float32 {
	_, e := math.Frexp(v)
	unit := math.Ldexp(1, max(e-24, -149))
	q := v / unit // exact
	switch dir {
	case big.ToNearestEven:
		q = math.RoundToEven(q)
	case big.ToZero:
		q = math.Trunc(q)
	case big.ToNegativeInf:
		q = math.Floor(q)
	case big.ToPositiveInf:
		q = math.Ceil(q)
	}
	r := q * unit
	if math.Abs(r) > math.MaxFloat32 && math.Abs(r) != math.Inf(1) {
		if up := dir == big.ToNearestEven || dir == big.ToPositiveInf && v > 0 || dir == big.ToNegativeInf && v < 0; up {
			return float32(math.Copysign(math.Inf(1), v))
		}
		return float32(math.Copysign(math.MaxFloat32, v))
	}
	if r == 0 {
		r = math.Copysign(0, v)
	}
	return float32(r)
}

func clampInt(i *big.Int, typ string, bits int) uint64 {
	lo, hi := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(bits))
	if typ[0] == 's' {
		hi.Rsh(hi, 1)
		lo.Neg(hi)
	}
	hi.Sub(hi, big.NewInt(1))
	if i.Cmp(lo) < 0 {
		i = lo
	}
	if i.Cmp(hi) > 0 {
		i = hi
	}
	return new(big.Int).And(i, new(big.Int).SetUint64(^uint64(0)>>(64-bits))).Uint64()
}

func TestConversions(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	compareWith(t, conversionReferences())
}

// Registers of cvt may be wider than its types.
func TestConversionsInWiderRegisters(t *testing.T) {
	compareWith(t, map[string]reference{
		"cvt.s32.s8":     {"ww", func(a, _, _ uint64) uint64 { return zx(sx(a, 8), 32) }},
		"cvt.u32.u8":     {"ww", func(a, _, _ uint64) uint64 { return a % 256 }},
		"cvt.u32.u16":    {"ww", func(a, _, _ uint64) uint64 { return a % 65536 }},
		"cvt.s16.s8":     {"hh", func(a, _, _ uint64) uint64 { return zx(sx(a, 8), 16) }},
		"cvt.s64.s8":     {"lh", func(a, _, _ uint64) uint64 { return uint64(sx(a, 8)) }},
		"cvt.s8.s32":     {"ww", func(a, _, _ uint64) uint64 { return zx(sx(a, 8), 32) }},
		"cvt.u8.u64":     {"hl", func(a, _, _ uint64) uint64 { return a % 256 }},
		"cvt.rn.f32.u8":  {"fh", func(a, _, _ uint64) uint64 { return uint64(math.Float32bits(float32(a % 256))) }},
		"cvt.sat.u8.s32": {"ww", func(a, _, _ uint64) uint64 { return uint64(min(max(sx(a, 32), 0), 255)) }},
	})
}
