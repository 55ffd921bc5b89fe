package ptx

import "testing"

// measure runs launches and reports their speed in lane-instructions, which are
// what a scalar processor would execute: by time passed and, where the system
// tells, by processor time, which other programs do not disturb.
func measure(b *testing.B, k *Kernel, m *Memory, grid, block Dim, p []byte) {
	before, cpu := k.Stats(), cpuSeconds()
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Launch(m, grid, block, 0, p); err != nil {
			b.Fatal(err)
		}
	}
	cpu = cpuSeconds() - cpu
	after := k.Stats()
	s := b.Elapsed().Seconds()
	if cpu > 0 {
		b.ReportMetric(float64(after.LaneInstructions-before.LaneInstructions)/cpu/1e6, "Mlane-instr/cpu-s")
	}
	b.ReportMetric(float64(after.LaneInstructions-before.LaneInstructions)/s/1e6, "Mlane-instr/s")
	b.ReportMetric(float64(after.WarpInstructions-before.WarpInstructions)/s/1e6, "Mwarp-instr/s")
}

// BenchmarkInterpreter runs one SGEMM of 60×784×100 with all checks.
func BenchmarkInterpreter(b *testing.B) {
	k := kernel(b, "sgemm.ptx", "sgemm")
	m := NewMemory(1 << 24)
	const M, N, K = 60, 100, 784
	p := params(b, k, put(b, m, normals(1, M*K)), put(b, m, normals(2, K*N)), put(b, m, normals(3, N)), alloc(b, m, 4*M*N), M, N, K)
	measure(b, k, m, Dim{(N + 31) / 32, (M + 31) / 32, 1}, Dim{256, 1, 1}, p)
}

// BenchmarkElementwise runs y = x·table + s: a load and a store in ten
// instructions.
func BenchmarkElementwise(b *testing.B) {
	k := kernel(b, "kernels.ptx", "tableScale")
	m := NewMemory(1 << 24)
	const n = 100_000
	p := params(b, k, put(b, m, normals(1, n)), alloc(b, m, 4*n), float32(1), n)
	measure(b, k, m, Dim{(n + 255) / 256, 1, 1}, Dim{256, 1, 1}, p)
}

// BenchmarkReduction runs column statistics with shuffles and barriers.
func BenchmarkReduction(b *testing.B) {
	k := kernel(b, "kernels.ptx", "columnStats")
	m := NewMemory(1 << 24)
	const rows, cols = 60, 100
	p := params(b, k, put(b, m, normals(1, rows*cols)), alloc(b, m, 4*cols), alloc(b, m, 4*cols), rows, cols)
	measure(b, k, m, Dim{cols, 1, 1}, Dim{128, 1, 1}, p)
}

// BenchmarkLaunch runs a kernel that does next to nothing.
func BenchmarkLaunch(b *testing.B) {
	k := kernel(b, "kernels.ptx", "readLaunches")
	m := NewMemory(1 << 24)
	p := params(b, k, alloc(b, m, 4))
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Launch(m, one, Dim{32, 1, 1}, 0, p); err != nil {
			b.Fatal(err)
		}
	}
}
