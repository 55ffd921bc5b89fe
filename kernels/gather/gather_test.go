package gather

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

const guard = 3

// poisoned returns a matrix amid values that must survive.
func poisoned[T kernels.Float](rows, ld int) []T {
	buf := make([]T, 2*guard+rows*ld)
	for i := range buf {
		buf[i] = -7
	}
	return buf
}

// verify demands want in the rows and poison everywhere else.
func verify[T kernels.Float](t *testing.T, buf []T, rows, cols, ld int, want func(i, j int) T) {
	t.Helper()
	for at, v := range buf {
		i, j := (at-guard)/max(ld, 1), (at-guard)%max(ld, 1)
		w := T(-7)
		if at >= guard && i < rows && j < cols {
			w = want(i, j)
		}
		if v != w && (v == v || w == w) || math.Signbit(float64(v)) != math.Signbit(float64(w)) {
			t.Fatalf("element %d, (%d, %d), is %v, want %v", at, i, j, v, w)
		}
	}
}

func indices(r *rand.Rand, n, rows int) []int32 {
	idx := make([]int32, n)
	for i := range idx {
		idx[i] = int32(r.IntN(rows))
	}
	if n > 1 {
		idx[0], idx[1] = 0, int32(rows-1)
	}
	return idx
}

func testBytes[T kernels.Float](t *testing.T) {
	naive := map[Map]func(x uint8) T{
		Raw:  func(x uint8) T { return T(x) },
		Unit: func(x uint8) T { return T(float64(x) / 255) },
		Binary: func(x uint8) T {
			if x > 127 {
				return 1
			}
			return 0
		},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for mp, f := range naive {
		for _, n := range []int{0, 1, 2, 7, 60} {
			for _, cols := range []int{0, 1, 3, 8, 256, 785} {
				for pad := range 3 {
					const rows = 11
					data := make([]uint8, rows*cols)
					for i := range data {
						data[i] = uint8(i) + uint8(i/256)
					}
					idx, ld := indices(r, n, rows), cols+pad
					buf := poisoned[T](n, ld)
					end := len(buf) - guard
					if n > 0 {
						end -= pad // exactly as long as the matrix
					}
					BytesRows(idx, data, cols, mp, buf[guard:end:end], ld)
					verify(t, buf, n, cols, ld, func(i, j int) T { return f(data[int(idx[i])*cols+j]) })
				}
			}
		}
	}
}

func TestBytesRows(t *testing.T) {
	t.Run("float32", testBytes[float32])
	t.Run("float64", testBytes[float64])
}

// testEveryByte compares all 256 values of each map with their definition, under each
// instruction set.
func testEveryByte[T kernels.Float](t *testing.T) {
	data := make([]uint8, 256)
	for i := range data {
		data[i] = uint8(i)
	}
	got := make([]T, 256)
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		for _, mp := range []Map{Raw, Unit, Binary} {
			BytesRows([]int32{0}, data, 256, mp, got, 256)
			for x, v := range got {
				want := map[Map]T{Raw: T(x), Unit: T(x) / 255, Binary: 0}[mp]
				if mp == Binary && x > 127 {
					want = 1
				}
				if v != want {
					t.Errorf("%v: %v(%d) is %v, want %v", isa, mp, x, v, want)
				}
			}
		}
		restore()
	}
}

func TestEveryByte(t *testing.T) {
	t.Run("float32", testEveryByte[float32])
	t.Run("float64", testEveryByte[float64])
}

func testRows[T, S kernels.Float](t *testing.T) {
	special := []float64{0, math.Copysign(0, -1), 1, -1.0 / 3, math.NaN(), math.Inf(1), math.Inf(-1),
		math.MaxFloat64, math.MaxFloat32, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat64, 1 + 1.0/(1<<24), math.Pi}
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, 7, 60} {
		for _, cols := range []int{0, 1, 3, 8, 101} {
			for pad := range 3 {
				const rows = 9
				data := make([]S, rows*cols)
				for i := range data {
					data[i] = S(special[r.IntN(len(special))])
				}
				idx, ld := indices(r, n, rows), cols+pad
				buf := poisoned[T](n, ld)
				end := len(buf) - guard
				if n > 0 {
					end -= pad
				}
				Rows(idx, data, cols, buf[guard:end:end], ld)
				verify(t, buf, n, cols, ld, func(i, j int) T { return T(data[int(idx[i])*cols+j]) })
			}
		}
	}
}

func TestRows(t *testing.T) {
	t.Run("float32 from float32", testRows[float32, float32])
	t.Run("float32 from float64", testRows[float32, float64])
	t.Run("float64 from float32", testRows[float64, float32])
	t.Run("float64 from float64", testRows[float64, float64])
}

func TestPanics(t *testing.T) {
	bytes, floats := make([]uint8, 12), make([]float32, 12)
	dst := make([]float32, 8)
	for name, f := range map[string]func(){
		"gather: an index names no row of the data": func() { BytesRows([]int32{3}, bytes, 4, Raw, dst, 4) },
		"gather: dst is too short for its shape":    func() { BytesRows([]int32{0, 1, 2}, bytes, 4, Raw, dst, 4) },
		"gather: unknown map":                       func() { BytesRows([]int32{0}, bytes, 4, Binary+1, dst, 4) },
	} {
		t.Run(name, func(t *testing.T) { panics(t, name, f) })
	}
	for name, f := range map[string]func(){
		"gather: an index names no row of the data": func() { Rows([]int32{-1}, floats, 4, dst, 4) },
		"gather: dst is too short for its shape":    func() { Rows([]int32{0, 1}, floats, 4, dst, 3) },
	} {
		t.Run("Rows "+name, func(t *testing.T) { panics(t, name, f) })
	}
}

func panics(t *testing.T, want string, f func()) {
	defer func() {
		if got := recover(); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	f()
}

// TestNoColumns: an empty matrix needs no elements, whatever its leading
// dimension.
func TestNoColumns(t *testing.T) {
	BytesRows([]int32{0, 0}, nil, 0, Raw, []float32{}, 3)
	Rows([]int32{0, 0}, []float64{}, 0, []float32{}, 3)
}

func TestString(t *testing.T) {
	for mp, want := range map[Map]string{Raw: "raw", Unit: "unit", Binary: "binary", 9: "unknown map"} {
		if mp.String() != want {
			t.Errorf("%q, want %q", mp.String(), want)
		}
	}
}

func TestAllocations(t *testing.T) {
	bytes, floats, dst := make([]uint8, 100), make([]float64, 100), make([]float32, 30)
	idx := []int32{3, 1, 9}
	if n := testing.AllocsPerRun(10, func() {
		BytesRows(idx, bytes, 10, Unit, dst, 10)
		Rows(idx, floats, 10, dst, 10)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
