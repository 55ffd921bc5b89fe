package ptx

import (
	"fmt"
	"strings"
	"testing"
)

// matrixKernel is a kernel that fills 1 KiB of shared memory with words 0, 1, …, has lane i
// load matrices with the row at byte rows·i, and stores its four registers at p.
func matrixKernel(op string, rows int, between string) string {
	return strings.Replace(oneKernel(fmt.Sprintf(`.shared .align 16 .b8 s[4096];
mov.u32 %%r1, %%tid.x; ld.param.u64 %%rd1, [p]; mov.u64 %%rd2, s; mul.wide.u32 %%rd3, %%r1, 4; add.u64 %%rd4, %%rd2, %%rd3; mov.u32 %%r2, 0;
$fill: mad.lo.u32 %%r3, %%r2, 32, %%r1; mad.lo.u32 %%r3, %%r3, 131074, 65536;
st.shared.u32 [%%rd4], %%r3; add.u64 %%rd4, %%rd4, 128; add.u32 %%r2, %%r2, 1; setp.lt.u32 %%p1, %%r2, 32; @%%p1 bra $fill;
mul.wide.u32 %%rd5, %%r1, %d; add.u64 %%rd5, %%rd2, %%rd5;
bar.sync 0; // filled
%s
%s {%%r4, %%r5, %%r6, %%r7}, [%%rd5];
mul.wide.u32 %%rd6, %%r1, 16; add.u64 %%rd6, %%rd1, %%rd6; st.global.v4.u32 [%%rd6], {%%r4, %%r5, %%r6, %%r7};
$end:`, rows, between, op)), header, ".version 6.5\n.target sm_75\n.address_size 64\n", 1)
}

const (
	rowsLoad    = "ldmatrix.sync.aligned.m8n8.x4.shared.b16"
	columnsLoad = "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16"
)

// Each lane has its elements: halves of words are numbered, the lower first.
func TestMatrixLoad(t *testing.T) {
	for _, op := range []string{rowsLoad, columnsLoad} {
		for rows, waves := range map[int]int64{16: 4, 128: 32, 80: 4, 64: 16} {
			k := mustLoad(t, "x.ptx", matrixKernel(op, rows, "")).Kernel("k")
			m := NewMemory(1 << 20)
			m.CountShared = true
			p := put(t, m, make([]uint32, 128))
			launch(t, k, m, one, Dim{32, 1, 1}, 0, p, 0)
			got := get[uint32](t, m, p, 128)
			for lane := range 32 {
				g, c := lane/4, lane%4*2
				for i := range 4 {
					element := func(row, col int) uint32 { return uint32((8*i+row)*rows/2+col) & 0xffff }
					want := element(g, c) | element(g, c+1)<<16
					if op == columnsLoad {
						want = element(c, g) | element(c+1, g)<<16
					}
					if g := got[4*lane+i]; g != want {
						t.Fatalf("%s, rows %d bytes apart: register %d of lane %d is %#x instead of %#x", op, rows, i, lane, g, want)
					}
				}
			}
			all := k.SharedAccesses()
			if a := all[len(all)-1]; a.Op != op || a.Requests != 1 || a.Passes != 4 || a.Wavefronts != waves {
				t.Errorf("rows %d bytes apart: %+v, want 4 passes and %d wavefronts", rows, a, waves)
			}
		}
	}
}

func TestMatrixFaults(t *testing.T) {
	for _, c := range []struct {
		name, between string
		threads       int
		kind          Kind
		line          string
	}{
		{"half a warp", "", 16, BadShuffle, "ldmatrix"},
		{"a lane has returned", "setp.eq.u32 %p1, %r1, 7;\n@%p1 ret;", 32, BadShuffle, "ldmatrix"},
		{"a row that is not aligned", "setp.eq.u32 %p1, %r1, 7; @%p1 add.u64 %rd5, %rd5, 8;", 32, Misaligned, "ldmatrix"},
		{"a row beyond shared memory", "setp.eq.u32 %p1, %r1, 31; @%p1 add.u64 %rd5, %rd5, 4096;", 32, OutOfBounds, "ldmatrix"},
		{"a row that another warp writes", "setp.eq.u32 %p1, %r1, 40; @%p1 st.shared.u32 [%rd2+20], 1;\nsetp.ge.u32 %p1, %r1, 32; @%p1 bra $end;", 64, SharedRace, ""},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			src := matrixKernel(rowsLoad, 16, c.between)
			if c.threads == 64 { // both warps fill alike
				src = strings.Replace(src, "mov.u32 %r1, %tid.x; ld.param", "mov.u32 %r1, %laneid; ld.param", 1)
				src = strings.Replace(src, "st.shared.u32 [%rd4], %r3;", "mov.u32 %r8, %tid.x; setp.lt.u32 %p2, %r8, 32; @%p2 st.shared.u32 [%rd4], %r3;", 1)
				src = strings.Replace(src, "bar.sync 0;", "bar.sync 0; mov.u32 %r1, %tid.x;", 1)
			}
			k := mustLoad(t, "x.ptx", src).Kernel("k")
			m := NewMemory(1 << 20)
			p := put(t, m, make([]uint32, 256))
			wantFault(t, src, k.Launch(m, one, Dim{c.threads, 1, 1}, 0, params(t, k, p, 0)), c.kind, c.line)
		})
	}
	src := strings.Replace(matrixKernel(rowsLoad, 16, ""), "@%p1 bra $fill;", "", 1)
	k := mustLoad(t, "x.ptx", src).Kernel("k")
	m := NewMemory(1 << 20)
	wantFault(t, src, k.Launch(m, one, Dim{32, 1, 1}, 0, params(t, k, put(t, m, make([]uint32, 128)), 0)), Uninitialised, "ldmatrix")
}

func TestMatrixLoadErrors(t *testing.T) {
	for src, want := range map[string]string{
		strings.Replace(matrixKernel(rowsLoad, 16, ""), "6.5", "6.3", 1):                        "needs sm_75 and PTX 6.5",
		strings.Replace(matrixKernel(rowsLoad, 16, ""), "%r6, %r7}, [", "%r6}, [", 1):           "a vector of 4",
		matrixKernel("ldmatrix.sync.aligned.m8n8.x2.shared.b16", 16, ""):                        "unknown instruction",
		strings.Replace(matrixKernel(rowsLoad, 16, ""), "{%r4, %r5, %r6, %r7}, [", "%r4, [", 1): "a vector of 4",
	} {
		if _, err := Load("x.ptx", []byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
