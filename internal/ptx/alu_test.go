package ptx

import (
	"fmt"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A reference computes an instruction in one lane, from and to zero-extended
// registers.
type reference struct {
	sig string // as in aluOp
	f   func(a, b, c uint64) uint64
}

const sentinel = 0x5a5a_5a5a_5a5a_5a5a

// evaluate executes an instruction on rows of operands, in each third lane not.
func evaluate(t *testing.T, op, sig string, rows [][3]uint64) []uint64 {
	t.Helper()
	reg := map[byte]string{'h': "%rs", 'w': "%r", 'f': "%r", 'l': "%rd", 'd': "%rd", 'p': "%p"}
	var b strings.Builder
	b.WriteString(`.version 7.0
.target sm_80
.address_size 64
.entry t(.param .u64 in, .param .u64 out, .param .u32 n) {
.reg .pred %p<20>; .reg .b16 %rs<20>; .reg .b32 %r<20>; .reg .b64 %rd<20>;
mov.u32 %r10, %tid.x; mov.u32 %r11, %ctaid.x; mov.u32 %r12, %ntid.x; mad.lo.s32 %r13, %r11, %r12, %r10;
ld.param.u32 %r14, [n]; setp.ge.s32 %p10, %r13, %r14;
@%p10 bra $end;
ld.param.u64 %rd10, [in]; mad.wide.u32 %rd11, %r13, 24, %rd10;
ld.param.u64 %rd12, [out]; mad.wide.u32 %rd13, %r13, 8, %rd12;
rem.u32 %r15, %r13, 3; setp.ne.u32 %p11, %r15, 2;
`)
	args := []string{reg[sig[0]] + "0"}
	for i := range len(sig) - 1 {
		fmt.Fprintf(&b, "ld.global.u64 %%rd%d, [%%rd11+%d];\n", i+1, 8*i)
		switch classOf(sig[i+1]) {
		case 'h':
			fmt.Fprintf(&b, "cvt.u16.u64 %%rs%d, %%rd%d;\n", i+1, i+1)
		case 'w':
			fmt.Fprintf(&b, "cvt.u32.u64 %%r%d, %%rd%d;\n", i+1, i+1)
		case 'p':
			fmt.Fprintf(&b, "setp.ne.u64 %%p%d, %%rd%d, 0;\n", i+1, i+1)
		}
		args = append(args, fmt.Sprint(reg[sig[i+1]], i+1))
	}
	fmt.Fprintf(&b, "mov.u64 %%rd0, %d; mov.u32 %%r0, %d; mov.u16 %%rs0, %d; setp.ne.u32 %%p0, %%r15, 2;\n", uint64(sentinel), uint32(sentinel&0xffffffff), sentinel&0xffff)
	if i := strings.Index(op, "#"); i >= 0 { // an immediate as last operand
		op, args = op[:i], append(args, op[i+1:])
	}
	fmt.Fprintf(&b, "@%%p11 %s %s;\n", op, strings.Join(args, ", "))
	switch classOf(sig[0]) {
	case 'h':
		b.WriteString("cvt.u64.u16 %rd0, %rs0;\n")
	case 'w':
		b.WriteString("cvt.u64.u32 %rd0, %r0;\n")
	case 'p':
		b.WriteString("selp.b64 %rd0, 1, 0, %p0;\n")
	}
	b.WriteString("st.global.u64 [%rd13], %rd0;\n$end: ret;\n}\n")
	k := mustLoad(t, op, b.String()).Kernel("t")
	m := NewMemory(1 << 26)
	out := alloc(t, m, 8*len(rows))
	launch(t, k, m, Dim{(len(rows) + 99) / 100, 1, 1}, Dim{100, 1, 1}, 0, put(t, m, rows), out, len(rows))
	got := get[uint64](t, m, out, len(rows))
	for i := range got {
		want := map[byte]uint64{'h': sentinel & 0xffff, 'w': sentinel & 0xffffffff, 'l': sentinel}[classOf(sig[0])]
		if i%3 == 2 && got[i] != want {
			t.Fatalf("%s: lane %d, which is not active, was written to: %#x", op, i, got[i])
		}
	}
	return got
}

// specials are values at which instructions go wrong.
func specials(letter byte) (v []uint64) {
	switch letter {
	case 'f':
		for _, x := range []float32{0, 1, 1.5, 2.5, 0.5, math.Pi, 1e-45, 1.1754942e-38, 1.17549435e-38, math.MaxFloat32, 16777216, 2147483648, 4294967296, 9.2233720e18, 1e30, 1e-30, float32(math.Inf(1)), float32(math.NaN())} {
			v = append(v, uint64(math.Float32bits(x)), uint64(math.Float32bits(-x)))
		}
		return append(v, 0x7f800001, 0xffc12345)
	case 'd':
		for _, x := range []float64{0, 1, 1.5, 2.5, 0.5, math.Pi, 5e-324, 2.2250738585072014e-308, math.MaxFloat64, math.MaxFloat32, 1e-40, 1e-46, 1 + 0x1p-24, 1 + 0x1p-24 + 0x1p-50, 9007199254740993, 9.3e18, 1.9e19, 4294967295.5, math.Inf(1), math.NaN()} {
			v = append(v, math.Float64bits(x), math.Float64bits(-x))
		}
		return append(v, 0x7ff0000000000001, 0xfff8000012345678)
	case 'h':
		return []uint64{0, 1, 2, 7, 15, 16, 31, 0x7fff, 0x8000, 0x8001, 0xffff, 0x00ff, 0x0080}
	case 'w':
		return []uint64{0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xfffffff0, 0x12345678}
	case 'p':
		return []uint64{0, 1}
	}
	return []uint64{0, 1, 2, 3, 63, 64, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 53, 1<<53 + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 1, 0x0123456789abcdef, 0xfffffffffffffff0, 0xffffff7fffffffff, 0x7fffffbfffffffff}
}

// operandsFor returns all combinations of special values, and random ones.
func operandsFor(sig string) (rows [][3]uint64) {
	var lists [3][]uint64
	masks := map[byte]uint64{'h': 0xffff, 'w': 0xffffffff, 'f': 0xffffffff, 'l': 1<<64 - 1, 'd': 1<<64 - 1, 'p': 1}
	for i := range 3 {
		lists[i] = []uint64{0}
		if i+1 < len(sig) {
			lists[i] = specials(sig[i+1])
			if len(sig) == 4 && len(lists[i]) > 14 { // keep the cube small
				lists[i] = append(slices.Clone(lists[i][:9]), lists[i][len(lists[i])-5:]...)
			}
		}
	}
	for _, a := range lists[0] {
		for _, b := range lists[1] {
			for _, c := range lists[2] {
				rows = append(rows, [3]uint64{a, b, c})
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 600 {
		var row [3]uint64
		for i := range min(3, len(sig)-1) {
			row[i] = r.Uint64() & masks[sig[i+1]]
			if r.IntN(3) == 0 { // a small number, or one of moderate size
				row[i] >>= r.IntN(64)
			}
			switch {
			case sig[i+1] == 'f' && r.IntN(2) == 0:
				row[i] = uint64(math.Float32bits(float32(r.NormFloat64())))
			case sig[i+1] == 'd' && r.IntN(2) == 0:
				row[i] = math.Float64bits(r.NormFloat64())
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// compareWith checks instructions against their references.
func compareWith(t *testing.T, refs map[string]reference) {
	for _, op := range slices.Sorted(maps.Keys(refs)) {
		t.Run(op, func(t *testing.T) {
			ref := refs[op]
			rows := operandsFor(ref.sig)
			if strings.HasPrefix(op, "div.s") || strings.HasPrefix(op, "div.u") || strings.HasPrefix(op, "rem.") {
				rows = slices.DeleteFunc(rows, func(r [3]uint64) bool { return r[1] == 0 })
			}
			bad := 0
			for i, got := range evaluate(t, op, ref.sig, rows) {
				if i%3 == 2 {
					continue
				}
				if want := ref.f(rows[i][0], rows[i][1], rows[i][2]); got != want {
					if bad++; bad < 5 {
						t.Errorf("%s(%#x, %#x, %#x) is %#x instead of %#x", op, rows[i][0], rows[i][1], rows[i][2], got, want)
					}
				}
			}
		})
	}
}

// Every instruction of the tables must have a reference in a test.
func TestAllInstructionsHaveReferences(t *testing.T) {
	tested := map[string]bool{}
	for _, refs := range []map[string]reference{integerReferences(), bitReferences(), floatReferences(), conversionReferences(), roundingReferences(), moveReferences(), compareReferences()} {
		for op := range refs {
			tested[op] = true
		}
	}
	for op := range aluOps {
		if !tested[op] && !strings.Contains(op, ".NaN.") && !strings.HasPrefix(op, "cvta.") {
			t.Errorf("%s has no reference", op)
		}
	}
	for op := range compares {
		if !tested[op] {
			t.Errorf("%s has no reference", op)
		}
	}
}

func sx(v uint64, bits int) int64 { return int64(v<<(64-bits)) >> (64 - bits) }
func zx(v int64, bits int) uint64 { return uint64(v) << (64 - bits) >> (64 - bits) }

func classBits(bits int) string { return map[int]string{16: "h", 32: "w", 64: "l"}[bits] }

func integerReferences() map[string]reference {
	refs := map[string]reference{}
	for _, n := range []int{16, 32, 64} {
		c := classBits(n)
		for _, u := range []string{"s", "u"} {
			signed := u == "s"
			set := func(name string, sources int, f func(a, b, c uint64) uint64) {
				refs[fmt.Sprint(name, ".", u, n)] = reference{c + strings.Repeat(c, sources), func(x, y, z uint64) uint64 { return zx(int64(f(x, y, z)), n) }}
			}
			high := func(a, b uint64) uint64 { // the upper half of the product
				hi, lo := bits.Mul64(a, b)
				if signed {
					sa, sb := sx(a, n), sx(b, n)
					hi, lo = bits.Mul64(uint64(sa), uint64(sb))
					if sa < 0 {
						hi -= uint64(sb)
					}
					if sb < 0 {
						hi -= uint64(sa)
					}
				}
				if n == 64 {
					return hi
				}
				return lo >> n
			}
			set("add", 2, func(a, b, _ uint64) uint64 { return a + b })
			set("sub", 2, func(a, b, _ uint64) uint64 { return a - b })
			set("mul.lo", 2, func(a, b, _ uint64) uint64 { return a * b })
			set("mad.lo", 3, func(a, b, c uint64) uint64 { return a*b + c })
			set("mul.hi", 2, func(a, b, _ uint64) uint64 { return high(a, b) })
			if n == 32 {
				set("mad.hi", 3, func(a, b, c uint64) uint64 { return high(a, b) + c })
			}
			if n < 64 {
				wide := classBits(2 * n)
				refs[fmt.Sprint("mul.wide.", u, n)] = reference{wide + c + c, func(a, b, _ uint64) uint64 {
					if signed {
						return zx(sx(a, n)*sx(b, n), 2*n)
					}
					return a * b
				}}
			}
			if n == 32 {
				refs["mad.wide."+u+"32"] = reference{"lwwl", func(a, b, c uint64) uint64 {
					if signed {
						return uint64(sx(a, 32)*sx(b, 32)) + c
					}
					return a*b + c
				}}
			}
			if signed {
				set("div", 2, func(a, b, _ uint64) uint64 { return uint64(sx(a, n) / sx(b, n)) })
				set("rem", 2, func(a, b, _ uint64) uint64 { return uint64(sx(a, n) % sx(b, n)) })
				set("min", 2, func(a, b, _ uint64) uint64 { return uint64(min(sx(a, n), sx(b, n))) })
				set("max", 2, func(a, b, _ uint64) uint64 { return uint64(max(sx(a, n), sx(b, n))) })
				set("neg", 1, func(a, _, _ uint64) uint64 { return ^a + 1 })
				set("abs", 1, func(a, _, _ uint64) uint64 {
					if sx(a, n) < 0 {
						return -a
					}
					return a
				})
			} else {
				set("div", 2, func(a, b, _ uint64) uint64 { return a / b })
				set("rem", 2, func(a, b, _ uint64) uint64 { return a % b })
				set("min", 2, func(a, b, _ uint64) uint64 { return min(a, b) })
				set("max", 2, func(a, b, _ uint64) uint64 { return max(a, b) })
			}
		}
	}
	return refs
}

func TestInteger(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	compareWith(t, integerReferences())
}

func bitReferences() map[string]reference {
	refs := map[string]reference{}
	// bit returns bit i of v, and of the sign beyond it.
	for _, n := range []int{16, 32, 64} {
		c := classBits(n)
		set := func(name, sig string, f func(a, b, c uint64) uint64) {
			refs[fmt.Sprint(name, n)] = reference{sig, func(x, y, z uint64) uint64 { return zx(int64(f(x, y, z)), n) }}
		}
		set("and.b", c+c+c, func(a, b, _ uint64) uint64 { return a & b })
		set("or.b", c+c+c, func(a, b, _ uint64) uint64 { return a | b })
		set("xor.b", c+c+c, func(a, b, _ uint64) uint64 { return a ^ b })
		set("not.b", c+c, func(a, _, _ uint64) uint64 { return ^a })
		set("shl.b", c+c+"w", func(a, s, _ uint64) uint64 {
			for range min(s, 64) {
				a *= 2
			}
			return a
		})
		for _, u := range []string{"shr.u", "shr.b"} {
			set(u, c+c+"w", func(a, s, _ uint64) uint64 {
				for range min(s, 64) {
					a /= 2
				}
				return a
			})
		}
		set("shr.s", c+c+"w", func(a, s, _ uint64) uint64 {
			v := sx(a, n)
			for range min(s, 64) {
				v = (v - v&1) / 2
			}
			return uint64(v)
		})
		if n == 16 {
			continue
		}
		// As the manual of PTX defines it, bit by bit.
		for _, u := range []string{"u", "s"} {
			set("bfe."+u, c+c+"ww", func(a, pos, length uint64) uint64 {
				pos, length = pos&0xff, length&0xff
				msb := uint64(n - 1)
				var sbit, d uint64
				if u == "s" && length != 0 {
					sbit = a >> min(pos+length-1, msb) & 1
				}
				for i := uint64(0); i <= msb; i++ {
					if i < length && pos+i <= msb {
						d |= a >> (pos + i) & 1 << i
					} else {
						d |= sbit << i
					}
				}
				return d
			})
		}
		set("popc.b", "w"+c, func(a, _, _ uint64) (d uint64) {
			for ; a != 0; a >>= 1 {
				d += a & 1
			}
			return d
		})
		set("clz.b", "w"+c, func(a, _, _ uint64) (d uint64) {
			for d = 0; d < uint64(n) && a>>(uint64(n)-1-d)&1 == 0; d++ {
			}
			return d
		})
		set("brev.b", c+c, func(a, _, _ uint64) (d uint64) {
			for i := range n {
				d |= a >> i & 1 << (n - 1 - i)
			}
			return d
		})
	}
	for _, mode := range []string{"wrap", "clamp"} {
		amount := func(s uint64) uint64 {
			if mode == "wrap" {
				return s % 32
			}
			return min(s, 32)
		}
		refs["shf.l."+mode+".b32"] = reference{"wwww", func(a, b, s uint64) uint64 {
			s = amount(s)
			return (b<<s | a>>(32-s)) & 0xffffffff
		}}
		refs["shf.r."+mode+".b32"] = reference{"wwww", func(a, b, s uint64) uint64 {
			s = amount(s)
			return (b<<(32-s) | a>>s) & 0xffffffff
		}}
	}
	refs["prmt.b32"] = reference{"wwww", func(a, b, sel uint64) (d uint64) {
		for i := range 4 {
			s := sel >> (4 * i) & 15
			x := (a | b<<32) >> (8 * (s % 8)) & 255
			if s >= 8 {
				x = x >> 7 * 255
			}
			d |= x << (8 * i)
		}
		return d
	}}
	for _, table := range []uint64{0x00, 0xff, 0xe8, 0x96, 0xca, 0x1b, 0x80} {
		refs[fmt.Sprintf("lop3.b32#%d", table)] = reference{"wwww", func(a, b, c uint64) (d uint64) {
			for i := range 32 {
				d |= table >> (a>>i&1<<2 | b>>i&1<<1 | c>>i&1) & 1 << i
			}
			return d
		}}
	}
	for _, length := range []uint64{0, 1, 5, 31, 32, 40, 64, 300} {
		for _, n := range []int{32, 64} {
			c := classBits(n)
			refs[fmt.Sprintf("bfi.b%d#%d", n, length)] = reference{c + c + c + "w", func(a, b, pos uint64) uint64 {
				pos, length := pos&0xff, length&0xff
				for i := uint64(0); i < length && pos+i < uint64(n); i++ {
					b = b&^(1<<(pos+i)) | a>>i&1<<(pos+i)
				}
				return b
			}}
		}
	}
	return refs
}

func TestBits(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	compareWith(t, bitReferences())
}

func moveReferences() map[string]reference {
	refs := map[string]reference{}
	for _, typ := range []string{"b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"} {
		c := map[string]string{"16": "h", "32": "w", "64": "l"}[typ[1:]]
		if typ[0] == 'f' {
			c = map[string]string{"w": "f", "l": "d"}[c]
		}
		refs["mov."+typ] = reference{c + c, func(a, _, _ uint64) uint64 { return a }}
		refs["selp."+typ] = reference{c + c + c + "p", func(a, b, p uint64) uint64 {
			if p != 0 {
				return a
			}
			return b
		}}
	}
	return refs
}

func TestMoves(t *testing.T) { compareWith(t, moveReferences()) }
