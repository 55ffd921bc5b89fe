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

// softmaxRows computes rowLoss and dz, either of which may be nil, with vectors,
// and reports whether it could.
func softmaxRows(m, n int, logits []float32, ld int, labels, scale, rowLoss, dz []float32, lddz int) bool {
	rows := blockRows(n)
	for i := 0; i < m && rows > 0; i += rows {
		softmaxBlock(i, min(rows, m-i), n, logits, ld, labels, scale, rowLoss, dz, lddz)
	}
	return rows > 0
}

// correctRows is Correct with vectors, and reports whether it could.
func correctRows(m, n int, logits []float32, ld int, labels, out []float32) bool {
	rows := blockRows(n)
	for i := 0; i < m && rows > 0; i += rows {
		correctBlock(i, min(rows, m-i), n, logits, ld, labels, out)
	}
	return rows > 0
}

// The blocks, of m rows from row i on, are not inlined, for the stack check at
// their heads: assembly cannot be preempted.

//go:noinline
func softmaxBlock(i, m, n int, logits []float32, ld int, labels, scale, rowLoss, dz []float32, lddz int) {
	var loss, grad, c *float32
	if rowLoss != nil {
		loss = &rowLoss[i]
	}
	step := 0
	if dz != nil {
		grad, c = &dz[i*lddz], &scale[0]
		if len(scale) > 1 {
			c, step = &scale[i], 4
		}
	}
	if kernels.CurrentISA() >= kernels.AVX512 {
		softmaxAVX512(m, n, &logits[i*ld], 4*ld, &labels[i], c, step, loss, grad, 4*lddz)
	} else {
		softmaxAVX2(m, n, &logits[i*ld], 4*ld, &labels[i], c, step, loss, grad, 4*lddz)
	}
}

//go:noinline
func correctBlock(i, m, n int, logits []float32, ld int, labels, out []float32) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		correctAVX512(m, n, &logits[i*ld], 4*ld, &labels[i], &out[i])
	} else {
		correctAVX2(m, n, &logits[i*ld], 4*ld, &labels[i], &out[i])
	}
}
