package ptx

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
	"testing"
)

// eachWorkers runs a test with one goroutine and with several.
func eachWorkers(t *testing.T, test func(t *testing.T, m *Memory)) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("workers=%d", n), func(t *testing.T) {
			m := NewMemory(1 << 28)
			m.Workers = n
			test(t, m)
		})
	}
}

func TestSGEMM(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	k := kernel(t, "sgemm.ptx", "sgemm")
	eachWorkers(t, func(t *testing.T, m *Memory) {
		for _, s := range [][3]int{{60, 100, 97}, {1, 1, 1}, {33, 31, 16}, {32, 64, 40}} {
			M, N, K := s[0], s[1], s[2]
			a, b, bias := normals(1, M*K), normals(2, K*N), normals(3, N)
			out := alloc(t, m, 4*M*N)
			launch(t, k, m, Dim{(N + 31) / 32, (M + 31) / 32, 1}, Dim{256, 1, 1}, 0,
				put(t, m, a), put(t, m, b), put(t, m, bias), out, M, N, K)
			want := make([]float32, M*N)
			for i := range M {
				for j := range N {
					var acc float32
					for q := range K {
						acc = exactFMA32(a[i*K+q], b[q*N+j], acc)
					}
					want[i*N+j] = acc + bias[j]
				}
			}
			wantBits(t, get[float32](t, m, out, M*N), want)
		}
	})
}

func TestModuleVariables(t *testing.T) {
	mod := mustLoad(t, "kernels.ptx", readFile(t, "kernels.ptx"))
	eachWorkers(t, func(t *testing.T, m *Memory) {
		const n = 1000
		x := normals(1, n)
		y, count := alloc(t, m, 4*n), alloc(t, m, 4)
		for range 3 {
			launch(t, mod.Kernel("tableScale"), m, Dim{4, 1, 1}, Dim{256, 1, 1}, 0, put(t, m, x), y, float32(0.5), n)
		}
		launch(t, mod.Kernel("readLaunches"), m, Dim{1, 1, 1}, Dim{32, 1, 1}, 0, count)
		if got := get[int32](t, m, count, 1)[0]; got != 8 {
			t.Errorf("the variable is %d instead of 8", got)
		}
		want := make([]float32, n)
		for i := range want {
			want[i] = exactFMA32(x[i], float32(int(1)<<(i&7)), 0.5)
		}
		wantBits(t, get[float32](t, m, y, n), want)
		if live := m.Live(); len(live) != 5 {
			t.Errorf("variables of the module are listed as allocations: %v", live)
		}
		p, size, err := m.Variable(mod, "launches")
		if err != nil || size != 4 || get[int32](t, m, p, 1)[0] != 8 {
			t.Errorf("variable at %#x, %d bytes: %v", p, size, err)
		}
		if m.Free(p) == nil {
			t.Error("a variable was freed")
		}
		if _, _, err := m.Variable(mod, "other"); err == nil {
			t.Error("a variable that does not exist was found")
		}
		m.Unload(mod)
		if m.Read(p, make([]byte, 4)) == nil {
			t.Error("a variable outlived its module")
		}
		if p, _, err := m.Variable(mod, "launches"); err != nil || get[int32](t, m, p, 1)[0] != 5 {
			t.Errorf("a module loaded again keeps its state: %v", err)
		}
	})
}

func TestColumnStats(t *testing.T) {
	k := kernel(t, "kernels.ptx", "columnStats")
	if k.SharedBytes() != 20 || k.MaxThreads() != 128 || k.LocalBytes() != 0 {
		t.Errorf("%d bytes of shared, %d of local memory, %d threads", k.SharedBytes(), k.LocalBytes(), k.MaxThreads())
	}
	eachWorkers(t, func(t *testing.T, m *Memory) {
		const rows, cols = 60, 7
		x := normals(1, rows*cols)
		mean, variance := alloc(t, m, 4*cols), alloc(t, m, 4*cols)
		launch(t, k, m, Dim{cols, 1, 1}, Dim{128, 1, 1}, 0, put(t, m, x), mean, variance, rows, cols)
		gotMean, gotVar := get[float32](t, m, mean, cols), get[float32](t, m, variance, cols)
		for c := range cols {
			var s, q float64
			for r := range rows {
				s += float64(x[r*cols+c])
			}
			s /= rows
			for r := range rows {
				d := float64(x[r*cols+c]) - s
				q += d * d
			}
			if math.Abs(float64(gotMean[c])-s) > 1e-6 || math.Abs(float64(gotVar[c])-q/rows) > 1e-6 {
				t.Errorf("column %d: %v, %v instead of %v, %v", c, gotMean[c], gotVar[c], s, q/rows)
			}
		}
	})
}

func TestReverseRows(t *testing.T) {
	k := kernel(t, "kernels.ptx", "reverseRows")
	eachWorkers(t, func(t *testing.T, m *Memory) {
		const rows, n4 = 5, 100
		x := normals(1, rows*n4*4)
		y := alloc(t, m, len(x)*4)
		launch(t, k, m, Dim{rows, 1, 1}, Dim{64, 1, 1}, n4*16, put(t, m, x), y, n4)
		for r := range rows {
			slices.Reverse(x[r*n4*4 : (r+1)*n4*4])
		}
		wantBits(t, get[float32](t, m, y, len(x)), x)
	})
}

func TestBytesAndVotes(t *testing.T) {
	k := kernel(t, "kernels.ptx", "positive")
	eachWorkers(t, func(t *testing.T, m *Memory) {
		const n = 1000
		x := normals(1, n)
		mask, count := alloc(t, m, n), put(t, m, []int32{100})
		launch(t, k, m, Dim{8, 1, 1}, Dim{128, 1, 1}, 0, put(t, m, x), mask, count, n)
		want := int32(100)
		for i, got := range get[uint8](t, m, mask, n) {
			if (got == 1) != (x[i] > 0) || got > 1 {
				t.Fatalf("byte %d is %d for %v", i, got, x[i])
			}
			want += int32(got)
		}
		if got := get[int32](t, m, count, 1)[0]; got != want {
			t.Errorf("counted %d instead of %d", got, want)
		}
	})
}

func TestGather(t *testing.T) {
	k := kernel(t, "kernels.ptx", "gather")
	eachWorkers(t, func(t *testing.T, m *Memory) {
		const pixels, images, batch = 49, 20, 6
		data := make([]uint8, pixels*images)
		for i := range data {
			data[i] = uint8(i * 7)
		}
		index := []int32{3, 19, 0, 3, 7, 11}
		out := alloc(t, m, 4*pixels*batch)
		launch(t, k, m, Dim{batch, 1, 1}, Dim{64, 1, 1}, 0, put(t, m, data), put(t, m, index), out, pixels)
		want := make([]float32, pixels*batch)
		for i := range want {
			want[i] = float32(data[int(index[i/pixels])*pixels+i%pixels]) / 255
		}
		wantBits(t, get[float32](t, m, out, len(want)), want)
	})
}

func TestDivergentLoops(t *testing.T) {
	k := kernel(t, "kernels.ptx", "collatz")
	eachWorkers(t, func(t *testing.T, m *Memory) {
		const n = 256
		out, next := alloc(t, m, 4*n), alloc(t, m, 4*n)
		launch(t, k, m, Dim{2, 1, 1}, Dim{128, 1, 1}, 0, out, next, n)
		steps := func(v uint32) (s int32) {
			for ; v != 1; s++ {
				if v&1 != 0 {
					v = 3*v + 1
				} else {
					v >>= 1
				}
			}
			return s
		}
		gotNext := get[int32](t, m, next, n)
		for i, got := range get[int32](t, m, out, n) {
			want := steps(uint32(i + 1))
			wantNext := want
			if i%32 != 31 {
				wantNext = steps(uint32(i + 2))
			}
			if got != want || gotNext[i] != wantNext {
				t.Fatalf("%d: %d and %d instead of %d and %d", i, got, gotNext[i], want, wantNext)
			}
		}
	})
}

func TestScan(t *testing.T) {
	k := kernel(t, "kernels.ptx", "scan")
	m := NewMemory(1 << 20)
	x := make([]float32, 32)
	want := make([]float32, 32)
	for i := range x {
		x[i] = float32(i + 1)
		want[i] = float32((i+1)*(i+2)/2) + 528
	}
	y := alloc(t, m, 128)
	launch(t, k, m, Dim{1, 1, 1}, Dim{32, 1, 1}, 0, put(t, m, x), y)
	wantBits(t, get[float32](t, m, y, 32), want)
}

func TestLocalMemory(t *testing.T) {
	k := kernel(t, "kernels.ptx", "histogram")
	if k.LocalBytes() != 64 {
		t.Errorf("%d bytes of local memory", k.LocalBytes())
	}
	m := NewMemory(1 << 20)
	const threads, n = 40, 25
	x := make([]uint8, threads*n)
	for i := range x {
		x[i] = uint8(i * i)
	}
	out, hash := alloc(t, m, threads*64), alloc(t, m, threads*8)
	launch(t, k, m, Dim{1, 1, 1}, Dim{threads, 1, 1}, 0, put(t, m, x), out, hash, n)
	got, gotHash := get[int32](t, m, out, threads*16), get[uint64](t, m, hash, threads)
	for i := range threads {
		var bins [16]int32
		h := uint64(1)
		for _, v := range x[i*n : (i+1)*n] {
			bins[v&15]++
			h = bits.RotateLeft64(h, 7) ^ uint64(v)
		}
		if !slices.Equal(got[i*16:(i+1)*16], bins[:]) || gotHash[i] != h {
			t.Fatalf("thread %d: %v, %x instead of %v, %x", i, got[i*16:(i+1)*16], gotHash[i], bins, h)
		}
	}
}

func TestGenericAddresses(t *testing.T) {
	k := kernel(t, "kernels.ptx", "eitherSpace")
	for _, shared := range []int{0, 1} {
		m := NewMemory(1 << 20)
		y := alloc(t, m, 128)
		launch(t, k, m, Dim{1, 1, 1}, Dim{32, 1, 1}, 0, alloc(t, m, 128), shared, y)
		for i, v := range get[float32](t, m, y, 32) {
			if v != float32(2*(31-i)) {
				t.Fatalf("shared=%d, element %d is %v", shared, i, v)
			}
		}
	}
}

func TestStructParameter(t *testing.T) {
	k := kernel(t, "kernels.ptx", "pairs")
	m := NewMemory(1 << 20)
	y := alloc(t, m, 80)
	launch(t, k, m, Dim{1, 1, 1}, Dim{10, 1, 1}, 0, struct {
		A float32
		B int32
		C float64
	}{1.5, -3, 0.25}, y)
	for i, v := range get[float64](t, m, y, 10) {
		if v != 1.5-0.75+float64(i) {
			t.Fatalf("element %d is %v", i, v)
		}
	}
}

// The bits of all memory after a launch must not depend on the goroutines.
func TestDeterminism(t *testing.T) {
	k := kernel(t, "sgemm.ptx", "sgemm")
	run := func(workers int) []float32 {
		m := NewMemory(1 << 24)
		m.Workers = workers
		const M, N, K = 70, 90, 50
		out := alloc(t, m, 4*M*N)
		launch(t, k, m, Dim{3, 3, 1}, Dim{256, 1, 1}, 0,
			put(t, m, normals(1, M*K)), put(t, m, normals(2, K*N)), put(t, m, normals(3, N)), out, M, N, K)
		return get[float32](t, m, out, M*N)
	}
	want := run(1)
	for _, n := range []int{1, 2, 4, 9} {
		wantBits(t, run(n), want)
	}
}

// What a register holds before a kernel writes to it does not depend on other
// blocks.
func TestUndefinedRegisters(t *testing.T) {
	src := oneKernel(`mov.u32 %r1, %ctaid.x; setp.ne.u32 %p1, %r1, 1;
// implicit-def: %r2
@%p1 bra $skip;
mov.u32 %r2, 77;
$skip: @!%p1 mov.u32 %r3, 5;
add.s32 %r4, %r2, %r3;
ld.param.u64 %rd1, [p]; mad.wide.u32 %rd2, %r1, 4, %rd1; st.global.u32 [%rd2], %r4;`)
	k := mustLoad(t, "x.ptx", src).Kernel("k")
	if len(k.undefined) != 2 {
		t.Errorf("possibly undefined: %v", k.undefined)
	}
	m := NewMemory(1 << 20)
	p := alloc(t, m, 16)
	for range 2 {
		launch(t, k, m, Dim{4, 1, 1}, one, 0, p, 0)
		if got := get[uint32](t, m, p, 4); !slices.Equal(got, []uint32{0, 82, 0, 0}) {
			t.Fatal(got)
		}
	}
	for _, file := range []string{"sgemm.ptx", "kernels.ptx", "defects.ptx"} {
		for _, k := range mustLoad(t, file, readFile(t, file)).kernels {
			if len(k.undefined) > 0 {
				t.Errorf("%s, %s: %v", file, k.name, k.undefined)
			}
		}
	}
}

// A module may be used by several goroutines with memories of their own.
func TestConcurrentLaunches(t *testing.T) {
	k := kernel(t, "kernels.ptx", "tableScale")
	var wg sync.WaitGroup
	for range 4 {
		m := NewMemory(1 << 20)
		m.Workers = 2
		const n = 500
		p := params(t, k, put(t, m, normals(1, n)), alloc(t, m, 4*n), float32(1), n)
		wg.Go(func() {
			for range 20 {
				if err := k.Launch(m, Dim{2, 1, 1}, Dim{256, 1, 1}, 0, p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A launch allocates a little, the interpretation nothing.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run blocks at once")
	}
	k := kernel(t, "sgemm.ptx", "sgemm")
	for _, workers := range []int{1, 2} {
		m := NewMemory(1 << 20)
		m.Workers = workers
		const M, N, K = 64, 64, 64
		p := params(t, k, put(t, m, normals(1, M*K)), put(t, m, normals(2, K*N)), put(t, m, normals(3, N)), alloc(t, m, 4*M*N), M, N, K)
		n := testing.AllocsPerRun(5, func() {
			if err := k.Launch(m, Dim{2, 2, 1}, Dim{256, 1, 1}, 0, p); err != nil {
				t.Error(err)
			}
		})
		if n > 12 {
			t.Errorf("%v allocations with %d workers", n, workers)
		}
	}
}
