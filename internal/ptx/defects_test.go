package ptx

import (
	"errors"
	"strings"
	"testing"
)

// Every defect that the device claims to find is planted here, and must be
// found, with one goroutine and with several, at its line.

var one = Dim{1, 1, 1}

// A defect is a launch that must fail.
type defect struct {
	name   string
	kernel string
	kind   Kind
	line   string // part of the PTX line at fault
	detail string // part of the message
	grid   Dim
	block  Dim
	args   func(t *testing.T, m *Memory) []any
}

var defects = []defect{
	{"read one past the end", "copy", OutOfBounds, "ld.global.f32", "0 bytes past the end of \"x\"", Dim{4, 1, 1}, Dim{256, 1, 1},
		func(t *testing.T, m *Memory) []any {
			return []any{named(t, m, "x", 1000, true), named(t, m, "y", 1001, false), 1001}
		}},
	{"write one past the end", "copy", OutOfBounds, "st.global.f32", "0 bytes past the end of \"y\"", Dim{4, 1, 1}, Dim{256, 1, 1},
		func(t *testing.T, m *Memory) []any {
			return []any{named(t, m, "x", 1001, true), named(t, m, "y", 1000, false), 1001}
		}},
	{"read far away", "copy", OutOfBounds, "ld.global.f32", "which is in no allocation", one, one,
		func(t *testing.T, m *Memory) []any { return []any{uint64(64), named(t, m, "y", 1, false), 1} }},
	{"read before the start", "copy", OutOfBounds, "ld.global.f32", "4 bytes before the start of \"x\"", one, one,
		func(t *testing.T, m *Memory) []any {
			return []any{named(t, m, "x", 4, true) - 4, named(t, m, "y", 1, false), 1}
		}},
	{"vector over the end", "copy4", OutOfBounds, "ld.global.v4.f32", "16 bytes", one, one,
		func(t *testing.T, m *Memory) []any {
			return []any{named(t, m, "x", 7, true) + 16, named(t, m, "y", 4, false), 1}
		}},
	{"use after free", "copy", UseAfterFree, "ld.global.f32", "\"x\" (4 bytes), which was freed", one, one,
		func(t *testing.T, m *Memory) []any {
			x := named(t, m, "x", 1, true)
			if err := m.Free(x); err != nil {
				t.Fatal(err)
			}
			named(t, m, "z", 1, true)
			return []any{x, named(t, m, "y", 1, false), 1}
		}},
	{"uninitialised global memory", "copy", Uninitialised, "ld.global.f32", "byte 4 of \"x\" (8 bytes)", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any {
			x := named(t, m, "x", 2, false)
			if err := m.Write(x, make([]byte, 7)); err != nil {
				t.Fatal(err)
			}
			return []any{x, named(t, m, "y", 2, false), 2}
		}},
	{"misaligned scalar", "copy", Misaligned, "ld.global.f32", "byte 2 of \"x\"", one, one,
		func(t *testing.T, m *Memory) []any {
			return []any{named(t, m, "x", 2, true) + 2, named(t, m, "y", 1, false), 1}
		}},
	{"misaligned vector", "copy4", Misaligned, "ld.global.v4.f32", "byte 8 of \"x\"", one, one,
		func(t *testing.T, m *Memory) []any {
			return []any{named(t, m, "x", 8, true) + 8, named(t, m, "y", 4, false), 1}
		}},
	{"neighbours in a block", "shiftGlobal", GlobalRace, "st.global.f32", "thread", one, Dim{64, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 65, true)} }},
	{"neighbours across blocks", "shiftGlobal", GlobalRace, "global.f32", "byte", Dim{2, 1, 1}, one,
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 3, true)} }},
	{"all threads write one element", "sameElement", GlobalRace, "st.global.f32", "thread (0,0,0) wrote", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 1, false), 0} }},
	{"all threads write one shared element", "sameElement", SharedRace, "st.shared.f32", "thread (0,0,0) wrote", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 1, false), 1} }},
	{"all blocks write one element", "sameElementByBlock", GlobalRace, "st.global.f32", "which block (0,0,0) accesses", Dim{8, 1, 1}, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 1, false)} }},
	{"read of what another block writes", "readOtherBlock", GlobalRace, "ld.global.f32", "which block (0,0,0) accesses", Dim{8, 1, 1}, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 256, true)} }},
	{"shared memory without a barrier", "sharedNoBarrier", SharedRace, "shared.f32", "no barrier between", one, Dim{128, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 128, false), 0} }},
	{"uninitialised shared memory", "sharedUninitialised", Uninitialised, "ld.shared.f32", "at 20 of shared memory", one, Dim{64, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 64, false)} }},
	{"between two shared arrays", "sharedBeyond", OutOfBounds, "ld.shared.f32", "between two variables", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 32, false), 1} }},
	{"beyond shared memory", "sharedBeyond", OutOfBounds, "ld.shared.f32", "beyond", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 32, false), 1000} }},
	{"before shared memory", "sharedBeyond", OutOfBounds, "ld.shared.f32", "at -", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 32, false), -40} }},
	{"barrier that half a warp skips", "barrierInBranch", BarrierDiverged, "bar.sync", "thread", one, Dim{64, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 64, false), 48} }},
	{"barrier that a warp skips", "barrierInBranch", BarrierDiverged, "bar.sync", "has returned", one, Dim{64, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 64, false), 32} }},
	{"warps at two barriers", "twoBarriers", BarrierDiverged, "bar.sync", "that in line", one, Dim{64, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 64, false), 32} }},
	{"lanes at two barriers", "twoBarriers", BarrierDiverged, "bar.sync", "waits at bar.sync in line", one, Dim{64, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "y", 64, false), 16} }},
	{"endless loop", "endless", Budget, "bra", "1000 instructions", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any {
			m.MaxInstructions = 1000
			return []any{put(t, m, []int32{0})}
		}},
	{"division by zero", "divideBy", DivideByZero, "div.s32", "by zero", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 32, true), 5} }},
	{"shuffle in half a warp", "halfShuffle", BadShuffle, "shfl.sync.bfly", "does not take part", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any { return []any{named(t, m, "x", 32, true)} }},
	{"in place through a restrict pointer", "writeConst", GlobalRace, "st.global.f32", "ld.global.nc", one, Dim{32, 1, 1},
		func(t *testing.T, m *Memory) []any {
			x := named(t, m, "x", 32, true)
			return []any{x, x}
		}},
}

// named allocates n floats.
func named(t *testing.T, m *Memory, label string, n int, written bool) uint64 {
	t.Helper()
	p, err := m.Alloc(int64(4*n), label)
	if err == nil && written {
		err = m.Write(p, make([]byte, 4*n))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDefects(t *testing.T) {
	src := readFile(t, "defects.ptx")
	mod := mustLoad(t, "defects.ptx", src)
	for _, d := range defects {
		t.Run(strings.ReplaceAll(d.name, " ", "_"), func(t *testing.T) {
			eachWorkers(t, func(t *testing.T, m *Memory) {
				k := mod.Kernel(d.kernel)
				args := d.args(t, m)
				for range 3 { // the second and third time on used workers and shadow memory
					err := k.Launch(m, d.grid, d.block, 0, params(t, k, args...))
					f := wantFault(t, src, err, d.kind, d.line)
					if !strings.Contains(f.Detail, d.detail) {
						t.Fatalf("the detail lacks %q: %v", d.detail, f)
					}
				}
			})
		})
	}
}

// What the defective kernels do right must not be reported.
func TestNoFalseAlarms(t *testing.T) {
	mod := mustLoad(t, "defects.ptx", readFile(t, "defects.ptx"))
	eachWorkers(t, func(t *testing.T, m *Memory) {
		x, y := named(t, m, "x", 1000, true), named(t, m, "y", 1000, false)
		launch(t, mod.Kernel("copy"), m, Dim{4, 1, 1}, Dim{256, 1, 1}, 0, x, y, 1000)
		launch(t, mod.Kernel("copy"), m, Dim{4, 1, 1}, Dim{256, 1, 1}, 0, y, x, 1000)
		launch(t, mod.Kernel("copy"), m, Dim{4, 1, 1}, Dim{256, 1, 1}, 0, x, x, 1000)
		launch(t, mod.Kernel("sharedNoBarrier"), m, one, Dim{128, 1, 1}, 0, y, 1)
		launch(t, mod.Kernel("sharedBeyond"), m, one, Dim{32, 1, 1}, 0, y, 0)
		launch(t, mod.Kernel("barrierInBranch"), m, one, Dim{64, 1, 1}, 0, y, 64)
		launch(t, mod.Kernel("twoBarriers"), m, one, Dim{32, 1, 1}, 0, y, 32)
		launch(t, mod.Kernel("sameElement"), m, one, one, 0, x, 1)
		launch(t, mod.Kernel("shiftGlobalWithin"), m, one, Dim{256, 1, 1}, 0, x)
		launch(t, mod.Kernel("divideBy"), m, one, Dim{32, 1, 1}, 0, x, 100)
		launch(t, mod.Kernel("writeConst"), m, one, Dim{32, 1, 1}, 0, x, y)
	})
}

// Without one of its barriers, a kernel that uses shared memory has a race.
func TestEachBarrierIsNeeded(t *testing.T) {
	for _, file := range []string{"sgemm.ptx", "kernels.ptx"} {
		src := readFile(t, file)
		name := strings.TrimSuffix(file, ".ptx")
		begin := 0
		if file == "kernels.ptx" {
			name = "columnStats"
			begin = strings.Index(src, ".entry columnStats")
		}
		end := begin + strings.Index(src[begin:], "// -- End function")
		n := 0
		for at := begin; ; n++ {
			i := strings.Index(src[at:end], "bar.sync")
			if i < 0 {
				break
			}
			at += i + 1
			mutant := src[:at-1] + "membar.cta; //" + src[at:]
			k := mustLoad(t, file, mutant).Kernel(name)
			m := NewMemory(1 << 24)
			var err error
			if name == "sgemm" {
				err = k.Launch(m, Dim{2, 2, 1}, Dim{256, 1, 1}, 0, params(t, k,
					put(t, m, normals(1, 60*80)), put(t, m, normals(2, 80*60)), put(t, m, normals(3, 60)), alloc(t, m, 4*3600), 60, 60, 80))
			} else {
				err = k.Launch(m, Dim{3, 1, 1}, Dim{128, 1, 1}, 0, params(t, k,
					put(t, m, normals(1, 180)), alloc(t, m, 12), alloc(t, m, 12), 60, 3))
			}
			kind := SharedRace // or what one warp should have written before another reads
			if f := new(Fault); errors.As(err, &f) && f.Kind == Uninitialised {
				kind = Uninitialised
			}
			wantFault(t, mutant, err, kind, "shared")
		}
		if n < 2 {
			t.Errorf("%s: %d barriers", file, n)
		}
	}
}

// After a fault on several goroutines the memory is what one goroutine leaves.
func TestFaultsAreDeterministic(t *testing.T) {
	k := kernel(t, "defects.ptx", "copy")
	const n = 100_000
	run := func(workers int) (string, []float32) {
		m := NewMemory(1 << 24)
		m.Workers = workers
		m.ReadUninitialised = true
		x, y := named(t, m, "x", n-70_000, true), named(t, m, "y", n, false)
		err := k.Launch(m, Dim{(n + 127) / 128, 1, 1}, Dim{128, 1, 1}, 0, params(t, k, x, y, n))
		var f *Fault
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		return f.Error(), get[float32](t, m, y, n)
	}
	want, wantData := run(1)
	for range 5 {
		got, data := run(4)
		if got != want {
			t.Errorf("%s\ninstead of\n%s", got, want)
		}
		wantBits(t, data, wantData)
	}
}

func TestBadLaunches(t *testing.T) {
	src := readFile(t, "kernels.ptx")
	mod := mustLoad(t, "kernels.ptx", src)
	k, unbound := mod.Kernel("reverseRows"), mod.Kernel("tableScale")
	m := NewMemory(1 << 20)
	p := make([]byte, k.ParamBytes())
	for _, c := range []struct {
		name        string
		k           *Kernel
		grid, block Dim
		shared      int
		params      []byte
		detail      string
	}{
		{"maxntid", k, one, Dim{65, 1, 1}, 0, p, "allows 64"},
		{"1024 threads", unbound, one, Dim{1025, 1, 1}, 0, p, "allows 1024"},
		{"1024 threads in three dimensions", unbound, one, Dim{32, 32, 2}, 0, p, "allows 1024"},
		{"depth of a block", unbound, one, Dim{1, 1, 65}, 0, p, "allows 1024"},
		{"empty grid", k, Dim{0, 1, 1}, one, 0, p, "at least 1"},
		{"huge grid", k, Dim{1 << 30, 1, 1}, one, 0, p, "allows"},
		{"negative block", k, one, Dim{1, -1, 1}, 0, p, "at least 1"},
		{"shared memory", k, one, one, 48<<10 + 1, p, "the limit is 49152"},
		{"negative shared memory", k, one, one, -1, p, "the limit"},
		{"few parameters", k, one, one, 0, p[1:], "19 bytes of parameters instead of 20"},
		{"many parameters", k, one, one, 0, append(p, 0), "21 bytes of parameters instead of 20"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			f := wantFault(t, src, c.k.Launch(m, c.grid, c.block, c.shared, c.params), BadLaunch, ".entry "+c.k.Name())
			if !strings.Contains(f.Detail, c.detail) {
				t.Errorf("the detail lacks %q", c.detail)
			}
		})
	}
	if err := k.SetMaxDynamicShared(60 << 10); err != nil {
		t.Fatal(err)
	}
	launch(t, k, m, one, one, 60<<10, put(t, m, make([]float32, 4)), alloc(t, m, 16), 1)
	if k.SetMaxDynamicShared(65<<10) == nil {
		t.Error("65 KiB of shared memory were allowed")
	}
}
