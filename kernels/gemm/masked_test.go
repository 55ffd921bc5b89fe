package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
	"driftless/kernels/activation"
)

// maskOf returns the mask of op(A), with garbage between the groups.
func maskOf[T kernels.Float](a matrix[T], trans bool, m, k, gap int) (mask []uint64, ldm int) {
	ldm = m + gap
	mask = make([]uint64, max(0, (k+63)/64*ldm-gap))
	for i := range mask {
		mask[i] = math.MaxUint64
	}
	for i := range m {
		for p := range k {
			w := &mask[p/64*ldm+i]
			if p%64 == 0 {
				*w = 0
			}
			if a.op(trans, i, p) != 0 {
				*w |= 1 << (p % 64)
			}
		}
	}
	return mask, ldm
}

// checkMasked compares Masked with the reference, with each instruction set.
func (x *problem[T]) checkMasked(t *testing.T, ones bool) {
	t.Helper()
	want := x.reference()
	mask, ldm := maskOf(x.a, x.transA, x.m, x.k, x.a.ld-x.a.cols)
	rowStep, kStep := x.a.ld, 1
	if x.transA {
		rowStep, kStep = 1, x.a.ld
	}
	eachISA(t, func(kernels.ISA) {
		x.run(t, want, func(a, b, c matrix[T]) {
			values := a.data()
			if ones {
				values, rowStep, kStep = nil, 0, 0
			}
			Masked(x.m, x.n, x.k, x.alpha, mask, ldm, values, rowStep, kStep, b.data(), b.ld, x.add, c.data(), c.ld, x.ep)
		})
	})
}

func one[T kernels.Float]() T { return 1 }

// positiveZeros returns fill with all but a share of its values replaced by +0.
func positiveZeros[T kernels.Float](r *rand.Rand, share float64, fill func() T) func() T {
	return mixed(r, 1-share, func() T { return 0 }, fill)
}

func testMasked[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	shapes := []struct{ m, n, k int }{{1, 1, 1}, {2, 3, 64}, {5, 100, 65}, {60, 10, 100}, {30, 129, 63}, {7, 17, 200}, {3, 260, 130}, {2, 40, 1030}, {40, 33, 1100}, {2, 5, 0}, {0, 4, 3}, {3, 0, 3}}
	for n := 1; n <= 140; n += 1 + n/20 {
		shapes = append(shapes, struct{ m, n, k int }{3, n, 70})
	}
	for _, v := range shapes {
		for _, share := range []float64{0, 0.2, 1} {
			for _, add := range []bool{false, true} {
				for _, alpha := range []T{1, -0.3} {
					x := newProblem(r.IntN(2) == 0, false, v.m, v.n, v.k, r.IntN(3), thin(r, share, normal[T](r)), normal[T](r))
					x.add, x.alpha = add, alpha
					if r.IntN(2) == 0 {
						x.ep.Bias = bias[T](r, v.n)
					}
					x.ep.Act = activation.Kind(r.IntN(4))
					x.checkMasked(t, false)
					x.a.fill(positiveZeros(r, share, one[T]))
					x.checkMasked(t, true)
				}
			}
		}
	}
}

func TestMasked(t *testing.T) {
	t.Run("float32", testMasked[float32])
	t.Run("float64", testMasked[float64])
}

// testMaskedExtremes mixes what is not finite, denormal numbers and zeros of both
// signs into every operand.
func testMaskedExtremes[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	numbers, others := extremes[T]()
	negZero := T(math.Copysign(0, -1))
	for range 200 {
		for _, v := range []struct{ a, b func() T }{
			{thin(r, 0.3, pick(r, numbers...)), pick(r, numbers...)},
			{thin(r, 0.3, normal[T](r)), mixed(r, 0.01, pick(r, others...), normal[T](r))},
			{thin(r, 0.1, mixed(r, 0.2, pick(r, others...), normal[T](r))), normal[T](r)},
			{positiveZeros(r, 0.3, one[T]), pick(r, numbers...)},
			{positiveZeros(r, 0.1, one[T]), mixed(r, 0.01, pick(r, others...), normal[T](r))},
			{positiveZeros(r, 0.05, one[T]), pick(r, negZero, 0)},
			{thin(r, 0.05, pick(r, -1, 1, T(math.Inf(1)))), pick(r, negZero, 0)},
		} {
			x := newProblem(r.IntN(2) == 0, false, 1+r.IntN(9), 1+r.IntN(40), 1+r.IntN(150), 1, v.a, v.b)
			x.alpha = pick(r, 1, -1, 0, negZero, -0.1, T(math.Inf(-1)), T(math.NaN()))()
			x.add = r.IntN(2) == 0
			x.c.fill(pick(r, 0, negZero, 1))
			if r.IntN(3) == 0 {
				x.ep.Act = activation.ReLU
			}
			ones := true
			for i := range x.m {
				for p := range x.k {
					if e := x.a.op(x.transA, i, p); e != 1 && !same(e, 0) {
						ones = false
					}
				}
			}
			x.checkMasked(t, false)
			if ones {
				x.checkMasked(t, true)
			}
		}
	}
}

func TestMaskedExtremes(t *testing.T) {
	t.Run("float32", testMaskedExtremes[float32])
	t.Run("float64", testMaskedExtremes[float64])
}

// testMaskedUnderflow: products too small to see make a sum -0, and a zero of
// op(A) after them makes it +0 again.
func testMaskedUnderflow[T kernels.Float](t *testing.T) {
	numbers, _ := extremes[T]()
	tiny := numbers[4]
	for _, k := range []int{2, 70, 1100} {
		x := newProblem(false, false, 5, 20, k, 1, inTurn[T](-tiny, 0), inTurn(tiny))
		for i := range x.m {
			for p := range k {
				*x.a.at(i, p) = 0
			}
		}
		*x.a.at(1, 0), *x.a.at(2, k-1), *x.a.at(3, k-2) = -tiny, -tiny, -tiny
		x.checkMasked(t, false)
		x.add, x.alpha = true, -1
		x.c.fill(func() T { return T(math.Copysign(0, -1)) })
		x.checkMasked(t, false)
	}
}

func TestMaskedUnderflow(t *testing.T) {
	t.Run("float32", testMaskedUnderflow[float32])
	t.Run("float64", testMaskedUnderflow[float64])
}

// testMaskedNotFinite: a NaN or infinity in B that meets only zeros spoils its
// column all the same, wherever it is.
func testMaskedNotFinite[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	for _, v := range []struct{ m, n, k int }{{3, 33, 8}, {40, 100, 300}, {2, 150, 1030}} {
		for range 30 {
			x := newProblem(false, false, v.m, v.n, v.k, 1, positiveZeros(r, 0.1, one[T]), normal[T](r))
			*x.b.at(r.IntN(v.k), r.IntN(v.n)) = pick(r, T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1)), math.MaxFloat32)()
			x.add = r.IntN(2) == 0
			x.checkMasked(t, true)
		}
	}
}

func TestMaskedNotFinite(t *testing.T) {
	t.Run("float32", testMaskedNotFinite[float32])
	t.Run("float64", testMaskedNotFinite[float64])
}

func TestMaskedPanics(t *testing.T) {
	f, w := make([]float32, 100), make([]uint64, 4)
	none := Epilogue[float32]{}
	full := []uint64{1 << 9}
	for want, f := range map[string]func(){
		"gemm: negative size":                       func() { Masked(1, 2, -3, 1, w, 1, nil, 0, 0, f, 2, false, f, 2, none) },
		"gemm: the mask is too short for its shape": func() { Masked(3, 2, 65, 1, w, 3, nil, 0, 0, f, 2, false, f, 2, none) },
		"gemm: the mask has bits beyond k":          func() { Masked(1, 2, 9, 1, full, 1, nil, 0, 0, f, 2, false, f, 2, none) },
		"gemm: A is too short for its shape":        func() { Masked(3, 2, 40, 1, w, 3, f, 40, 1, f, 2, false, f, 2, none) },
		"gemm: B is too short for its shape":        func() { Masked(3, 2, 60, 1, w, 3, nil, 0, 0, f, 2, false, f, 2, none) },
		"gemm: C is too short for its shape":        func() { Masked(3, 2, 6, 1, w, 3, nil, 0, 0, f, 2, false, f[:4], 2, none) },
		"gemm: bias is not of length n": func() {
			Masked(3, 2, 6, 1, w, 3, nil, 0, 0, f, 2, false, f, 2, Epilogue[float32]{Bias: f})
		},
	} {
		wantPanic(t, want, f)
	}
}

func testMaskedAllocations[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	for _, add := range []bool{false, true} {
		x := newProblem(false, false, 70, 100, 1100, 1, thin(r, 0.2, normal[T](r)), normal[T](r))
		mask, ldm := maskOf(x.a, false, 70, 1100, 0)
		eachISA(t, func(kernels.ISA) {
			if n := testing.AllocsPerRun(2, func() {
				Masked(70, 100, 1100, 1, mask, ldm, x.a.data(), x.a.ld, 1, x.b.data(), x.b.ld, add, x.c.data(), x.c.ld, Epilogue[T]{Act: activation.Sigmoid})
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestMaskedAllocations(t *testing.T) {
	t.Run("float32", testMaskedAllocations[float32])
	t.Run("float64", testMaskedAllocations[float64])
}

func TestTransposeMask(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	for _, v := range []struct{ rows, cols int }{{0, 3}, {3, 0}, {1, 1}, {60, 784}, {64, 64}, {63, 65}, {65, 63}, {130, 128}, {128, 70}} {
		for gap := range 3 {
			lds, ldd := v.rows+gap, v.cols+2*gap
			src := make([]uint64, (v.cols+63)/64*lds)
			for i := range src {
				src[i] = r.Uint64()
			}
			eachISA(t, func(kernels.ISA) {
				dst := make([]uint64, (v.rows+63)/64*ldd)
				for i := range dst {
					dst[i] = 0xdead
				}
				TransposeMask(v.rows, v.cols, src, lds, dst, ldd)
				for g := range (v.rows + 63) / 64 {
					for j := range ldd {
						want := uint64(0xdead)
						if j < v.cols {
							want = 0
							for i := g * 64; i < min(v.rows, g*64+64); i++ {
								want |= src[j/64*lds+i] >> (j % 64) & 1 << (i % 64)
							}
						}
						if got := dst[g*ldd+j]; got != want {
							t.Fatalf("%d×%d: word %d of group %d is %#x, want %#x", v.rows, v.cols, j, g, got, want)
						}
					}
				}
			})
		}
	}
	if got := MaskWords(60, 784); got != 13*60 {
		t.Errorf("MaskWords is %d", got)
	}
	short := make([]uint64, 12)
	wantPanic(t, "gemm: the mask is too short for its shape", func() { TransposeMask(13, 3, short, 13, short, 3) })
	wantPanic(t, "gemm: the transposed mask is too short for its shape", func() { TransposeMask(3, 13, short, 3, short, 13) })
}
