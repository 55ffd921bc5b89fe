package ptx

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const header = ".version 6.3\n.target sm_75\n.address_size 64\n"

// oneKernel makes a module of a kernel's body. The body begins in line 6.
func oneKernel(body string) string {
	return header + ".visible .entry k(.param .u64 p, .param .u32 n)\n{ .reg .pred %p<9>; .reg .b16 %rs<9>; .reg .b32 %r<9>; .reg .f32 %f<9>; .reg .b64 %rd<9>; .reg .f64 %fd<9>;\n" + body + "\nret;\n}\n"
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "x.ptx:1: found end of file instead of \".version\""},
		{".version 5.0", "x.ptx:1: PTX version"},
		{".version 6.3\n.target sm_30", "x.ptx:2: target"},
		{".version 6.3\n.target sm_75\n.address_size 32", "x.ptx:3: address size"},
		{header + "\n.func f() {}", "x.ptx:5: .func is not supported"},
		{header + ".file 1 \"x.cu\"", "x.ptx:4: unknown directive \".file\""},
		{header + ".extern .global .u32 x;", "only .shared may be .extern"},
		{header + ".global .u32 x = y;", "an address as initialiser"},
		{header + ".global .f32 x = 1;", "bad initialiser"},
		{header + ".global .u8 x[2] = {1, 2, 3};", "more initialisers than elements"},
		{header + ".global .u8 x = 256;", "bad initialiser"},
		{header + ".global .u32 x; .global .u32 x;", "declared twice"},
		{header + ".global .align 3 .u32 x;", "not a power of two"},
		{header + ".shared .b8 x[49153];", "static shared memory, the limit is 49152"},
		{header + "/* no end", "x.ptx:4: comment without an end"},
		{header + "\"no end", "x.ptx:4: string without an end"},
		{header + "\x00", "x.ptx:4: unexpected character"},
		{header + ".entry k(.param .u64 p, .param .u64 p) { ret; }", "declared twice"},
		{header + ".entry k() .maxntid 2000 { ret; }", "not in the range"},
		{header + ".entry k() .maxntid 64, 64 { ret; }", "the limit is 1024"},
		{header + ".entry k() .noreturn { ret; }", "unknown directive"},
		{header + ".entry k() { ret; } .entry k() { ret; }", "defined twice"},
		{header + ".entry k() {", "x.ptx:4: the file ends inside of kernel k"},
		{header + ".entry k() { }", "runs past its end"},
		{header + ".entry k() { .reg .b32 %r<2>; mov.u32 %r0, 1; }", "runs past its end"},
		{oneKernel("frobnicate.u32 %r1, %r2;"), "x.ptx:6: frobnicate.u32: unknown instruction"},
		{oneKernel("\nadd.s32.wrong %r1, 1, 2;"), "x.ptx:7: add.s32.wrong: unknown instruction"},
		{oneKernel("mov.f16 %rs1, %rs2;"), "unknown instruction"},
		{oneKernel("ex2.approx.f32 %f1, 0f00000000;"), "approximate instructions are refused"},
		{oneKernel("div.full.f32 %f1, 0f00000000, 0f00000000;"), "approximate instructions are refused"},
		{oneKernel("add.rn.ftz.f32 %f1, 0f00000000, 0f00000000;"), ".ftz is refused"},
		{oneKernel("mul.f32 %f1, 0f00000000, 0f00000000;"), "compile with -ffp-contract=off"},
		{oneKernel("max.NaN.f32 %f1, 0f00000000, 0f00000000;"), "needs sm_80"},
		{oneKernel("call.uni f;"), "calls are not supported"},
		{oneKernel("atom.global.add.f32 %f1, [%rd1], 0f3f800000;"), "floating-point atomics are refused"},
		{oneKernel("ld.relaxed.global.u32 %r1, [%rd1];"), "unknown instruction"},
		{oneKernel("ld.global.v4.f64 {%fd1,%fd2,%fd3,%fd4}, [%rd1];"), "unknown instruction"},
		{oneKernel("ld.global.v2.f32 {%f1,%f2,%f3}, [%rd1];"), "a vector of 2 is wanted"},
		{oneKernel("ld.global.f32 %f1, %rd1;"), "an address is wanted"},
		{oneKernel("ld.global.f32 %f1, [%r1];"), "register %r1 has the wrong size"},
		{oneKernel("ld.global.u32 %rs1, [p];"), "register %rs1 is too small"},
		{oneKernel("ld.param.u32 %r1, [q];"), "unknown parameter q"},
		{oneKernel("ld.param.u64 %rd1, [p+4];"), "reads outside of parameter p"},
		{oneKernel("ld.param.u32 %r1, [p+2];"), "no multiple of 4"},
		{oneKernel("st.param.u32 [p], 1;"), "unknown instruction"},
		{oneKernel("bar.sync 1;"), "only barrier 0"},
		{oneKernel("bar.sync 0, 64;"), "2 operands instead of 1"},
		{oneKernel("bar.red.popc.u32 %r1, 0, %p1;"), "unknown instruction"},
		{oneKernel("bra $nowhere;"), "x.ptx:6: no instruction at label $nowhere"},
		{oneKernel("$a: $a: ret;"), "label $a is defined twice"},
		{oneKernel("add.s32 %r1, %r2;"), "2 operands instead of 3"},
		{oneKernel("add.s32 %r1, 1, 4294967296;"), "constant does not fit in 32 bits"},
		{oneKernel("add.s32 %r1, 1, -2147483649;"), "constant does not fit in 32 bits"},
		{oneKernel("add.s32 %r1, 1, 99999999999999999999;"), "bad number"},
		{oneKernel("add.rn.f32 %f1, 1, 2;"), "an integer where a floating-point number is wanted"},
		{oneKernel("mov.f32 %f1, 0f1234;"), "bad floating-point number"},
		{oneKernel("add.s32 3, %r1, %r1;"), "a register is wanted as destination"},
		{oneKernel("add.s64 %rd1, %r1, %rd2;"), "register %r1 has the wrong size"},
		{oneKernel("cvt.u64.u32 %r1, %r2;"), "register %r1 has the wrong size"},
		{oneKernel("cvt.u32.f32 %r1, %f2;"), "unknown instruction"},
		{oneKernel("mov.u32 %r1, %r9;"), "unknown register %r9"},
		{oneKernel("mov.u32 %r1, %clock;"), "unknown register %clock"},
		{oneKernel("mov.u64 %rd1, elsewhere;"), "unknown name elsewhere"},
		{oneKernel("mov.u32 %r1, %r2;"), "x.ptx:6: register %r2 is read, but no instruction writes it"},
		{oneKernel("\n.reg .b32 %r<3>;"), "x.ptx:7: register %r is declared twice"},
		{oneKernel(".reg .b128 %x;"), "unsupported register type"},
		{oneKernel(".pragma \"unroll\";"), "unknown pragma"},
		{oneKernel(".loc 1 2 3"), "unknown directive \".loc\""},
		{oneKernel(".local .b8 x[65537];"), "the limit is 65536"},
		{oneKernel(strings.Repeat("{", 20)), "nested scopes"},
		{oneKernel(".shared .b8 a[30000]; .shared .b8 b[30000];"), "static shared memory, the limit is 49152"},
	} {
		m, err := Load("x.ptx", []byte(c.src))
		if m != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.ptx:") {
			t.Errorf("%q:\n%v\ninstead of %s", c.src, err, c.want)
		}
	}
}

func TestLoadAccepts(t *testing.T) {
	for _, body := range []string{
		"",
		".pragma \"nounroll\";",
		"{ .reg .b32 %r<3>; mov.u32 %r1, 1; }",
		"mov.b64 %rd1, {1, 2}; mov.b64 {%r1, %r2}, %rd1; mov.b32 {%rs1, %rs2}, %r1; mov.b64 {_, %r3}, %rd1;",
		"mov.pred %p1, -1; @%p1 bra $x; @!%p1 exit; $x: membar.gl; fence.acq_rel.gpu;",
		"// implicit-def: %r2\nmov.u32 %r1, %r2;",
		"add.s32 %r1, 0x10, 4294967295; add.s32 %r2, 0b11, 017; mov.u32 %r3, 5U;",
		".shared .align 4 .f32 s[2][3]; mov.u64 %rd1, s; mov.u64 %rd2, s+4; ld.shared.f32 %f1, [s+8]; st.shared.f32 [%rd1+-4], %f1;",
		"shfl.sync.idx.b32 %r1|%p1, 1, 2, 31, -1; vote.sync.uni.pred %p2, %p1, -1;",
	} {
		if _, err := Load("x.ptx", []byte(oneKernel(body))); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestLayout(t *testing.T) {
	src := header + ".extern .shared .align 16 .b8 dyn[];\n" + `.entry k(.param .u8 a, .param .u64 b, .param .align 16 .b8 c[24], .param .f32 d)
.reqntid 8, 4
.minnctapersm 2
{ .reg .b64 %rd<9>; .shared .b8 x[5]; .shared .align 8 .b8 y[16]; mov.u64 %rd1, dyn; ret; }
.entry j { ret; }`
	m := mustLoad(t, "x.ptx", src)
	k := m.Kernel("k")
	if got, want := fmt.Sprint(m.Kernels()), "[k j]"; got != want {
		t.Errorf("kernels %s instead of %s", got, want)
	}
	if got, want := fmt.Sprint(k.Params(), k.ParamBytes()), "[{0 1 1} {8 8 8} {16 24 16} {40 4 4}] 44"; got != want {
		t.Errorf("parameters %s instead of %s", got, want)
	}
	if k.SharedBytes() != 24 || k.MaxThreads() != 32 || m.Kernel("x") != nil {
		t.Errorf("%d bytes of shared memory, %d threads", k.SharedBytes(), k.MaxThreads())
	}
	mem := NewMemory(1 << 20)
	launch(t, k, mem, one, Dim{8, 4, 1}, 0, uint8(1), uint64(2), [24]byte{}, float32(3))
	wantFault(t, src, k.Launch(mem, one, Dim{4, 8, 1}, 0, make([]byte, 44)), BadLaunch, ".entry k")
}

var comments = regexp.MustCompile(`//.*`)

// Small changes of good kernels must load or fail, quickly
// and without a panic.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ptx")
	if err != nil || len(files) == 0 {
		f.Fatal("no test data", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		// A kernel a seed: the fuzzer is slow with long ones.
		declarations, kernels, _ := strings.Cut(string(b), ".visible .entry ")
		for _, k := range strings.Split(kernels, ".visible .entry ") {
			if len(k) < 4000 {
				f.Add([]byte(comments.ReplaceAllString(declarations+".visible .entry "+k, "")))
			}
		}
	}
	f.Add([]byte(oneKernel(".reg .b32 %x<2147483648>; mov.u32 %x7, 1;")))
	f.Add([]byte(header + ".global .b8 x[4294967296];"))
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := Load("x.ptx", src)
		if err != nil {
			if m != nil || !strings.HasPrefix(err.Error(), "x.ptx:") {
				t.Errorf("bad error: %v", err)
			}
			return
		}
		// What loads must run, or fail, without a panic.
		mem := NewMemory(1 << 16)
		mem.MaxInstructions = 2000
		for _, name := range m.Kernels() {
			k := m.Kernel(name)
			_ = k.Launch(mem, Dim{2, 1, 1}, Dim{min(33, k.MaxThreads()), 1, 1}, 64, make([]byte, k.ParamBytes()))
		}
	})
}

// A file that declares much must not allocate much.
func TestHostileSizes(t *testing.T) {
	for _, src := range []string{
		oneKernel(".reg .b32 %x<2147483648>; mov.u32 %x7, 1;"),
		header + ".global .b8 x[4294967296];",
		oneKernel(strings.Repeat("mov.u32 %r1, 1;", 1000)),
	} {
		n := testing.AllocsPerRun(1, func() {
			if _, err := Load("x.ptx", []byte(src)); err != nil {
				t.Fatal(err)
			}
		})
		if n > 20_000 {
			t.Errorf("%v allocations", n)
		}
	}
	mem := NewMemory(1 << 20)
	k := mustLoad(t, "x.ptx", header+".global .b8 x[4294967296];\n.entry k { ret; }").Kernel("k")
	wantFault(t, header+"\n.entry k", k.Launch(mem, one, one, 0, nil), BadLaunch, ".entry k")
}

// Every PTX file of the project must load.
func TestShippedFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	n := 0
	err := filepath.WalkDir("../../kernels", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".ptx") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		m, err := Load(path, src)
		if err != nil {
			t.Error(err)
			return nil
		}
		for _, k := range m.kernels {
			if k.localBytes > 0 {
				t.Logf("%s: kernel %s uses %d bytes of local memory", path, k.name, k.localBytes)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Skip("no PTX files beside this package")
	}
}

// TestAgain has a module loaded again share nothing that launches or settings change.
func TestAgain(t *testing.T) {
	k := kernel(t, "kernels.ptx", "readLaunches")
	m := NewMemory(1 << 20)
	if err := k.SetMaxDynamicShared(60 << 10); err != nil {
		t.Fatal(err)
	}
	launch := func(k *Kernel, dynamic int) error {
		return k.Launch(m, one, Dim{32, 1, 1}, dynamic, params(t, k, alloc(t, m, 4)))
	}
	if err := launch(k, 60<<10); err != nil {
		t.Fatal(err)
	}
	again := k.module.Again()
	other := again.Kernel(k.name)
	if len(again.Kernels()) != len(k.module.Kernels()) || other.module != again {
		t.Fatal("the kernels are not those of the file, or of another module")
	}
	if s := other.Stats(); s != (Stats{}) {
		t.Errorf("the kernel counts %+v before its first launch", s)
	}
	if launch(other, 60<<10) == nil {
		t.Error("the kernel has the dynamic shared memory that another module's was allowed")
	}
	if err := launch(other, 0); err != nil {
		t.Error(err)
	}
}
