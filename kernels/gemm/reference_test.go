package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/scalar"
)

// matrix has poison between and around its rows.
type matrix[T kernels.Float] struct {
	rows, cols, ld int
	buf            []T
}

const guard = 40 // more than two vectors

func newMatrix[T kernels.Float](rows, cols, pad int, fill func() T) matrix[T] {
	x := matrix[T]{rows, cols, cols + pad, make([]T, 2*guard+rows*(cols+pad))}
	for i := range x.buf {
		x.buf[i] = T(math.NaN())
	}
	x.fill(fill)
	return x
}

func (x matrix[T]) at(i, j int) *T { return &x.buf[guard+i*x.ld+j] }

func (x matrix[T]) fill(f func() T) {
	for i := range x.rows {
		for j := range x.cols {
			*x.at(i, j) = f()
		}
	}
}

// data is exactly as long as the matrix needs, so that a step beyond panics.
func (x matrix[T]) data() []T { return x.block(0, 0, x.rows, x.cols) }

// block is data of a part of the matrix.
func (x matrix[T]) block(i, j, rows, cols int) []T {
	if rows == 0 || cols == 0 {
		return nil
	}
	at := guard + i*x.ld + j
	n := (rows-1)*x.ld + cols
	return x.buf[at : at+n : at+n]
}

// opBlock is block of the matrix or of its transpose.
func (x matrix[T]) opBlock(trans bool, i, j, rows, cols int) []T {
	if trans {
		return x.block(j, i, cols, rows)
	}
	return x.block(i, j, rows, cols)
}

func (x matrix[T]) clone() matrix[T] {
	x.buf = append([]T(nil), x.buf...)
	return x
}

// op returns element (i, j) of the matrix or of its transpose.
func (x matrix[T]) op(trans bool, i, j int) T {
	if trans {
		i, j = j, i
	}
	return *x.at(i, j)
}

// same says whether bits agree, all NaNs being equal.
func same[T kernels.Float](x, y T) bool {
	return x == y && math.Signbit(float64(x)) == math.Signbit(float64(y)) || x != x && y != y
}

func compare[T kernels.Float](t *testing.T, got, want matrix[T]) {
	t.Helper()
	for at := range want.buf {
		if !same(got.buf[at], want.buf[at]) {
			p := at - guard
			t.Fatalf("row %d, column %d (of %d×%d) is %v, want %v", p/want.ld, p%want.ld, want.rows, want.cols, got.buf[at], want.buf[at])
		}
	}
}

// problem is one product with all its operands.
type problem[T kernels.Float] struct {
	transA, transB bool
	m, n, k        int
	alpha          T
	add            bool
	ep             Epilogue[T]
	a, b, c        matrix[T]
}

// newProblem draws the operands. Leading dimensions are those of rows without gaps,
// and 1, 2 and 3 times pad.
func newProblem[T kernels.Float](transA, transB bool, m, n, k, pad int, fillA, fillB func() T) *problem[T] {
	x := &problem[T]{transA: transA, transB: transB, m: m, n: n, k: k, alpha: 1}
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

// reference is the package comment's sequence of operations, element by element.
func (x *problem[T]) reference() matrix[T] {
	want := x.c.clone()
	count := (x.k + 1023) / 1024
	length := 64
	for length*count < x.k {
		length += 64
	}
	for i := range x.m {
		for j := range x.n {
			v := *x.c.at(i, j)
			for p := 0; p == 0 || p < x.k; p += length {
				var s T
				for r := p; r < min(p+length, x.k); r++ {
					s = scalar.FMA(x.a.op(x.transA, i, r), x.b.op(x.transB, r, j), s)
				}
				if p == 0 && !x.add {
					v = x.alpha * s
				} else {
					v = scalar.FMA(x.alpha, s, v)
				}
			}
			if x.ep.Bias != nil {
				v += x.ep.Bias[j]
			}
			*want.at(i, j) = v
		}
	}
	activation.Forward(x.ep.Act, x.m, x.n, want.data(), want.ld, want.data(), want.ld)
	return want
}

// eachISA runs f with each instruction set.
func eachISA(t *testing.T, f func(isa kernels.ISA)) {
	t.Helper()
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		f(isa)
		restore()
		if t.Failed() {
			t.Fatalf("with %v", isa)
		}
	}
}

// check compares Gemm with the reference, with each instruction set.
func (x *problem[T]) check(t *testing.T) {
	t.Helper()
	want := x.reference()
	eachISA(t, func(isa kernels.ISA) { x.checkISA(t, want) })
}

func (x *problem[T]) checkISA(t *testing.T, want matrix[T]) {
	t.Helper()
	scratch := newMatrix(1, Scratch(x.transA, x.transB, x.m, x.n, x.k), 0, func() T { return T(math.NaN()) })
	x.run(t, want, func(a, b, c matrix[T]) {
		Gemm(x.transA, x.transB, x.m, x.n, x.k, x.alpha, a.data(), a.ld, b.data(), b.ld, x.add, c.data(), c.ld, x.ep, scratch.data())
	})
	for i := range guard {
		if v, w := scratch.buf[i], scratch.buf[len(scratch.buf)-1-i]; v == v || w == w {
			t.Fatal("wrote around scratch")
		}
	}
}

// run gives f copies of the operands and compares what it leaves.
func (x *problem[T]) run(t *testing.T, want matrix[T], f func(a, b, c matrix[T])) {
	t.Helper()
	a, b, c := x.a.clone(), x.b.clone(), x.c.clone()
	if !x.add { // then the former content must not matter
		c.fill(func() T { return T(math.NaN()) })
	}
	defer func() {
		t.Helper()
		if r := recover(); r != nil {
			t.Logf("transA=%v transB=%v m=%d n=%d k=%d", x.transA, x.transB, x.m, x.n, x.k)
			panic(r)
		}
		if t.Failed() {
			t.Logf("transA=%v transB=%v m=%d n=%d k=%d lda=%d ldb=%d ldc=%d alpha=%v add=%v bias=%v act=%v",
				x.transA, x.transB, x.m, x.n, x.k, a.ld, b.ld, c.ld, x.alpha, x.add, x.ep.Bias != nil, x.ep.Act)
		}
	}()
	f(a, b, c)
	compare(t, c, want)
	compare(t, a, x.a)
	compare(t, b, x.b)
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

// pick returns one of some values.
func pick[T kernels.Float](r *rand.Rand, values ...T) func() T {
	return func() T { return values[r.IntN(len(values))] }
}

// mixed returns fill with a share of its values replaced by others.
func mixed[T kernels.Float](r *rand.Rand, share float64, others, fill func() T) func() T {
	return func() T {
		if r.Float64() < share {
			return others()
		}
		return fill()
	}
}

func eachTrans(t *testing.T, f func(t *testing.T, transA, transB bool)) {
	for _, v := range []struct {
		name           string
		transA, transB bool
	}{{"AB", false, false}, {"AtB", true, false}, {"ABt", false, true}, {"AtBt", true, true}} {
		t.Run(v.name, func(t *testing.T) { f(t, v.transA, v.transB) })
	}
}

// extremes are numbers that overflow, underflow and cancel, and others are not
// numbers.
func extremes[T kernels.Float]() (numbers, others []T) {
	tiny, huge := T(math.SmallestNonzeroFloat32), T(math.MaxFloat32)
	if !kernels.IsFloat32[T]() {
		wide, large := math.SmallestNonzeroFloat64, math.MaxFloat64
		tiny, huge = T(wide), T(large)
	}
	root := T(math.Sqrt(float64(tiny))) / 2
	negZero := T(math.Copysign(0, -1))
	return []T{0, negZero, 1, -1, tiny, -tiny, 3 * tiny, huge, -huge, 1 / huge, root, -root, 3 * root},
		[]T{T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1))}
}
