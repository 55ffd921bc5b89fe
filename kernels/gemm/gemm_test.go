package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
	"driftless/kernels/activation"
)

// naive is the package comment's sequence of operations as a triple loop.
func naive[T kernels.Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, add bool, c []T, ldc int, bias []T) {
	for i := range m {
		for j := range n {
			var s T
			for p := range k {
				x, y := i*lda+p, p*ldb+j
				if transA {
					x = p*lda + i
				}
				if transB {
					y = j*ldb + p
				}
				s += T(a[x] * b[y])
			}
			s = T(alpha * s)
			if add {
				s += c[i*ldc+j]
			}
			if bias != nil {
				s += bias[j]
			}
			c[i*ldc+j] = s
		}
	}
}

// matrix has poison between and around its rows.
type matrix[T kernels.Float] struct {
	rows, cols, ld int
	buf            []T
}

const guard = 5

func newMatrix[T kernels.Float](rows, cols, pad int, fill func() T) matrix[T] {
	x := matrix[T]{rows, cols, cols + pad, make([]T, 2*guard+rows*(cols+pad))}
	for i := range x.buf {
		x.buf[i] = T(math.NaN())
	}
	for i := range rows {
		for j := range cols {
			x.buf[guard+i*x.ld+j] = fill()
		}
	}
	return x
}

// data is exactly as long as the matrix needs, so that a step beyond panics.
func (x matrix[T]) data() []T {
	if x.rows == 0 || x.cols == 0 {
		return nil
	}
	n := (x.rows-1)*x.ld + x.cols
	return x.buf[guard : guard+n : guard+n]
}

func (x matrix[T]) clone() matrix[T] {
	x.buf = append([]T(nil), x.buf...)
	return x
}

// same says whether bits agree, all NaNs being equal.
func same[T kernels.Float](x, y T) bool {
	return x == y && math.Signbit(float64(x)) == math.Signbit(float64(y)) || x != x && y != y
}

func compare[T kernels.Float](t *testing.T, got, want []T) {
	t.Helper()
	for i := range want {
		if !same(got[i], want[i]) {
			t.Fatalf("element %d of the buffer is %v, want %v", i, got[i], want[i])
		}
	}
}

// problem is one product with all its operands.
type problem[T kernels.Float] struct {
	transA, transB bool
	m, n, k        int
	alpha          T
	add            bool
	bias           []T
	a, b, c        matrix[T]
}

func newProblem[T kernels.Float](transA, transB bool, m, n, k, pad int, fillA, fillB func() T) problem[T] {
	x := problem[T]{transA: transA, transB: transB, m: m, n: n, k: k, alpha: 1}
	ar, ac, br, bc := m, k, k, n
	if transA {
		ar, ac = k, m
	}
	if transB {
		br, bc = n, k
	}
	x.a, x.b = newMatrix(ar, ac, pad, fillA), newMatrix(br, bc, 2*pad, fillB)
	x.c = newMatrix(m, n, 3*pad, fillB)
	return x
}

// check compares Gemm, and each way of computing the sums by itself, with the
// naive loop.
func (x problem[T]) check(t *testing.T) {
	t.Helper()
	want := x.c.clone()
	naive(x.transA, x.transB, x.m, x.n, x.k, x.alpha, x.a.data(), x.a.ld, x.b.data(), x.b.ld, x.add, want.data(), want.ld, x.bias)
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		x.checkISA(t, want)
		restore()
	}
}

func (x problem[T]) checkISA(t *testing.T, want matrix[T]) {
	t.Helper()
	x.run(t, want, func(a, b, c matrix[T], scratch []T) {
		Gemm(x.transA, x.transB, x.m, x.n, x.k, x.alpha, a.data(), a.ld, b.data(), b.ld, x.add, c.data(), c.ld, Epilogue[T]{Bias: x.bias}, scratch)
	})
	if x.m == 0 || x.n == 0 {
		return
	}
	if kernels.CurrentISA() != kernels.Go {
		x.run(t, want, func(a, b, c matrix[T], scratch []T) {
			o := output[T]{alpha: x.alpha, add: x.add, bias: x.bias, c: c.data(), ld: c.ld}
			if !denseAVX2(x.transA, x.transB, x.m, x.n, x.k, a.data(), a.ld, b.data(), b.ld, o, scratch) {
				dense(x.transA, x.transB, x.m, x.n, x.k, a.data(), a.ld, b.data(), b.ld, o, scratch)
			}
		})
	}
	x.run(t, want, func(a, b, c matrix[T], scratch []T) {
		o := output[T]{alpha: x.alpha, add: x.add, bias: x.bias, c: c.data(), ld: c.ld}
		dense(x.transA, x.transB, x.m, x.n, x.k, a.data(), a.ld, b.data(), b.ld, o, scratch)
	})
	if x.transB || x.k == 0 || !finite(x.k, x.n, x.b.data(), x.b.ld) {
		return
	}
	x.run(t, want, func(a, b, c matrix[T], scratch []T) {
		o := output[T]{alpha: x.alpha, add: x.add, bias: x.bias, c: c.data(), ld: c.ld}
		sparse(x.transA, x.m, x.n, x.k, a.data(), a.ld, b.data(), b.ld, o, scratch)
	})
}

func (x problem[T]) run(t *testing.T, want matrix[T], f func(a, b, c matrix[T], scratch []T)) {
	t.Helper()
	a, b, c := x.a.clone(), x.b.clone(), x.c.clone()
	if !x.add { // then the former content must not matter
		for i := range x.m {
			for j := range x.n {
				c.buf[guard+i*c.ld+j] = T(math.NaN())
			}
		}
	}
	s := newMatrix(1, Scratch(x.transA, x.transB, x.m, x.n, x.k), 0, func() T { return T(math.NaN()) })
	before := s.clone()
	f(a, b, c, s.data())
	compare(t, c.buf, want.buf)
	compare(t, a.buf, x.a.buf)
	compare(t, b.buf, x.b.buf)
	compare(t, s.buf[:guard], before.buf[:guard])
	compare(t, s.buf[len(s.buf)-guard:], before.buf[len(s.buf)-guard:])
}

func normal[T kernels.Float](r *rand.Rand) func() T { return func() T { return T(r.NormFloat64()) } }

// thin returns fill with all but a share of its values replaced by ±0.
func thin[T kernels.Float](r *rand.Rand, share float64, fill func() T) func() T {
	return func() T {
		if r.Float64() < share {
			return fill()
		}
		return T(math.Copysign(0, r.Float64()-0.5))
	}
}

func each(t *testing.T, f func(t *testing.T, transA, transB bool)) {
	for _, v := range []struct {
		name           string
		transA, transB bool
	}{{"AB", false, false}, {"AtB", true, false}, {"ABt", false, true}, {"AtBt", true, true}} {
		t.Run(v.name, func(t *testing.T) { f(t, v.transA, v.transB) })
	}
}

func testShapes[T kernels.Float](t *testing.T) {
	sizes := []int{0, 1, 2, 3, 4, 5, 8, 13}
	each(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, m := range sizes {
			for _, n := range sizes {
				for _, k := range sizes {
					for _, share := range []float64{1, 0.3} {
						for pad := range 2 {
							x := newProblem(transA, transB, m, n, k, pad, thin(r, share, normal[T](r)), normal[T](r))
							x.check(t)
						}
					}
				}
			}
		}
	})
}

func TestShapes(t *testing.T) {
	t.Run("float32", testShapes[float32])
	t.Run("float64", testShapes[float64])
}

func testLarge[T kernels.Float](t *testing.T) {
	each(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(3, 4))
		one := func() T { return 1 }
		for _, v := range []struct{ m, n, k int }{{7, 50, 113}, {61, 10, 13}, {31, 33, 12}, {1, 32, 2*listLen + 77}} {
			for _, share := range []float64{1, 0.6, 0.13, 0} {
				for _, fill := range []func() T{normal[T](r), one} {
					newProblem(transA, transB, v.m, v.n, v.k, 3, thin(r, share, fill), normal[T](r)).check(t)
				}
			}
		}
	})
}

func TestLarge(t *testing.T) {
	t.Run("float32", testLarge[float32])
	t.Run("float64", testLarge[float64])
}

func testEpilogue[T kernels.Float](t *testing.T) {
	each(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(5, 6))
		bias := make([]T, 11)
		for j := range bias {
			bias[j] = T(r.NormFloat64())
		}
		for _, share := range []float64{1, 0.2} {
			for _, alpha := range []T{1, -1, 0, 0.1, T(math.Inf(1)), T(math.NaN())} {
				for _, add := range []bool{false, true} {
					for _, bias := range [][]T{nil, bias} {
						for _, k := range []int{0, 9} {
							x := newProblem(transA, transB, 9, 11, k, 1, thin(r, share, normal[T](r)), normal[T](r))
							x.alpha, x.add, x.bias = alpha, add, bias
							x.check(t)
						}
					}
				}
			}
		}
	})
}

func TestEpilogue(t *testing.T) {
	t.Run("float32", testEpilogue[float32])
	t.Run("float64", testEpilogue[float64])
}

func TestActivation(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, act := range []activation.Kind{activation.Identity, activation.Sigmoid, activation.Tanh, activation.ReLU} {
		for _, share := range []float64{1, 0.1} {
			x := newProblem(false, false, 7, 9, 20, 2, thin(r, share, normal[float32](r)), normal[float32](r))
			got, want := x.c.clone(), x.c.clone()
			bias := x.b.data()[:9]
			naive(false, false, 7, 9, 20, 1, x.a.data(), x.a.ld, x.b.data(), x.b.ld, false, want.data(), want.ld, bias)
			activation.Forward(act, 7, 9, want.data(), want.ld, want.data(), want.ld)
			Gemm(false, false, 7, 9, 20, 1, x.a.data(), x.a.ld, x.b.data(), x.b.ld, false, got.data(), got.ld,
				Epilogue[float32]{Bias: bias, Act: act}, make([]float32, Scratch(false, false, 7, 9, 20)))
			compare(t, got.buf, want.buf)
		}
	}
}

// TestExtremes mixes numbers that overflow, underflow and cancel with what is
// not a number, in every place and on both sides of the sparse test.
func testExtremes[T kernels.Float](t *testing.T, tiny, huge T) {
	zero := T(0)
	finiteOnes := []T{0, -zero, 1, -1, tiny, -tiny, 3 * tiny, huge, -huge, 1 / huge}
	others := []T{T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1))}
	each(t, func(t *testing.T, transA, transB bool) {
		r := rand.New(rand.NewPCG(9, 10))
		pick := func(s []T) func() T { return func() T { return s[r.IntN(len(s))] } }
		rare := func(share float64) func() T {
			return func() T {
				if r.Float64() < share {
					return pick(others)()
				}
				return pick(finiteOnes)()
			}
		}
		for range 200 {
			for _, v := range []struct{ a, b func() T }{
				{pick(finiteOnes), pick(finiteOnes)},
				{thin(r, 0.2, pick(finiteOnes)), pick(finiteOnes)},
				{thin(r, 0.2, rare(0.1)), normal[T](r)}, // not finite in A: still skipped over
				{thin(r, 0.1, pick(finiteOnes)), rare(0.02)},
				{thin(r, 0, pick(finiteOnes)), rare(0.02)},
				{thin(r, 0.4, pick([]T{2})), normal[T](r)}, // all alike, but not ones
			} {
				newProblem(transA, transB, 1+r.IntN(9), 1+r.IntN(9), 1+r.IntN(30), 1, v.a, v.b).check(t)
			}
		}
	})
}

func TestExtremes(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		testExtremes(t, math.SmallestNonzeroFloat32, float32(math.MaxFloat32))
	})
	t.Run("float64", func(t *testing.T) {
		testExtremes(t, math.SmallestNonzeroFloat64, math.MaxFloat64)
	})
}

// TestNotFiniteReachesEveryRow: a NaN or Inf in B meets only zeros of A, and
// must spoil its column all the same.
func TestNotFiniteReachesEveryRow(t *testing.T) {
	const m, n, k = 5, sparseWidth + 1, 8
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		for at := range k * n {
			a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
			b[at] = bad
			Gemm(false, false, m, n, k, 1, a, k, b, n, false, c, n, Epilogue[float32]{}, make([]float32, Scratch(false, false, m, n, k)))
			for i, v := range c {
				if nan := v != v; nan != (i%n == at%n) {
					t.Fatalf("%v at %d of B: element %d of C is %v", bad, at, i, v)
				}
			}
		}
	}
}

// TestSparseChosen guards the tests above against comparing the dense way with
// itself.
func TestSparseChosen(t *testing.T) {
	defer kernels.UseISA(kernels.Go)() // vectors do not need the scratch that tells
	r := rand.New(rand.NewPCG(11, 12))
	for _, v := range []struct {
		share float64
		want  bool
	}{{0, true}, {0.13, true}, {0.3, true}, {0.9, false}, {1, false}} {
		a := newMatrix(60, 784, 5, thin(r, v.share, normal[float32](r)))
		if got := mostlyZero(60, 784, a.data(), a.ld); got != v.want {
			t.Errorf("share of nonzeros %v: mostlyZero is %v", v.share, got)
		}
		// Only dense uses the rest of scratch.
		const n = sparseWidth
		b, c, s := make([]float32, 784*n), make([]float32, 60*n), make([]float32, Scratch(false, false, 60, n, 784))
		s[2*n] = 7
		Gemm(false, false, 60, n, 784, 1, a.data(), a.ld, b, n, false, c, n, Epilogue[float32]{}, s)
		if got := s[2*n] == 7; got != v.want {
			t.Errorf("share of nonzeros %v: sparse was chosen: %v", v.share, got)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for at := range 5 * 7 {
			b := newMatrix(5, 7, 2, normal[float64](r))
			if !finite(5, 7, b.data(), b.ld) {
				t.Fatal("finite is false of finite numbers")
			}
			b.data()[at/7*b.ld+at%7] = bad
			if finite(5, 7, b.data(), b.ld) {
				t.Fatalf("finite is true with %v at %d", bad, at)
			}
		}
	}
}

// TestNoFusing: a fused multiply-add would see the rounding error of the second
// product, which the sum of two rounded products cannot.
func TestNoFusing(t *testing.T) {
	const x float32 = 1 + 1.0/4096
	r := rand.New(rand.NewPCG(15, 16))
	p := newProblem(false, false, 3, sparseWidth, 2, 0, normal[float32](r), normal[float32](r))
	for i := range p.m {
		copy(p.a.data()[2*i:], []float32{-x * x, x})
	}
	for j := range p.n {
		p.b.data()[j], p.b.data()[p.n+j] = 1, x
	}
	zero := newMatrix(p.m, p.n, 0, func() float32 { return 0 })
	p.check(t)
	Gemm(false, false, p.m, p.n, p.k, 1, p.a.data(), p.a.ld, p.b.data(), p.b.ld, false, p.c.data(), p.c.ld, Epilogue[float32]{}, make([]float32, Scratch(false, false, p.m, p.n, p.k)))
	compare(t, p.c.buf, zero.buf)
}

func TestScratchGrows(t *testing.T) {
	each(t, func(t *testing.T, transA, transB bool) {
		s := Scratch(transA, transB, 5, 6, 7)
		for _, v := range []int{Scratch(transA, transB, 6, 6, 7), Scratch(transA, transB, 5, 7, 7), Scratch(transA, transB, 5, 6, 8)} {
			if v < s {
				t.Errorf("scratch shrinks from %d to %d", s, v)
			}
		}
	})
}

func TestPanics(t *testing.T) {
	ok := make([]float32, 100)
	none := Epilogue[float32]{}
	for want, f := range map[string]func(){
		"gemm: negative size":                func() { Gemm(false, false, -1, 2, 3, 1, ok, 3, ok, 2, false, ok, 2, none, ok) },
		"gemm: A is too short for its shape": func() { Gemm(false, false, 4, 2, 3, 1, ok, 2, ok, 2, false, ok, 2, none, ok) },
		"gemm: B is too short for its shape": func() { Gemm(false, false, 4, 2, 3, 1, ok, 3, ok[:5], 2, false, ok, 2, none, ok) },
		"gemm: C is too short for its shape": func() { Gemm(false, false, 4, 2, 3, 1, ok, 3, ok, 2, false, ok[:7], 2, none, ok) },
		"gemm: bias is not of length n": func() {
			Gemm(false, false, 4, 2, 3, 1, ok, 3, ok, 2, false, ok, 2, Epilogue[float32]{Bias: ok[:3]}, ok)
		},
		"gemm: scratch is too short": func() { Gemm(false, false, 4, 2, 3, 1, ok, 3, ok, 2, false, ok, 2, none, nil) },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %q", got, want)
				}
			}()
			f()
		})
	}
}

func TestAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	each(t, func(t *testing.T, transA, transB bool) {
		for _, share := range []float64{1, 0.1} {
			x := newProblem(transA, transB, 9, sparseWidth, 30, 1, thin(r, share, normal[float32](r)), normal[float32](r))
			s, bias := make([]float32, Scratch(transA, transB, 9, sparseWidth, 30)), make([]float32, sparseWidth)
			if n := testing.AllocsPerRun(10, func() {
				Gemm(transA, transB, 9, sparseWidth, 30, 1, x.a.data(), x.a.ld, x.b.data(), x.b.ld, true, x.c.data(), x.c.ld, Epilogue[float32]{Bias: bias, Act: activation.Sigmoid}, s)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		}
	})
}
