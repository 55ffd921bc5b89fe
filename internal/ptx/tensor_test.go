package ptx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// roundingReferences round to so many bits by arithmetic in float64.
func roundingReferences() map[string]reference {
	// nearest rounds to a grid of so many significant bits, as far down as float32 goes less
	// the bits left out.
	nearest := func(x float32, bits int, round func(float64) float64) float64 {
		v := float64(x)
		if v == 0 || v-v != 0 {
			return v
		}
		_, e := math.Frexp(v)
		unit := math.Ldexp(1, max(e, -125)-bits)
		return math.Copysign(round(v/unit)*unit, v)
	}
	word := func(v float64) uint64 {
		if v != v {
			return 0x7fffffff
		}
		return uint64(math.Float32bits(float32(v))) // infinite beyond the largest
	}
	return map[string]reference{
		"cvt.rna.tf32.f32": {"wf", func(a, _, _ uint64) uint64 {
			return word(nearest(f32(uint32(a)), 11, math.Round)) &^ 0x1fff
		}},
		"cvt.rn.bf16x2.f32": {"wff", func(a, b, _ uint64) uint64 {
			half := func(x uint64) uint64 { return word(nearest(f32(uint32(x)), 8, math.RoundToEven)) >> 16 }
			return half(a)<<16 | half(b)
		}},
	}
}

func TestRoundings(t *testing.T) { compareWith(t, roundingReferences()) }

const version80 = ".version 7.0\n.target sm_80\n.address_size 64\n"

// tensorKernel is a kernel of one mma: lane i's registers of A, B and C are 10 words from p
// on, and D goes in place of C.
func tensorKernel(op, before string) string {
	return strings.Replace(oneKernel(`.reg .b32 %a<4>; .reg .b32 %b<2>; .reg .f32 %c<4>; .reg .f32 %d<4>;
ld.param.u64 %rd1, [p]; mov.u32 %r1, %tid.x; mad.wide.u32 %rd1, %r1, 40, %rd1;
ld.global.u32 %a0, [%rd1]; ld.global.u32 %a1, [%rd1+4]; ld.global.u32 %a2, [%rd1+8]; ld.global.u32 %a3, [%rd1+12];
ld.global.u32 %b0, [%rd1+16]; ld.global.u32 %b1, [%rd1+20];
ld.global.f32 %c0, [%rd1+24]; ld.global.f32 %c1, [%rd1+28]; ld.global.f32 %c2, [%rd1+32]; ld.global.f32 %c3, [%rd1+36];
`+before+`
`+op+` {%d0, %d1, %d2, %d3}, {%a0, %a1, %a2, %a3}, {%b0, %b1}, {%c0, %c1, %c2, %c3};
st.global.f32 [%rd1+24], %d0; st.global.f32 [%rd1+28], %d1; st.global.f32 [%rd1+32], %d2; st.global.f32 [%rd1+36], %d3;
$end:`), header, version80, 1)
}

const (
	tf32Product = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
	bf16Product = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
)

// TestTensorProduct lays matrices out as the manual of PTX has the fragments of an mma, and
// compares with a chain of fma in order of k.
func TestTensorProduct(t *testing.T) {
	for op, k := range map[string]int{tf32Product: 8, bf16Product: 16} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			code := mustLoad(t, "x.ptx", tensorKernel(op, "")).Kernel("k")
			r := rand.New(rand.NewPCG(1, 2))
			for _, scale := range []float64{1, 1e-20, 1e-23, 1e19} { // also subnormal sums, and infinite ones
				draw := func(mask uint32) float32 { return f32(math.Float32bits(float32(r.NormFloat64()*scale)) & mask) }
				mask := uint32(tf32Mask)
				if k == 16 {
					mask = 0xffff0000
				}
				a, b, c := make([]float32, 16*k), make([]float32, k*8), make([]float32, 16*8)
				for i := range a {
					a[i] = draw(mask)
				}
				for i := range b {
					b[i] = draw(mask)
				}
				for i := range c {
					c[i] = draw(allLanes)
				}
				var in [32][10]uint32
				for lane := range 32 {
					group, thread := lane>>2, lane%4
					for i := range 2 * k / 4 { // elements a_i of the manual
						var row, col int
						if k == 8 {
							row, col = group+8*(i%2), thread+4*(i/2)
						} else {
							row, col = group, thread*2+i&1
							if i >= 2 && i < 4 || i >= 6 {
								row += 8
							}
							if i >= 4 {
								col += 8
							}
						}
						word(&in[lane][i*8/k], i, k, a[row*k+col])
					}
					for i := range k / 4 {
						row := thread + 4*i
						if k == 16 {
							row = thread*2 + i&1 + i/2*8
						}
						word(&in[lane][4+i*8/k], i, k, b[row*8+group])
					}
					for i := range 4 {
						in[lane][6+i] = math.Float32bits(c[(group+i/2*8)*8+thread*2+i&1])
					}
				}
				m := NewMemory(1 << 20)
				p := put(t, m, in[:])
				launch(t, code, m, one, Dim{32, 1, 1}, 0, p, 0)
				got := get[[10]uint32](t, m, p, 32)
				for row := range 16 {
					for col := range 8 {
						want := c[row*8+col]
						for q := range k {
							want = exactFMA32(a[row*k+q], b[q*8+col], want)
						}
						lane, i := row%8*4+col/2, row/8*2+col%2
						if g := got[lane][6+i]; g != bits32(want) {
							t.Fatalf("scale %g: sum (%d,%d) is %v instead of %v", scale, row, col, f32(g), want)
						}
					}
				}
			}
		})
	}
}

// word puts element i of a fragment in its register: alone, or as one half of it.
func word(to *uint32, i, k int, x float32) {
	switch v := math.Float32bits(x); {
	case k == 8:
		*to = v
	case i%2 == 0:
		*to |= v >> 16
	default:
		*to |= v
	}
}

func TestTensorFaults(t *testing.T) {
	for _, c := range []struct {
		name, op, before string
		threads          int
		kind             Kind
		detail           string
	}{
		{"half a warp", tf32Product, "", 16, BadShuffle, "it has 16"},
		{"a lane has returned", bf16Product, "setp.eq.u32 %p1, %r1, 7;\n@%p1 ret;", 32, BadShuffle, "it has 31"},
		{"a lane goes another way", tf32Product, "setp.eq.u32 %p1, %r1, 7; @%p1 bra $end;", 32, BadShuffle, ""},
		{"not rounded", tf32Product, "setp.eq.u32 %p1, %r1, 7; @%p1 mov.u32 %b1, 0x3f800001;", 32, NotRounded, "cvt.rna.tf32.f32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := tensorKernel(c.op, c.before)
			k := mustLoad(t, "x.ptx", src).Kernel("k")
			m := NewMemory(1 << 20)
			p := put(t, m, make([]uint32, 320))
			err := k.Launch(m, one, Dim{c.threads, 1, 1}, 0, params(t, k, p, 0))
			f := wantFault(t, src, err, c.kind, "mma")
			if !strings.Contains(f.Detail, c.detail) {
				t.Errorf("the detail lacks %q", c.detail)
			}
		})
	}
	k := mustLoad(t, "x.ptx", tensorKernel(bf16Product, "")).Kernel("k") // any bits are two BF16
	m := NewMemory(1 << 20)
	launch(t, k, m, one, Dim{64, 1, 1}, 0, put(t, m, make([]uint32, 640)), 0)
}

func TestTensorLoadErrors(t *testing.T) {
	for body, want := range map[string]string{
		tf32Product + " {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, {%f0,%f1,%f2,%f3};": "needs sm_80",
		"cvt.rna.tf32.f32 %r1, %f1;":       "needs sm_80",
		"cvt.rn.bf16x2.f32 %r1, %f1, %f2;": "needs sm_80",
	} {
		if _, err := Load("x.ptx", []byte(oneKernel(body))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for body, want := range map[string]string{
		tf32Product + " {%f0,%f1,%f2}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, {%f0,%f1,%f2,%f3};":                 "a vector of 4",
		tf32Product + " {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, %r4, {%f0,%f1,%f2,%f3};":                   "a vector of 2",
		"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1}, {%r4}, {%f0};": "unknown instruction",
	} {
		if _, err := Load("x.ptx", []byte(strings.Replace(oneKernel(body), header, version80, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
