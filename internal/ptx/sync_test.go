package ptx

import (
	"fmt"
	"testing"
)

// shuffleSource is the definition of shfl in the manual of PTX: the lane that
// is read, and whether it is in range.
func shuffleSource(mode string, lane, b, c int) (int, bool) {
	b &= 31
	segment, clamp := c>>8&31, c&31
	last := lane&segment | clamp&^segment
	first := lane & segment
	var j int
	var ok bool
	switch mode {
	case "up":
		j = lane - b
		ok = j >= last
	case "down":
		j = lane + b
		ok = j <= last
	case "bfly":
		j = lane ^ b
		ok = j <= last
	case "idx":
		j = first | b&^segment
		ok = j <= last
	}
	if !ok {
		j = lane
	}
	return j, ok
}

func TestShuffle(t *testing.T) {
	m := NewMemory(1 << 20)
	out := alloc(t, m, 256)
	for _, mode := range []string{"up", "down", "bfly", "idx"} {
		for _, b := range []int{0, 1, 3, 16, 31} {
			for _, width := range []int{32, 16, 8, 4} {
				c := (32 - width) << 8
				if mode != "up" {
					c |= 31
				}
				k := mustLoad(t, mode, oneKernel(fmt.Sprintf(`mov.u32 %%r1, %%tid.x; add.s32 %%r2, %%r1, 100;
shfl.sync.%s.b32 %%r3|%%p1, %%r2, %d, %d, -1; selp.u32 %%r4, 1, 0, %%p1;
ld.param.u64 %%rd1, [p]; mad.wide.u32 %%rd2, %%r1, 8, %%rd1; st.global.v2.u32 [%%rd2], {%%r3, %%r4};`, mode, b, c))).Kernel("k")
				launch(t, k, m, one, Dim{32, 1, 1}, 0, out, 0)
				got := get[int32](t, m, out, 64)
				for lane := range 32 {
					j, ok := shuffleSource(mode, lane, b, c)
					if int(got[2*lane]) != 100+j || (got[2*lane+1] == 1) != ok {
						t.Fatalf("%s %d in segments of %d: lane %d has %v", mode, b, width, lane, got[2*lane:2*lane+2])
					}
				}
			}
		}
	}
}

// Lanes that reach a shuffle or vote on different paths meet there.
func TestVotes(t *testing.T) {
	src := oneKernel(`mov.u32 %r1, %tid.x; ld.param.u32 %r2, [n]; setp.lt.u32 %p1, %r1, %r2; setp.eq.u32 %p8, %r1, 40;
@%p8 bra $end;
@%p1 bra $below; mov.u32 %r3, 7; bra $vote;
$below: mov.u32 %r3, 9;
$vote: vote.sync.all.pred %p2, %p1, -1; vote.sync.any.pred %p3, %p1, -1; vote.sync.uni.pred %p4, %p1, -1;
vote.sync.ballot.b32 %r4, %p1, -1; activemask.b32 %r5;
selp.u32 %r6, 1, 0, %p2; @%p3 or.b32 %r6, %r6, 2; @%p4 or.b32 %r6, %r6, 4; mad.lo.u32 %r6, %r3, 16, %r6;
ld.param.u64 %rd1, [p]; mad.wide.u32 %rd2, %r1, 16, %rd1; st.global.v4.u32 [%rd2], {%r4, %r5, %r6, %laneid};
$end:`)
	k := mustLoad(t, "votes", src).Kernel("k")
	const threads = 50
	for _, n := range []int{0, 10, 32, 45, 50} {
		m := NewMemory(1 << 20)
		out := alloc(t, m, threads*16)
		launch(t, k, m, one, Dim{threads, 1, 1}, 0, out, n)
		for i := range threads {
			if i == 40 {
				continue
			}
			got := get[uint32](t, m, out+uint64(16*i), 4)
			first, last := i&^31, min(i|31, threads-1)
			var ballot, active, flags uint32
			for j := first; j <= last; j++ {
				if j != 40 {
					active |= 1 << (j & 31)
					if j < n {
						ballot |= 1 << (j & 31)
					}
				}
			}
			if ballot == active {
				flags |= 1
			}
			if ballot != 0 {
				flags |= 2
			}
			if ballot == active || ballot == 0 {
				flags |= 4
			}
			path := uint32(7)
			if i < n {
				path = 9
			}
			want := []uint32{ballot, active, path*16 + flags, uint32(i & 31)}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("n=%d, thread %d: %v instead of %v", n, i, got, want)
			}
		}
	}
}

// A member mask of half a warp: the halves shuffle apart from each other.
func TestShuffleWithinMask(t *testing.T) {
	src := oneKernel(`mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 16; mov.u32 %r5, 0;
@!%p1 bra $upper;
shfl.sync.bfly.b32 %r2, %r1, 15, 31, 65535; bra $end;
$upper: shfl.sync.bfly.b32 %r2, %r1, 1, 31, -65536;
$end: bar.warp.sync -1;
ld.param.u64 %rd1, [p]; mad.wide.u32 %rd2, %r1, 4, %rd1; st.global.u32 [%rd2], %r2;`)
	k := mustLoad(t, "mask", src).Kernel("k")
	m := NewMemory(1 << 20)
	out := alloc(t, m, 128)
	launch(t, k, m, one, Dim{32, 1, 1}, 0, out, 0)
	for i, got := range get[uint32](t, m, out, 32) {
		want := uint32(i ^ 15)
		if i >= 16 {
			want = uint32(i ^ 1)
		}
		if got != want {
			t.Fatalf("lane %d has %d instead of %d", i, got, want)
		}
	}
}

func TestSynchronisationFaults(t *testing.T) {
	for _, c := range []struct {
		name, body, line string
		kind             Kind
	}{
		{"lane outside of its own mask", "shfl.sync.bfly.b32 %r1, 1, 1, 31, 65535;", "shfl", BadShuffle},
		{"different masks", "mov.u32 %r1, %tid.x; or.b32 %r1, %r1, -32; \nvote.sync.any.pred %p1, 0, %r1;", "vote", BadShuffle},
		{"lanes that wait for each other", "mov.u32 %r1, %tid.x; setp.eq.u32 %p1, %r1, 3; @%p1 bra $a;\nvote.sync.ballot.b32 %r2, 1, -1;\nbra $b;\n$a: bar.warp.sync -1;\n$b:", "vote", BadShuffle},
		{"trap", "\ntrap;", "trap", Trapped},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := oneKernel(c.body)
			k := mustLoad(t, "x.ptx", src).Kernel("k")
			wantFault(t, src, k.Launch(NewMemory(1<<20), one, Dim{32, 1, 1}, 0, make([]byte, k.ParamBytes())), c.kind, c.line)
		})
	}
}

// An atomic operation of 48 threads of 3 blocks on one word, and what each got
// back.
func TestAtomics(t *testing.T) {
	for _, c := range []struct {
		op   string
		init uint64
		f    func(old, i uint64) uint64
		bits int
	}{
		{"add.u32", 5, func(x, i uint64) uint64 { return x + i }, 32},
		{"add.s32", 1<<32 - 9, func(x, i uint64) uint64 { return x + i }, 32},
		{"add.u64", 1<<64 - 5, func(x, i uint64) uint64 { return x + i }, 64},
		{"exch.b32", 7, func(_, i uint64) uint64 { return i }, 32},
		{"exch.b64", 7, func(_, i uint64) uint64 { return i }, 64},
		{"max.u32", 20, func(x, i uint64) uint64 { return max(x, i) }, 32},
		{"max.s32", 1<<32 - 20, func(x, i uint64) uint64 { return uint64(max(int32(x), int32(i))) }, 32},
		{"min.u32", 20, func(x, i uint64) uint64 { return min(x, i) }, 32},
		{"min.s32", 1<<32 - 20, func(x, i uint64) uint64 { return uint64(min(int32(x), int32(i))) }, 32},
		{"max.u64", 20, func(x, i uint64) uint64 { return max(x, i) }, 64},
		{"min.s64", 20, func(x, i uint64) uint64 { return uint64(min(int64(x), int64(i))) }, 64},
		{"and.b32", 0xff, func(x, i uint64) uint64 { return x & i }, 32},
		{"or.b32", 0x100, func(x, i uint64) uint64 { return x | i }, 32},
		{"xor.b32", 0x100, func(x, i uint64) uint64 { return x ^ i }, 32},
		{"inc.u32", 3, func(x, i uint64) uint64 {
			if x >= i {
				return 0
			}
			return x + 1
		}, 32},
		{"dec.u32", 3, func(x, i uint64) uint64 {
			if x == 0 || x > i {
				return i
			}
			return x - 1
		}, 32},
		{"cas.b32", 0, func(x, i uint64) uint64 {
			if x == i {
				return i + 1
			}
			return x
		}, 32},
	} {
		t.Run(c.op, func(t *testing.T) {
			mod := map[int]uint64{32: 1<<32 - 1, 64: 1<<64 - 1}[c.bits]
			reg := map[int]string{32: "%r", 64: "%rd"}[c.bits]
			extra := ""
			if c.op == "cas.b32" {
				extra = ", %r6"
			}
			src := oneKernel(fmt.Sprintf(`mov.u32 %%r1, %%tid.x; mov.u32 %%r2, %%ctaid.x; mad.lo.s32 %%r3, %%r2, 48, %%r1; add.s32 %%r6, %%r3, 1;
cvt.u64.u32 %%rd3, %%r3; ld.param.u64 %%rd1, [p]; mad.wide.u32 %%rd2, %%r3, 8, %%rd1;
atom.global.%s %s4, [%%rd1], %s3%s;
st.global.b%d [%%rd2+8], %s4;`, c.op, reg, reg, extra, c.bits, reg))
			k := mustLoad(t, c.op, src).Kernel("k")
			eachWorkers(t, func(t *testing.T, m *Memory) {
				init := make([]uint64, 145)
				init[0] = c.init
				p := put(t, m, init)
				launch(t, k, m, Dim{3, 1, 1}, Dim{48, 1, 1}, 0, p, 0)
				got := get[uint64](t, m, p, 145)
				x := c.init
				for i := range uint64(144) {
					if got[i+1] != x {
						t.Fatalf("thread %d got %#x instead of %#x", i, got[i+1], x)
					}
					x = c.f(x, i) & mod
				}
				if got[0] != x {
					t.Fatalf("%#x is left instead of %#x", got[0], x)
				}
			})
		})
	}
}

func TestSharedAtomics(t *testing.T) {
	const body = `.shared .u32 s[2]; mov.u32 %r1, %tid.x; setp.ne.s32 %p1, %r1, 0;
@!%p1 st.shared.u32 [s], 3; bar.sync 0;
red.shared.add.u32 [s], %r1; bar.sync 0; // the last
@%p1 bra $end; ld.shared.u32 %r2, [s]; ld.param.u64 %rd1, [p]; st.global.u32 [%rd1], %r2;
$end:`
	k := mustLoad(t, "x.ptx", oneKernel(body)).Kernel("k")
	m := NewMemory(1 << 20)
	p := alloc(t, m, 4)
	launch(t, k, m, one, Dim{100, 1, 1}, 0, p, 0)
	if got := get[uint32](t, m, p, 1)[0]; got != 3+99*50 {
		t.Errorf("the sum is %d", got)
	}
	for _, barrier := range []string{"bar.sync 0;\n", "bar.sync 0; //"} {
		mutant := oneKernel(replaceOnce(t, body, barrier, "membar.cta;"+barrier[len("bar.sync 0;"):]))
		k := mustLoad(t, "x.ptx", mutant).Kernel("k")
		wantFault(t, mutant, k.Launch(m, one, Dim{100, 1, 1}, 0, params(t, k, p, 0)), SharedRace, ".shared.")
	}
}
