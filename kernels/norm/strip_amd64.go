//go:build !noasm

package norm

import (
	"unsafe"

	"driftless/kernels"
)

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg norm -dispatch dispatch_amd64.go

// strip is a few columns of the matrices that a vector kernel works on. Its layout
// is known to internal/gen.
type strip[T kernels.Float] struct {
	rows, cols int
	x          *T
	ldx        int // bytes
	y          *T
	ldy        int
	z          *T
	ldz        int
	c          [3]*T     // vectors with an element a column
	mean       *T        // hi, lo and dot of a table of means
	acc        *float64  // one a column, of one kind after the other
	f          [3]uint64 // the bits of scalars
}

// maxCols is the number of columns in the widest strip, a multiple of every
// vector's lanes.
const maxCols = 256

// sums holds the accumulators of one kind, one a column.
type sums [maxCols]float64

// means holds hi and lo of the means of a strip's columns, and in a gradient dot, the
// means of g·xhat.
type means[T kernels.Float] [3][maxCols]T

// kernel names a vector kernel; those of internal/gen say what each does.
type kernel uint8

const (
	addSums kernel = iota
	addSquares
	addDots
	addGradSums
	addAffineSums
	takeMeans
	splitMeans
	takeVariances
	takeInvStds
	average
	subtract // from here on each element by itself, of matrices
	center
	squareDeviate
	scale
	affine
	normalizeBy
	standardize
	standardizeAffine
	grad
	affineGrad
)

// callCols bounds those of one row likewise: a root and a division each.
const callCols = 1 << 12

// callBytes bounds the part of a matrix that one call of assembly, which cannot
// be preempted, works on.
const callBytes = 1 << 16

// byRows runs a kernel on all rows. The garbage collector can stop it between the
// calls, hence it is not inlined.
//
//go:noinline
func (s strip[T]) byRows(k kernel) {
	left, block := s.rows, max(8, callBytes/kernels.SizeOf[T]()/s.cols&^7)
	for {
		n := min(block, left)
		s.rows = n
		switch wide := kernels.CurrentISA() >= kernels.AVX512; {
		case kernels.IsFloat32[T]() && wide:
			runAVX512(k, &s.rows)
		case kernels.IsFloat32[T]():
			runAVX2(k, &s.rows)
		case wide:
			runF64AVX512(k, &s.rows)
		default:
			runF64AVX2(k, &s.rows)
		}
		if left -= n; left == 0 {
			return
		}
		s.x, s.y, s.z = below(s.x, n*s.ldx), below(s.y, n*s.ldy), below(s.z, n*s.ldz)
	}
}

func below[T kernels.Float](p *T, bytes int) *T { return (*T)(unsafe.Add(unsafe.Pointer(p), bytes)) }

func view[T kernels.Float](p *T, n int) []T { return unsafe.Slice(p, n) }
