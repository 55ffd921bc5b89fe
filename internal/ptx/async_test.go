package ptx

import (
	"strings"
	"testing"
)

// asyncKernel is a kernel k(p, n) for devices with cp.async.
func asyncKernel(body string) string {
	return strings.Replace(oneKernel(body), header, ".version 7.0\n.target sm_80\n.address_size 64\n", 1)
}

// pipeline copies three rows of 64 words, of which each thread's word comes by a copy of the
// row of another warp's, and writes their sums behind them. Lines are marked for mutants.
const pipeline = `.shared .align 16 .b8 s[768];
mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [p]; mov.u64 %rd2, s;
mul.wide.u32 %rd3, %r1, 4; add.u64 %rd4, %rd1, %rd3; add.u64 %rd5, %rd2, %rd3;
xor.b32 %r2, %r1, 32; mul.wide.u32 %rd6, %r2, 4; add.u64 %rd6, %rd2, %rd6;
cp.async.ca.shared.global [%rd5], [%rd4], 4;
cp.async.commit_group; // first
cp.async.ca.shared.global [%rd5+256], [%rd4+256], 4;
cp.async.commit_group; // second
cp.async.ca.shared.global [%rd5+512], [%rd4+512], 4;
cp.async.commit_group; // third
cp.async.wait_group 2;
bar.sync 0; // one
ld.shared.u32 %r3, [%rd6];
cp.async.wait_group 1;
bar.sync 0; // two
ld.shared.u32 %r4, [%rd6+256]; add.u32 %r3, %r3, %r4;
cp.async.wait_group 0;
bar.sync 0; // three
ld.shared.u32 %r4, [%rd6+512]; add.u32 %r3, %r3, %r4;
st.global.u32 [%rd4+768], %r3;`

func TestAsyncCopies(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"", ""},
		{"cp.async.wait_group 2;", "cp.async.wait_all;"},
		{"cp.async.commit_group; // third", "cp.async.wait_all;"},                            // closes a group as well
		{"cp.async.commit_group; // second", "cp.async.commit_group;cp.async.commit_group;"}, // a group of nothing: waits for more
		{"cp.async.ca.shared.global [%rd5], [%rd4], 4;", "setp.lt.u32 %p1, %r1, 40;\n@%p1 cp.async.ca.shared.global [%rd5], [%rd4], 4;\n@!%p1 cp.async.ca.shared.global [%rd5], [%rd4], 4;"},
	} {
		k := mustLoad(t, "x.ptx", asyncKernel(strings.Replace(pipeline, c.old, c.new, 1))).Kernel("k")
		eachWorkers(t, func(t *testing.T, m *Memory) {
			in := make([]uint32, 256)
			for i := range 192 {
				in[i] = uint32(i * i)
			}
			p := put(t, m, in)
			for range 2 { // the second time on used workers
				launch(t, k, m, one, Dim{64, 1, 1}, 0, p, 0)
				for i, got := range get[uint32](t, m, p, 256)[192:] {
					if j := i ^ 32; got != in[j]+in[64+j]+in[128+j] {
						t.Fatalf("thread %d has %d instead of %d", i, got, in[j]+in[64+j]+in[128+j])
					}
				}
			}
		})
	}
}

// Copies of 16 and of 8 bytes, and what they cost the banks.
func TestAsyncCopiesOfVectors(t *testing.T) {
	for op, bytes := range map[string]int{"cg.shared.global [%rd4], [%rd3], 16": 16, "ca.shared.global [%rd4], [%rd3], 8": 8} {
		k := mustLoad(t, "x.ptx", asyncKernel(`.shared .align 16 .b8 s[512];
mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [p]; ld.param.u32 %r2, [n]; mul.lo.u32 %r2, %r1, %r2; cvt.u64.u32 %rd2, %r2;
add.u64 %rd3, %rd1, %rd2; mov.u64 %rd4, s; add.u64 %rd4, %rd4, %rd2;
cp.async.`+op+`; cp.async.wait_all; bar.sync 0;
ld.shared.v2.u32 {%r3, %r4}, [%rd4]; st.global.v2.u32 [%rd3+512], {%r3, %r4};`)).Kernel("k")
		m := NewMemory(1 << 20)
		m.CountShared = true
		in := make([]uint32, 256)
		for i := range in {
			in[i] = uint32(i) + 1
		}
		p := put(t, m, in)
		launch(t, k, m, one, Dim{32, 1, 1}, 0, p, bytes)
		for i, got := range get[uint32](t, m, p, 256)[128:] {
			if at := i * 4 % bytes; at < 8 && i*4 < 32*bytes && got != in[i] {
				t.Errorf("%s: word %d is %d instead of %d", op, i, got, in[i])
			}
		}
		if a := k.SharedAccesses()[0]; !strings.HasPrefix(a.Op, "cp.async") || a.Requests != 1 || a.Wavefronts != int64(bytes/4) {
			t.Errorf("%s: %+v", op, a)
		}
	}
}

func TestAsyncDefects(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string // in pipeline
		kind     Kind
		line     string
		detail   string
	}{
		{"a read before the wait", "cp.async.wait_group 1;", "", CopyPending, "ld.shared.u32 %r4, [%rd6+256]", "has not waited for"},
		{"a wait for too few groups", "cp.async.wait_group 0;", "cp.async.wait_group 1;", CopyPending, "ld.shared.u32 %r4, [%rd6+512]", "has not waited for"},
		{"a group that is not closed", "cp.async.commit_group; // third", "", CopyPending, "ld.shared.u32 %r3, [%rd6]", "has not waited for"},
		{"an own read before the wait", "cp.async.wait_group 2;", "ld.shared.u32 %r4, [%rd5];\ncp.async.wait_group 2;", CopyPending, "ld.shared.u32 %r4, [%rd5]", "thread (0,0,0)"},
		{"a wait of half the threads", "cp.async.wait_group 1;", "setp.lt.u32 %p1, %r1, 32; @%p1 cp.async.wait_group 1;", CopyPending, "ld.shared", "thread (32,0,0)"},
		{"no barrier behind the wait", "bar.sync 0; // two", "", CopyPending, "ld.shared", "thread (32,0,0)"},
		{"the barrier before the wait", "cp.async.wait_group 0;\nbar.sync 0; // three", "bar.sync 0;\ncp.async.wait_group 0; xor.b32 %r2, %r1, 1; mul.wide.u32 %rd6, %r2, 4; add.u64 %rd6, %rd2, %rd6;", SharedRace, "ld.shared", "wrote with no barrier between"},
		{"a write to what a copy writes", "cp.async.wait_group 2;", "st.shared.u32 [%rd5+512], %r1;\ncp.async.wait_group 2;", CopyPending, "st.shared", "at 512 of shared memory"},
		{"two copies to one place", "[%rd5+512], [%rd4+512], 4;", "[%rd5+256], [%rd4+512], 4;", CopyPending, "[%rd5+256], [%rd4+512]", "at 256 of shared memory"},
		{"a copy over what others may still read", "cp.async.wait_group 1;", "xor.b32 %r4, %r1, 33; mul.wide.u32 %rd7, %r4, 4; add.u64 %rd7, %rd2, %rd7;\ncp.async.ca.shared.global [%rd7], [%rd4], 4; // over\ncp.async.wait_group 1;", SharedRace, "// over", "read with no barrier between"},
		{"a source that changes", "cp.async.wait_group 0;", "st.global.u32 [%rd4+512], 123;\ncp.async.wait_group 0;", GlobalRace, "[%rd5+512], [%rd4+512]", "byte 512"},
		{"a source that nothing has written", "[%rd5+512], [%rd4+512], 4;", "[%rd5+512], [%rd4+768], 4;", Uninitialised, "cp.async", "never written"},
		{"a source beyond its allocation", "[%rd5+512], [%rd4+512], 4;", "[%rd5+512], [%rd4+1024], 4;", OutOfBounds, "cp.async", "past the end"},
		{"a destination beyond shared memory", "[%rd5+512], [%rd4+512], 4;", "[%rd5+1280], [%rd4+512], 4;", OutOfBounds, "cp.async", "of shared memory"},
		{"a misaligned destination", "[%rd5+512], [%rd4+512], 4;", "[%rd5+508], [%rd1], 16;", Misaligned, "cp.async", "in shared memory"},
		{"a misaligned source", "[%rd5+512], [%rd4+512], 4;", "[%rd5+512], [%rd4+508], 16;", Misaligned, "cp.async", "of 16 bytes"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			src := asyncKernel(replaceOnce(t, pipeline, c.old, c.new))
			k := mustLoad(t, "x.ptx", src).Kernel("k")
			eachWorkers(t, func(t *testing.T, m *Memory) {
				for range 2 {
					p := alloc(t, m, 1024)
					if err := m.Write(p, make([]byte, 768)); err != nil {
						t.Fatal(err)
					}
					f := wantFault(t, src, k.Launch(m, one, Dim{64, 1, 1}, 0, params(t, k, p, 0)), c.kind, c.line)
					if !strings.Contains(f.Detail, c.detail) {
						t.Fatalf("the detail lacks %q: %v", c.detail, f)
					}
				}
			})
		})
	}
}

func TestAsyncLoads(t *testing.T) {
	const setUp = ".shared .align 16 .b8 s[16]; ld.param.u64 %rd1, [p]; mov.u64 %rd2, s;\n"
	for _, c := range []struct{ src, want string }{
		{strings.Replace(asyncKernel(pipeline), "sm_80", "sm_75", 1), "needs sm_80"},
		{strings.Replace(asyncKernel(pipeline), "7.0", "6.5", 1), "needs sm_80 and PTX 7.0"},
		{asyncKernel(setUp + "cp.async.cg.shared.global [%rd2], [%rd1], 4;"), "with .cg 16"},
		{asyncKernel(setUp + "cp.async.ca.shared.global [%rd2], [%rd1], 2;"), "copies 4, 8 or 16 bytes"},
		{asyncKernel(setUp + "cp.async.ca.shared.global [%rd2], [%rd1], 16, 8;"), "operands"},
		{asyncKernel("cp.async.wait_group -1;"), "a number of groups"},
		{asyncKernel("cp.async.bulk.commit_group;"), "unknown instruction"},
		{asyncKernel("griddepcontrol.wait;"), "needs sm_90"},
		{clusterKernel("griddepcontrol.stop;"), "unknown instruction"},
	} {
		if _, err := Load("x.ptx", []byte(c.src)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	k := mustLoad(t, "x.ptx", clusterKernel(pipeline)).Kernel("k")
	err := k.LaunchClusters(NewMemory(1<<20), Dim{2, 1, 1}, Dim{64, 1, 1}, Dim{2, 1, 1}, 0, make([]byte, k.ParamBytes()))
	if f, ok := err.(*Fault); !ok || f.Kind != BadLaunch || !strings.Contains(f.Detail, "not supported in clusters") {
		t.Error(err)
	}
}

// A dependent launch may do nothing with global memory before it waits, and must wait.
func TestDependentLaunches(t *testing.T) {
	const body = `ld.param.u64 %rd1, [p]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; add.u64 %rd2, %rd1, %rd2;
.shared .u32 s[64]; mov.u64 %rd3, s; mul.wide.u32 %rd4, %r1, 4; add.u64 %rd3, %rd3, %rd4; st.shared.u32 [%rd3], %r1;
griddepcontrol.launch_dependents;
griddepcontrol.wait;
ld.global.u32 %r2, [%rd2]; add.u32 %r2, %r2, 1; st.global.u32 [%rd2], %r2;`
	for _, c := range []struct{ name, old, new, line, detail string }{
		{"right", "", "", "", ""},
		{"a load before the wait", "griddepcontrol.launch_dependents;", "ld.global.u32 %r3, [%rd2];", "ld.global.u32 %r3", "before griddepcontrol.wait"},
		{"a store before the wait", "griddepcontrol.launch_dependents;", "st.global.u32 [%rd2], %r1;", "st.global.u32 [%rd2], %r1", "before griddepcontrol.wait"},
		{"a generic load before the wait", "griddepcontrol.launch_dependents;", "ld.u32 %r3, [%rd2];", "ld.u32", "before griddepcontrol.wait"},
		{"a copy before the wait", "griddepcontrol.launch_dependents;", "cp.async.ca.shared.global [%rd3], [%rd2], 4;", "cp.async", "before griddepcontrol.wait"},
		{"no wait", "griddepcontrol.wait;", "", "ld.global", "before griddepcontrol.wait"},
		{"a wait of some threads", "griddepcontrol.wait;", "setp.lt.u32 %p1, %r1, 40;\n@%p1 griddepcontrol.wait;", "ld.global", "before griddepcontrol.wait"},
		{"a return before the wait", "griddepcontrol.wait;", "setp.eq.u32 %p1, %r1, 40;\n@%p1 ret; // early\ngriddepcontrol.wait;", "// early", "ret before griddepcontrol.wait"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			src := clusterKernel(strings.Replace(body, c.old, c.new, 1))
			k := mustLoad(t, "x.ptx", src).Kernel("k")
			eachWorkers(t, func(t *testing.T, m *Memory) {
				p := put(t, m, make([]uint32, 64))
				for range 2 {
					err := k.LaunchDependent(m, one, Dim{64, 1, 1}, 0, params(t, k, p, 0))
					if c.line != "" {
						if f := wantFault(t, src, err, NotWaited, c.line); !strings.Contains(f.Detail, c.detail) {
							t.Fatalf("the detail lacks %q: %v", c.detail, f)
						}
					} else if err != nil {
						t.Fatal(err)
					}
					launch(t, k, m, one, Dim{64, 1, 1}, 0, p, 0) // by itself it may do all that
				}
			})
		})
	}
}
