package ptx

import (
	"strings"
	"testing"
)

const clusterHeader = ".version 7.8\n.target sm_90\n.address_size 64\n"

// clusterKernel is a kernel k(p, n) of which blocks of clusters are a part.
func clusterKernel(body string) string {
	return strings.Replace(oneKernel(body), header, clusterHeader, 1)
}

const barrierAll = "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;"

// passOn has each thread put a number into its block's memory, and take that of the next
// block in the cluster, and then put another one there. Lines are marked for mutants.
const passOn = `.shared .align 16 .b8 s[1024];
mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %cluster_ctarank; mov.u32 %r4, %cluster_nctarank;
mov.u64 %rd1, s; mad.wide.u32 %rd2, %r1, 4, %rd1; mad.lo.u32 %r5, %r2, 1000, %r1;
st.shared.u32 [%rd2], %r5;
` + barrierAll + ` // first
add.u32 %r6, %r3, 1; rem.u32 %r6, %r6, %r4;
mapa.shared::cluster.u64 %rd3, %rd2, %r6;
ld.shared::cluster.u32 %r7, [%rd3];
ld.param.u64 %rd4, [p]; mad.lo.u32 %r8, %r2, 64, %r1; mul.wide.u32 %rd5, %r8, 4; add.u64 %rd5, %rd5, %rd4;
st.global.u32 [%rd5], %r7;
` + barrierAll + ` // second
st.shared.u32 [%rd2], %r7; // again
` + barrierAll + ` // third
mapa.shared::cluster.u64 %rd6, %rd1, %r6;
st.shared::cluster.u32 [%rd3], %r8; // into the next block
ld.shared::cluster.u32 %r8, [%rd3];
` + barrierAll + ` // last
ld.shared.u32 %r7, [%rd2];`

func TestClusters(t *testing.T) {
	k := mustLoad(t, "x.ptx", clusterKernel(passOn)).Kernel("k")
	k.AllowLargeClusters(true)
	for _, size := range []int{1, 2, 3, 8, 16} {
		eachWorkers(t, func(t *testing.T, m *Memory) {
			blocks := 3 * size
			out := alloc(t, m, 4*64*blocks)
			for range 2 { // the second time on used workers
				if err := k.LaunchClusters(m, Dim{blocks, 1, 1}, Dim{64, 1, 1}, Dim{size, 1, 1}, 0, params(t, k, out, 0)); err != nil {
					t.Fatal(err)
				}
				for i, got := range get[uint32](t, m, out, 64*blocks) {
					block := i / 64
					from := block/size*size + (block%size+1)%size
					if want := uint32(1000*from + i%64); got != want {
						t.Fatalf("clusters of %d: thread %d of block %d has %d instead of %d", size, i%64, block, got, want)
					}
				}
			}
		})
	}
}

// A grid in two dimensions, and a cluster in two: where blocks are told to be.
func TestClusterRegisters(t *testing.T) {
	k := mustLoad(t, "x.ptx", clusterKernel(`.reg .b32 %s<30>;
mov.u32 %s1, %ctaid.x; mov.u32 %s2, %ctaid.y; mad.lo.u32 %s3, %s2, 6, %s1; ld.param.u64 %rd1, [p]; mad.wide.u32 %rd2, %s3, 64, %rd1;
st.global.v4.u32 [%rd2], {%cluster_ctaid.x, %cluster_ctaid.y, %cluster_ctaid.z, %cluster_ctarank};
st.global.v4.u32 [%rd2+16], {%clusterid.x, %clusterid.y, %clusterid.z, %cluster_nctarank};
st.global.v4.u32 [%rd2+32], {%cluster_nctaid.x, %cluster_nctaid.y, %cluster_nctaid.z, %nclusterid.x};
st.global.v2.u32 [%rd2+48], {%nclusterid.y, %nclusterid.z};`)).Kernel("k")
	eachWorkers(t, func(t *testing.T, m *Memory) {
		m.ReadUninitialised = true
		out := alloc(t, m, 64*24)
		if err := k.LaunchClusters(m, Dim{6, 4, 1}, one, Dim{3, 2, 1}, 0, params(t, k, out, 0)); err != nil {
			t.Fatal(err)
		}
		got := get[[16]uint32](t, m, out, 24)
		for i, g := range got {
			x, y := uint32(i%6), uint32(i/6)
			want := [16]uint32{x % 3, y % 2, 0, x%3 + 3*(y%2), x / 3, y / 2, 0, 6, 3, 2, 1, 2, 2, 1, g[14], g[15]}
			if g != want {
				t.Fatalf("block (%d,%d) has %v instead of %v", x, y, g, want)
			}
		}
	})
}

func TestClusterDefects(t *testing.T) {
	gone := "membar.cta; //"
	for _, c := range []struct {
		name     string
		old, new string // in passOn
		kind     Kind
		line     string
		detail   string
	}{
		{"no barrier before the first access to another block", barrierAll + " // first", gone, BlockAbsent, "ld.shared::cluster", "may not have begun"},
		{"no barrier between a read and a write of its owner", barrierAll + " // second", gone, SharedRace, "shared", "block (0,0,0)"},
		{"no barrier between a write and another block's", barrierAll + " // third", gone, SharedRace, "shared", "wrote with no barrier between"},
		{"no barrier before the owner reads what another wrote", barrierAll + " // last", gone, SharedRace, "shared", "wrote with no barrier between"},
		{"a block that returns while its memory is written", barrierAll + " // last\nld.shared.u32 %r7, [%rd2];", "", BlockAbsent, "shared::cluster", "return"},
		{"a barrier of the block for one of the cluster", barrierAll + " // second", "bar.sync 0;", SharedRace, "shared", "block"},
		{"only arriving", barrierAll + " // second", "barrier.cluster.arrive;\n", BarrierDiverged, "barrier.cluster.arrive", "twice"},
		{"only waiting", barrierAll + " // second", "barrier.cluster.wait;\n", BarrierDiverged, "barrier.cluster.wait", "without having arrived"},
		{"a write after arriving", barrierAll + " // third", "", SharedRace, "shared", "wrote"},
		{"an own address of another block", "ld.shared::cluster.u32 %r7", "ld.shared.u32 %r7", OutOfBounds, "ld.shared.u32", "beyond 1024 bytes"},
		{"beyond another block's memory", "ld.shared::cluster.u32 %r7, [%rd3]", "ld.shared::cluster.u32 %r7, [%rd3+1024]", OutOfBounds, "ld.shared::cluster", "beyond 1024 bytes of shared memory of block (1,0,0)"},
		{"misaligned", "ld.shared::cluster.u32 %r7, [%rd3]", "ld.shared::cluster.u32 %r7, [%rd3+2]", Misaligned, "ld.shared::cluster", "block (1,0,0)"},
		{"a block beyond the cluster", "rem.u32 %r6, %r6, %r4", "mov.u32 %r6, %r4", OutOfBounds, "mapa", "block 4 in a cluster of 4"},
		{"an address of an address", "mapa.shared::cluster.u64 %rd6, %rd1, %r6", "mapa.shared::cluster.u64 %rd6, %rd3, %r6", OutOfBounds, "mapa", "no address in the block's own"},
		{"memory that nothing has written", "mapa.shared::cluster.u64 %rd3, %rd2, %r6;", "add.u64 %rd3, %rd2, 256; mapa.shared::cluster.u64 %rd3, %rd3, %r6;", Uninitialised, "ld.shared::cluster", "block (1,0,0)"},
		{"a block that returns early", barrierAll + " // first", "setp.eq.u32 %p1, %r3, 2; @%p1 ret;\n" + barrierAll, BarrierDiverged, "barrier.cluster", "block (2,0,0) has returned"},
		{"a warp that returns early", barrierAll + " // second", "setp.ge.u32 %p1, %r1, 32; @%p1 ret;\n" + barrierAll, BarrierDiverged, "barrier.cluster", "has returned"},
		{"a lane that returns early", barrierAll + " // second", "setp.eq.u32 %p1, %r1, 40; @%p1 ret;\n" + barrierAll, BarrierDiverged, "barrier.cluster", "has returned"},
		{"a warp that goes to another barrier", barrierAll + " // second", "barrier.cluster.arrive; setp.ge.u32 %p1, %r1, 32; @%p1 bra $w;\nbar.sync 0;\n$w: barrier.cluster.wait;\n", BarrierDiverged, "bar", "that in line"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			body := replaceOnce(t, passOn, c.old, c.new)
			if c.name == "a write after arriving" { // which another block's read waits for
				body = replaceOnce(t, body, "st.shared.u32 [%rd2], %r7; // again", "barrier.cluster.arrive; st.shared.u32 [%rd2], %r7;\nbarrier.cluster.wait;")
			}
			src := clusterKernel(body)
			k := mustLoad(t, "x.ptx", src).Kernel("k")
			eachWorkers(t, func(t *testing.T, m *Memory) {
				out := alloc(t, m, 4*64*8)
				for range 2 {
					err := k.LaunchClusters(m, Dim{8, 1, 1}, Dim{64, 1, 1}, Dim{4, 1, 1}, 0, params(t, k, out, 0))
					f := wantFault(t, src, err, c.kind, c.line)
					if !strings.Contains(f.Detail, c.detail) {
						t.Fatalf("the detail lacks %q: %v", c.detail, f)
					}
				}
			})
		})
	}
}

// What may be done between arriving and waiting, and what a barrier of the cluster orders
// within a block.
func TestClusterBarrierHalves(t *testing.T) {
	const body = `.shared .align 16 .b8 s[1024]; .shared .align 16 .b8 own[1024];
mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u64 %rd1, s; mad.wide.u32 %rd2, %r1, 4, %rd1; mov.u64 %rd3, own; mad.wide.u32 %rd3, %r1, 4, %rd3;
ld.param.u64 %rd4, [p]; mad.lo.u32 %r8, %r2, 64, %r1; mul.wide.u32 %rd5, %r8, 4; add.u64 %rd5, %rd5, %rd4;
st.global.u32 [%rd5], %r8; st.shared.u32 [%rd2], %r8;
barrier.cluster.arrive;
st.shared.u32 [%rd3], %r1; ld.shared.u32 %r7, [%rd3]; // in between
barrier.cluster.wait;
xor.b32 %r3, %r1, 32; mad.wide.u32 %rd6, %r3, 4, %rd1; ld.shared.u32 %r4, [%rd6];
xor.b32 %r6, %r2, 1; mapa.shared::cluster.u64 %rd7, %rd2, %r6; ld.shared::cluster.u32 %r5, [%rd7];
` + barrierAll + `
mul.wide.u32 %rd8, %r3, 4; mul.wide.u32 %rd2, %r2, 256; add.u64 %rd8, %rd8, %rd2; add.u64 %rd8, %rd8, %rd4; ld.global.u32 %r7, [%rd8];`
	launch := func(t *testing.T, m *Memory, src string) error {
		k := mustLoad(t, "x.ptx", src).Kernel("k")
		return k.LaunchClusters(m, Dim{2, 1, 1}, Dim{64, 1, 1}, Dim{2, 1, 1}, 0, params(t, k, alloc(t, m, 512), 0))
	}
	eachWorkers(t, func(t *testing.T, m *Memory) {
		if err := launch(t, m, clusterKernel(body)); err != nil {
			t.Error(err)
		}
		// What a thread does between is not ordered for the others of its block.
		between := clusterKernel(replaceOnce(t, body, "add.u64 %rd5, %rd5, %rd4;\nst.global.u32 [%rd5], %r8; st.shared.u32 [%rd2], %r8;\nbarrier.cluster.arrive;",
			"add.u64 %rd5, %rd5, %rd4; st.shared.u32 [%rd2], %r8;\nbarrier.cluster.arrive; st.global.u32 [%rd5], %r8;"))
		if err := launch(t, m, between); err != nil { // but the second barrier orders it
			t.Error(err)
		}
		first, last, _ := strings.Cut(between, barrierAll)
		between = first + last
		wantFault(t, between, launch(t, m, between), GlobalRace, "ld.global")
		racing := clusterKernel(replaceOnce(t, body, "ld.shared.u32 %r7, [%rd3]; // in between\n", "st.shared.u32 [%rd2], %r8;\n"))
		wantFault(t, racing, launch(t, m, racing), SharedRace, "ld.shared")
	})
}

func TestClusterLaunches(t *testing.T) {
	src := clusterKernel(passOn)
	k := mustLoad(t, "x.ptx", src).Kernel("k")
	old := mustLoad(t, "old.ptx", oneKernel("")).Kernel("k")
	atomics := mustLoad(t, "x.ptx", clusterKernel(".shared .u32 s[2]; st.shared.u32 [s], 3; red.shared.add.u32 [s], 1;")).Kernel("k")
	m := NewMemory(1 << 20)
	for _, c := range []struct {
		k             *Kernel
		grid, cluster Dim
		detail        string
	}{
		{k, Dim{9, 1, 1}, Dim{9, 1, 1}, "from 1 to 8 blocks"},
		{k, Dim{4, 4, 2}, Dim{4, 2, 2}, "from 1 to 8 blocks"},
		{k, Dim{4, 1, 1}, Dim{0, 1, 1}, "from 1 to 8 blocks"},
		{k, Dim{6, 1, 1}, Dim{4, 1, 1}, "no multiple"},
		{old, Dim{4, 1, 1}, Dim{2, 1, 1}, "clusters need sm_90"},
		{atomics, Dim{4, 1, 1}, Dim{2, 1, 1}, "not supported in clusters"},
	} {
		err := c.k.LaunchClusters(m, c.grid, Dim{64, 1, 1}, c.cluster, 0, make([]byte, c.k.ParamBytes()))
		if f, ok := err.(*Fault); !ok || f.Kind != BadLaunch || !strings.Contains(f.Detail, c.detail) {
			t.Errorf("grid %v, cluster %v: %v", c.grid, c.cluster, err)
		}
	}
	if err := k.SetMaxDynamicShared(226 << 10); err != nil {
		t.Error(err)
	}
	if k.SetMaxDynamicShared(227<<10) == nil {
		t.Error("228 KiB of shared memory were allowed")
	}
	for _, c := range []struct{ src, want string }{
		{strings.Replace(src, "sm_90", "sm_80", 1), "needs sm_90"},
		{strings.Replace(src, ".version 7.8", ".version 7.7", 1), "needs sm_90 and PTX 7.8"},
		{clusterKernel("mov.u32 %r1, 0; mov.u64 %rd1, 0; mapa.u64 %rd2, %rd1, %r1;"), "unknown instruction"},
		{clusterKernel("barrier.cluster.arrive.relaxed;"), "unknown instruction"},
		{clusterKernel("barrier.cluster.arrive.release;"), "need PTX 8.0"},
		{clusterKernel("ld.param.u64 %rd1, [p]; ld.global::cluster.u32 %r1, [%rd1];"), "unknown instruction"},
		{oneKernel("mov.u32 %r1, %cluster_ctarank;"), "needs sm_90"},
	} {
		if _, err := Load("x.ptx", []byte(c.src)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
