//go:build !noasm

package elem

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg elem

// blockSize is the number of elements of a call of assembly, some microseconds.
const blockSize = 1 << 13

// operand is an operand of the vector kernels: move is 1, or 0 for a scalar, which
// is repeated for one vector.
type operand struct {
	x    []float32
	move int
}

func operandOf(x, buf []float32, n int) operand {
	if len(x) == n {
		return operand{x, 1}
	}
	fill(buf, x[0])
	return operand{buf, 0}
}

func (o operand) at(i int) *float32 { return &o.x[i*o.move] }

// apply32 is Apply, and map32 is Map; they report whether they did it.
func apply32(op Binary, a, b, out []float32) bool {
	n := len(out)
	if kernels.CurrentISA() == kernels.Go || op > Ne {
		return false
	}
	var as, bs [16]float32
	x, y := operandOf(a, as[:], n), operandOf(b, bs[:], n)
	for i := 0; i < n; i += blockSize {
		applyBlock(op, min(blockSize, n-i), x.at(i), x.move, y.at(i), y.move, &out[i])
	}
	return true
}

func map32(op Unary, x, out []float32) bool {
	switch op {
	case Neg, Square, Sqrt, Abs, Inverse, InverseSqrt, Cube:
	default:
		return false
	}
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	for i := 0; i < len(x); i += blockSize {
		mapBlock(op, min(blockSize, len(x)-i), &x[i], &out[i])
	}
	return true
}

// addRow32 is AddRow for d > 0, row by row.
func addRow32(m, d int, x []float32, ldx int, row, y []float32, ldy int) bool {
	if kernels.CurrentISA() == kernels.Go || d > blockSize {
		return false
	}
	for i := range m {
		applyBlock(Add, d, &x[i*ldx], 1, &row[0], 1, &y[i*ldy])
	}
	return true
}

// transpose32 is Transpose for all but the smallest matrices, a block of rows after the other;
// the last is done with rows before it if it has few.
func transpose32(m, d int, x []float32, ldx int, y []float32, ldy int) bool {
	if kernels.CurrentISA() == kernels.Go || m < 8 || d < 4 || d > blockSize {
		return false
	}
	rows := max(16, blockSize/d&^15)
	for i := 0; i < m; i += rows {
		first := min(i, max(0, m-16))
		transposeBlock(min(i+rows, m)-first, d, &x[first*ldx], 4*ldx, &y[first], 4*ldy)
	}
	return true
}

// The blocks are not inlined, for the stack check at their heads: assembly cannot
// be preempted.

//go:noinline
func applyBlock(op Binary, n int, a *float32, moveA int, b *float32, moveB int, out *float32) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		applyAVX512(op, n, a, moveA, b, moveB, out)
	} else {
		applyAVX2(op, n, a, moveA, b, moveB, out)
	}
}

//go:noinline
func mapBlock(op Unary, n int, x, out *float32) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		mapAVX512(op, n, x, out)
	} else {
		mapAVX2(op, n, x, out)
	}
}

//go:noinline
func transposeBlock(m, d int, x *float32, ldx int, y *float32, ldy int) {
	if kernels.CurrentISA() >= kernels.AVX512 && m >= 16 {
		transposeAVX512(m, d, x, ldx, y, ldy)
	} else {
		transposeAVX2(m, d, x, ldx, y, ldy)
	}
}

func applyAVX512(op Binary, n int, a *float32, moveA int, b *float32, moveB int, out *float32) {
	switch op {
	case Add:
		addAVX512(n, a, moveA, b, moveB, out)
	case Sub:
		subAVX512(n, a, moveA, b, moveB, out)
	case Mul:
		mulAVX512(n, a, moveA, b, moveB, out)
	case Div:
		divAVX512(n, a, moveA, b, moveB, out)
	case Gt:
		gtAVX512(n, a, moveA, b, moveB, out)
	case Gte:
		gteAVX512(n, a, moveA, b, moveB, out)
	case Lt:
		ltAVX512(n, a, moveA, b, moveB, out)
	case Lte:
		lteAVX512(n, a, moveA, b, moveB, out)
	case Eq:
		eqAVX512(n, a, moveA, b, moveB, out)
	case Ne:
		neAVX512(n, a, moveA, b, moveB, out)
	}
}

func mapAVX512(op Unary, n int, x, out *float32) {
	switch op {
	case Neg:
		negAVX512(n, x, out)
	case Square:
		squareAVX512(n, x, out)
	case Sqrt:
		sqrtAVX512(n, x, out)
	case Abs:
		absAVX512(n, x, out)
	case Inverse:
		inverseAVX512(n, x, out)
	case InverseSqrt:
		inverseSqrtAVX512(n, x, out)
	case Cube:
		cubeAVX512(n, x, out)
	}
}

func applyAVX2(op Binary, n int, a *float32, moveA int, b *float32, moveB int, out *float32) {
	switch op {
	case Add:
		addAVX2(n, a, moveA, b, moveB, out)
	case Sub:
		subAVX2(n, a, moveA, b, moveB, out)
	case Mul:
		mulAVX2(n, a, moveA, b, moveB, out)
	case Div:
		divAVX2(n, a, moveA, b, moveB, out)
	case Gt:
		gtAVX2(n, a, moveA, b, moveB, out)
	case Gte:
		gteAVX2(n, a, moveA, b, moveB, out)
	case Lt:
		ltAVX2(n, a, moveA, b, moveB, out)
	case Lte:
		lteAVX2(n, a, moveA, b, moveB, out)
	case Eq:
		eqAVX2(n, a, moveA, b, moveB, out)
	case Ne:
		neAVX2(n, a, moveA, b, moveB, out)
	}
}

func mapAVX2(op Unary, n int, x, out *float32) {
	switch op {
	case Neg:
		negAVX2(n, x, out)
	case Square:
		squareAVX2(n, x, out)
	case Sqrt:
		sqrtAVX2(n, x, out)
	case Abs:
		absAVX2(n, x, out)
	case Inverse:
		inverseAVX2(n, x, out)
	case InverseSqrt:
		inverseSqrtAVX2(n, x, out)
	case Cube:
		cubeAVX2(n, x, out)
	}
}
