package ptx

import (
	"fmt"
	"testing"
)

// The counts of one access by a warp, for patterns whose conflicts are known.
func TestWavefronts(t *testing.T) {
	for _, c := range []struct {
		name   string
		op     string // ld or st
		typ    string
		addr   string // %r2, the address, from %r1, the lane
		mask   string // a predicate %p1 of the lanes that take part
		passes int64
		want   int64
	}{
		{"consecutive words", "ld", "b32", "shl.b32 %r2, %r1, 2;", "", 1, 1},
		{"consecutive bytes", "ld", "u8", "mov.u32 %r2, %r1;", "", 1, 1},
		{"one word for all", "ld", "b32", "mov.u32 %r2, 4;", "", 1, 1},
		{"every other word", "ld", "b32", "shl.b32 %r2, %r1, 3;", "", 1, 2},
		{"a column of 32", "ld", "b32", "shl.b32 %r2, %r1, 7;", "", 1, 32},
		{"a column of 32, stored", "st", "b32", "shl.b32 %r2, %r1, 7;", "", 1, 32},
		{"a column of 33", "ld", "b32", "mul.lo.u32 %r2, %r1, 132;", "", 1, 1},
		{"three lanes of a column of 32", "ld", "b32", "shl.b32 %r2, %r1, 7;", "setp.lt.u32 %p1, %r1, 3;", 1, 3},
		{"consecutive pairs", "ld", "v2.b32", "shl.b32 %r2, %r1, 3;", "", 2, 2},
		{"consecutive longs", "ld", "b64", "shl.b32 %r2, %r1, 3;", "", 2, 2},
		{"pairs of neighbours", "ld", "v2.b32", "and.b32 %r2, %r1, -2; shl.b32 %r2, %r2, 2;", "", 1, 1},
		{"pairs for half a warp", "ld", "v2.b32", "and.b32 %r2, %r1, 15; shl.b32 %r2, %r2, 3;", "", 2, 2},
		{"every other pair", "ld", "v2.b32", "shl.b32 %r2, %r1, 4;", "", 2, 4},
		{"consecutive quads", "ld", "v4.b32", "shl.b32 %r2, %r1, 4;", "", 4, 4},
		{"one quad for all", "ld", "v4.b32", "mov.u32 %r2, 16;", "", 2, 2},
		{"quads of neighbours", "ld", "v4.b32", "and.b32 %r2, %r1, -2; shl.b32 %r2, %r2, 3;", "", 2, 2},
		{"quads of lanes two apart", "ld", "v4.b32", "and.b32 %r2, %r1, -3; shl.b32 %r2, %r2, 4;", "", 2, 4},
		{"quads stored", "st", "v4.b32", "shl.b32 %r2, %r1, 4;", "", 4, 4},
		{"quads in rows of 32", "ld", "v4.b32", "shl.b32 %r2, %r1, 7;", "", 4, 32},
		{"quads in rows of 36", "ld", "v4.b32", "mul.lo.u32 %r2, %r1, 144;", "", 4, 4},
		{"a quarter's quads", "ld", "v4.b32", "shl.b32 %r2, %r1, 4;", "setp.lt.u32 %p1, %r1, 8;", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := map[string]string{"b32": "%r3", "u8": "%r3", "b64": "%rd4", "v2.b32": "{%r3, %r4}", "v4.b32": "{%r3, %r4, %r5, %r6}"}[c.typ]
			at := func(op string) string {
				if op == "ld" {
					return fmt.Sprintf("ld.shared.%s %s, [%%rd3];", c.typ, data)
				}
				return fmt.Sprintf("st.shared.%s [%%rd3], %s;", c.typ, data)
			}
			mask := c.mask
			if mask == "" {
				mask = "setp.ge.u32 %p1, %r1, 0;"
			}
			src := oneKernel(fmt.Sprintf(`.shared .align 16 .b8 s[8192]; mov.u32 %%r1, %%laneid; mov.u64 %%rd1, s;
mov.u32 %%r3, 1; mov.u32 %%r4, 1; mov.u32 %%r5, 1; mov.u32 %%r6, 1; mov.b64 %%rd4, 1;
mul.wide.u32 %%rd3, %%r1, 4; add.u64 %%rd3, %%rd1, %%rd3; mov.u32 %%r7, 0;
$fill: st.shared.u32 [%%rd3], %%r7; add.u64 %%rd3, %%rd3, 128; add.u32 %%r7, %%r7, 1; setp.lt.u32 %%p2, %%r7, 64; @%%p2 bra $fill;
bar.sync 0; %s %s cvt.u64.u32 %%rd2, %%r2; add.u64 %%rd3, %%rd1, %%rd2;
@%%p1 %s`, c.addr, mask, at(c.op)))
			k := mustLoad(t, "x.ptx", src).Kernel("k")
			m := NewMemory(1 << 20)
			m.CountShared = true
			for range 2 {
				if err := k.Launch(m, one, Dim{32, 1, 1}, 0, make([]byte, k.ParamBytes())); err != nil {
					t.Fatal(err)
				}
			}
			all := k.SharedAccesses()
			if fill := all[0]; len(all) != 2 || fill.Requests != 2*64 || fill.Wavefronts != 2*64 {
				t.Errorf("%d accesses, of which the first is %+v", len(all), fill)
			}
			got := all[len(all)-1]
			if got.Requests != 2 || got.Passes != 2*c.passes || got.Wavefronts != 2*c.want {
				t.Errorf("%+v after two launches, want %d passes and %d wavefronts each", got, c.passes, c.want)
			}
		})
	}
}
