package gather

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// everyISA runs f for every instruction set.
func everyISA(t *testing.T, f func(t *testing.T)) {
	for _, isa := range kernels.ISAs() {
		t.Run(isa.String(), func(t *testing.T) {
			defer kernels.UseISA(isa)()
			f(t)
		})
	}
}

// TestMask compares with the values that BytesRows gives, amid words that must
// survive.
func TestMask(t *testing.T) { everyISA(t, testMask) }

func testMask(t *testing.T) {
	const poison = 0xdead0000beef
	r := rand.New(rand.NewPCG(1, 2))
	for _, mp := range []Map{Raw, Unit, Binary} {
		for _, n := range []int{0, 1, 2, 7, 60} {
			for _, cols := range []int{0, 1, 5, 63, 64, 65, 127, 128, 130, 784, 1000} {
				for pad := range 3 {
					const rows = 11
					data := make([]uint8, rows*cols)
					for i := range data {
						data[i] = uint8(r.Uint32()) & uint8(-(i & 1)) // half of them 0
					}
					idx, words, ldm := indices(r, n, rows), (cols+63)/64, n+pad
					mask := make([]uint64, words*ldm+guard)
					for i := range mask {
						mask[i] = poison
					}
					end := max(0, (words-1)*ldm+n) // exactly as long as it must be
					values := make([]float64, n*cols)
					BytesRows(idx, data, cols, mp, values, cols)
					BytesMask(idx, data, cols, mp, mask[:end:end], ldm)
					for at, got := range mask {
						w, i := at/max(ldm, 1), at%max(ldm, 1)
						want := uint64(poison)
						if w < words && i < n {
							want = 0
							for c := 64 * w; c < min(cols, 64*w+64); c++ {
								if values[i*cols+c] != 0 {
									want |= 1 << (c % 64)
								}
							}
						}
						if got != want {
							t.Fatalf("%v, %d rows of %d columns: word %d of row %d is %#x, want %#x", mp, n, cols, w, i, got, want)
						}
					}
				}
			}
		}
	}
}

// TestVectors gathers rows of all lengths about those of vectors and of blocks.
func TestVectors(t *testing.T) {
	lengths := []int{1000, 40000, 65535, 65536, 65537, 98303, 98307, 140001}
	for n := range 140 {
		lengths = append(lengths, n)
	}
	everyISA(t, func(t *testing.T) {
		for _, cols := range lengths {
			data, idx := make([]uint8, 3*cols), []int32{2, 0, 2, 1}
			for i := range data {
				data[i] = uint8(i * 37)
			}
			for _, mp := range []Map{Raw, Unit, Binary} {
				ld := cols + 2
				buf := poisoned[float32](len(idx), ld)
				BytesRows(idx, data, cols, mp, buf[guard:len(buf)-guard], ld)
				verify(t, buf, len(idx), cols, ld, func(i, j int) float32 { return value[float32](mp, data[int(idx[i])*cols+j]) })
			}
		}
	})
}

func TestMaskPanics(t *testing.T) {
	data, mask := make([]uint8, 130), make([]uint64, 4)
	for name, f := range map[string]func(){
		"gather: an index names no row of the data": func() { BytesMask([]int32{2}, data, 65, Raw, mask, 1) },
		"gather: mask is too short for its shape":   func() { BytesMask([]int32{0, 1}, data, 65, Raw, mask[:3], 2) },
		"gather: unknown map":                       func() { BytesMask([]int32{0}, data, 65, Binary+1, mask, 1) },
	} {
		t.Run(name, func(t *testing.T) { panics(t, name, f) })
	}
	t.Run("leading dimension", func(t *testing.T) {
		panics(t, "gather: mask is too short for its shape", func() { BytesMask([]int32{0, 1}, data, 65, Raw, mask, 1) })
	})
	t.Run("density", func(t *testing.T) { panics(t, "gather: unknown map", func() { Density(data, 7) }) })
}

func TestDensity(t *testing.T) {
	if d := Density(nil, Raw); d != 0 {
		t.Errorf("density of nothing is %v", d)
	}
	data := []uint8{0, 1, 127, 128, 255}
	for mp, want := range map[Map]float64{Raw: 0.8, Unit: 0.8, Binary: 0.4} {
		if d := Density(data, mp); d != want {
			t.Errorf("%v: density %v, want %v", mp, d, want)
		}
	}
	large := make([]uint8, 5<<20+123)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range large {
		if r.IntN(5) == 0 {
			large[i] = 200
		}
	}
	if d := Density(large, Binary); math.Abs(d-0.2) > 0.005 {
		t.Errorf("density of a sample is %v, want 0.2", d)
	}
	clear(large)
	large[len(large)-1], large[0] = 1, 1 // the first and the last byte are in the sample
	if d := Density(large, Raw); d != 2.0/(1<<20) {
		t.Errorf("density %v, want 2 of a million", d)
	}
}

func TestMaskAllocations(t *testing.T) {
	data, mask, idx := make([]uint8, 1000), make([]uint64, 6), []int32{3, 1, 9}
	everyISA(t, func(t *testing.T) {
		if n := testing.AllocsPerRun(10, func() { BytesMask(idx, data, 100, Unit, mask, 3) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
