//go:build !noasm

package elem

import (
	"unsafe"

	"driftless/kernels"
)

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg elem

// See internal/gen for the arguments.
type (
	binaryFunc[T kernels.Float] func(n int, a, b *T, x, y T, out *T)
	unaryFunc[T kernels.Float]  func(n int, x, out *T)
)

// table holds an instruction set's kernels for one type, nil where there is none.
type table[T kernels.Float] struct {
	binary    [Ne + 1]binaryFunc[T]
	unary     [Cube + 1]unaryFunc[T]
	subOuter  func(m, d int, x *T, ldx int, rows, cols, y *T, ldy int)
	transpose func(m, d int, x *T, ldx int, y *T, ldy int)
}

var (
	avx2 = table[float32]{
		[Ne + 1]binaryFunc[float32]{Add: addAVX2, Sub: subAVX2, Mul: mulAVX2, Div: divAVX2, Gt: gtAVX2,
			Gte: gteAVX2, Lt: ltAVX2, Lte: lteAVX2, Eq: eqAVX2, Ne: neAVX2},
		[Cube + 1]unaryFunc[float32]{Neg: negAVX2, Square: squareAVX2, Sqrt: sqrtAVX2, Abs: absAVX2,
			Inverse: inverseAVX2, InverseSqrt: inverseSqrtAVX2, Cube: cubeAVX2, Log: logAVX2},
		subOuterAVX2, transposeAVX2,
	}
	avx512 = table[float32]{
		[Ne + 1]binaryFunc[float32]{Add: addAVX512, Sub: subAVX512, Mul: mulAVX512, Div: divAVX512, Gt: gtAVX512,
			Gte: gteAVX512, Lt: ltAVX512, Lte: lteAVX512, Eq: eqAVX512, Ne: neAVX512},
		[Cube + 1]unaryFunc[float32]{Neg: negAVX512, Square: squareAVX512, Sqrt: sqrtAVX512, Abs: absAVX512,
			Inverse: inverseAVX512, InverseSqrt: inverseSqrtAVX512, Cube: cubeAVX512, Log: logAVX512},
		subOuterAVX512, transposeAVX512,
	}
	avx2F64 = table[float64]{
		[Ne + 1]binaryFunc[float64]{Add: addF64AVX2, Sub: subF64AVX2, Mul: mulF64AVX2, Div: divF64AVX2, Gt: gtF64AVX2,
			Gte: gteF64AVX2, Lt: ltF64AVX2, Lte: lteF64AVX2, Eq: eqF64AVX2, Ne: neF64AVX2},
		[Cube + 1]unaryFunc[float64]{Neg: negF64AVX2, Square: squareF64AVX2, Sqrt: sqrtF64AVX2, Abs: absF64AVX2,
			Inverse: inverseF64AVX2, InverseSqrt: inverseSqrtF64AVX2, Cube: cubeF64AVX2, Log: logF64AVX2},
		subOuterF64AVX2, transposeF64AVX2,
	}
	avx512F64 = table[float64]{
		[Ne + 1]binaryFunc[float64]{Add: addF64AVX512, Sub: subF64AVX512, Mul: mulF64AVX512, Div: divF64AVX512, Gt: gtF64AVX512,
			Gte: gteF64AVX512, Lt: ltF64AVX512, Lte: lteF64AVX512, Eq: eqF64AVX512, Ne: neF64AVX512},
		[Cube + 1]unaryFunc[float64]{Neg: negF64AVX512, Square: squareF64AVX512, Sqrt: sqrtF64AVX512, Abs: absF64AVX512,
			Inverse: inverseF64AVX512, InverseSqrt: inverseSqrtF64AVX512, Cube: cubeF64AVX512, Log: logF64AVX512},
		subOuterF64AVX512, transposeF64AVX512,
	}
)

// inUse returns the kernels of the instruction set in use, or nil.
func inUse[T kernels.Float]() *table[T] {
	return (*table[T])(kernels.Pick[T](unsafe.Pointer(&avx2), unsafe.Pointer(&avx512), unsafe.Pointer(&avx2F64), unsafe.Pointer(&avx512F64)))
}

// blockSize is the number of elements of a call of assembly, some microseconds.
const blockSize = 1 << 13

// vectorApply is Apply, and vectorMap is Map; they report whether they did it.
func vectorApply[T kernels.Float](op Binary, a, b, out []T) bool {
	t, n := inUse[T](), len(out)
	if t == nil || op > Ne || n == 0 {
		return false
	}
	x, y := a[0], b[0] // out may hold them
	for i := 0; i < n; i += blockSize {
		applyBlock(t.binary[op], min(blockSize, n-i), at(a, i, n), at(b, i, n), x, y, &out[i])
	}
	return true
}

// at returns where element i of an operand is, or nil for a scalar.
func at[T kernels.Float](x []T, i, n int) *T {
	if len(x) == n {
		return &x[i]
	}
	return nil
}

func vectorMap[T kernels.Float](op Unary, x, out []T) bool {
	t := inUse[T]()
	if t == nil || op > Cube || t.unary[op] == nil {
		return false
	}
	for i := 0; i < len(x); i += blockSize {
		mapBlock(t.unary[op], min(blockSize, len(x)-i), &x[i], &out[i])
	}
	return true
}

// vectorAddRow is AddRow for d > 0, row by row.
func vectorAddRow[T kernels.Float](m, d int, x []T, ldx int, row, y []T, ldy int) bool {
	t := inUse[T]()
	if t == nil || d > blockSize {
		return false
	}
	for i := range m {
		applyBlock(t.binary[Add], d, &x[i*ldx], &row[0], 0, 0, &y[i*ldy])
	}
	return true
}

// vectorSubOuter is SubOuter for m, d > 0, some rows at a time.
func vectorSubOuter[T kernels.Float](m, d int, x []T, ldx int, rows, cols, y []T, ldy int) bool {
	t := inUse[T]()
	if t == nil || d > blockSize {
		return false
	}
	most := blockSize / d
	for i := 0; i < m; i += most {
		t.subOuterBlock(min(most, m-i), d, &x[i*ldx], ldx, &rows[i], &cols[0], &y[i*ldy], ldy)
	}
	return true
}

// vectorTranspose is Transpose for all but the smallest matrices, a block of rows after the other;
// the last is done with rows before it if it has few.
func vectorTranspose[T kernels.Float](m, d int, x []T, ldx int, y []T, ldy int) bool {
	t := inUse[T]()
	if t == nil || m < 8 || d < 4 || d > blockSize {
		return false
	}
	rows := max(16, blockSize/d&^15)
	for i := 0; i < m; i += rows {
		first := min(i, max(0, m-16))
		if n := min(i+rows, m) - first; n >= 64/kernels.SizeOf[T]() {
			t.transposeBlock(n, d, &x[first*ldx], ldx, &y[first], ldy)
		} else {
			narrowest[T]().transposeBlock(n, d, &x[first*ldx], ldx, &y[first], ldy)
		}
	}
	return true
}

// narrowest returns the kernels of AVX2, whose vectors are full with fewer rows.
func narrowest[T kernels.Float]() *table[T] {
	if kernels.IsFloat32[T]() {
		return (*table[T])(unsafe.Pointer(&avx2))
	}
	return (*table[T])(unsafe.Pointer(&avx2F64))
}

// The blocks are not inlined, for the stack check at their heads: assembly cannot
// be preempted.

//go:noinline
func applyBlock[T kernels.Float](f binaryFunc[T], n int, a, b *T, x, y T, out *T) {
	f(n, a, b, x, y, out)
}

//go:noinline
func mapBlock[T kernels.Float](f unaryFunc[T], n int, x, out *T) { f(n, x, out) }

//go:noinline
func (t *table[T]) subOuterBlock(m, d int, x *T, ldx int, rows, cols, y *T, ldy int) {
	size := kernels.SizeOf[T]()
	t.subOuter(m, d, x, size*ldx, rows, cols, y, size*ldy)
}

//go:noinline
func (t *table[T]) transposeBlock(m, d int, x *T, ldx int, y *T, ldy int) {
	size := kernels.SizeOf[T]()
	t.transpose(m, d, x, size*ldx, y, size*ldy)
}
