//go:build !noasm

package loss

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg loss

const (
	// mostClasses is the number of classes up to which a group of rows is short
	// enough for one call of assembly.
	mostClasses = 1 << 10
	// blockSize is the number of logits of a call, some microseconds; blocks are
	// whole groups of rows.
	blockSize = 1 << 13
	groupRows = 16
)

// blockRows is the number of rows of a call of assembly, 0 if there is none for n
// classes.
func blockRows(n int) int {
	if kernels.CurrentISA() == kernels.Go || n > mostClasses {
		return 0
	}
	return max(groupRows, blockSize/n&^(groupRows-1))
}

// vectorSoftmax computes rowLoss and dz, either of which may be nil, with vectors,
// and reports whether it could.
func vectorSoftmax[T kernels.Float](m, n int, logits []T, ld int, labels, scale, rowLoss, dz []T, lddz int) bool {
	rows := blockRows(n)
	for i := 0; i < m && rows > 0; i += rows {
		b := block[T]{m: min(rows, m-i), n: n, logits: &logits[i*ld], ld: kernels.SizeOf[T]() * ld, labels: &labels[i]}
		if rowLoss != nil {
			b.rowLoss = &rowLoss[i]
		}
		if dz != nil {
			b.dz, b.lddz, b.scale = &dz[i*lddz], kernels.SizeOf[T]()*lddz, &scale[0]
			if len(scale) > 1 {
				b.scale, b.scaleStep = &scale[i], 1
			}
		}
		b.softmax()
	}
	return rows > 0
}

// vectorCorrect is Correct with vectors, and reports whether it could.
func vectorCorrect[T kernels.Float](m, n int, logits []T, ld int, labels, out []T) bool {
	rows := blockRows(n)
	for i := 0; i < m && rows > 0; i += rows {
		b := block[T]{m: min(rows, m-i), n: n, logits: &logits[i*ld], ld: kernels.SizeOf[T]() * ld, labels: &labels[i]}
		b.correct(&out[i])
	}
	return rows > 0
}

// block holds what a call of assembly does: m rows, leading dimensions in bytes.
type block[T kernels.Float] struct {
	m, n               int
	logits, labels     *T
	ld                 int
	scale, rowLoss, dz *T
	scaleStep, lddz    int
}

// The calls are not inlined, for the stack check at their heads: assembly cannot be preempted.

//go:noinline
func (b *block[T]) softmax() {
	wide := kernels.CurrentISA() >= kernels.AVX512
	switch {
	case kernels.IsFloat32[T]() && wide:
		softmaxAVX512(b.m, b.n, kernels.P32(b.logits), b.ld, kernels.P32(b.labels), kernels.P32(b.scale), b.scaleStep, kernels.P32(b.rowLoss), kernels.P32(b.dz), b.lddz)
	case kernels.IsFloat32[T]():
		softmaxAVX2(b.m, b.n, kernels.P32(b.logits), b.ld, kernels.P32(b.labels), kernels.P32(b.scale), b.scaleStep, kernels.P32(b.rowLoss), kernels.P32(b.dz), b.lddz)
	case wide:
		softmaxF64AVX512(b.m, b.n, kernels.P64(b.logits), b.ld, kernels.P64(b.labels), kernels.P64(b.scale), b.scaleStep, kernels.P64(b.rowLoss), kernels.P64(b.dz), b.lddz)
	default:
		softmaxF64AVX2(b.m, b.n, kernels.P64(b.logits), b.ld, kernels.P64(b.labels), kernels.P64(b.scale), b.scaleStep, kernels.P64(b.rowLoss), kernels.P64(b.dz), b.lddz)
	}
}

//go:noinline
func (b *block[T]) correct(out *T) {
	wide := kernels.CurrentISA() >= kernels.AVX512
	switch {
	case kernels.IsFloat32[T]() && wide:
		correctAVX512(b.m, b.n, kernels.P32(b.logits), b.ld, kernels.P32(b.labels), kernels.P32(out))
	case kernels.IsFloat32[T]():
		correctAVX2(b.m, b.n, kernels.P32(b.logits), b.ld, kernels.P32(b.labels), kernels.P32(out))
	case wide:
		correctF64AVX512(b.m, b.n, kernels.P64(b.logits), b.ld, kernels.P64(b.labels), kernels.P64(out))
	default:
		correctF64AVX2(b.m, b.n, kernels.P64(b.logits), b.ld, kernels.P64(b.labels), kernels.P64(out))
	}
}
