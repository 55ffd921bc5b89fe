//go:build !noasm

package norm

import (
	"unsafe"

	"driftless/kernels"
)

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg norm

// strip is a few columns of the matrices that a vector kernel works on. Its layout
// is known to internal/gen.
type strip struct {
	rows, cols int
	x          *float32
	ldx        int // bytes
	y          *float32
	ldy        int
	z          *float32
	ldz        int
	c          [3]*float32 // vectors with an element a column
	mean       *float32    // hi, lo and dot of a table of means
	acc        *float64    // one a column, of one kind after the other
	f          [3]uint64   // the bits of scalars
}

// maxCols is the number of columns in the widest strip, a multiple of every
// vector's lanes.
const maxCols = 256

// sums holds the accumulators of one kind, one a column.
type sums [maxCols]float64

// means holds hi and lo of the means of a strip's columns, and in a gradient dot, the
// means of g·xhat.
type means [3][maxCols]float32

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

// callSize bounds the elements of a matrix that one call of assembly, which cannot
// be preempted, works on.
const callSize = 1 << 14

// byRows runs a kernel on all rows. The garbage collector can stop it between the
// calls, hence it is not inlined.
//
//go:noinline
func (s strip) byRows(k kernel) {
	left, block := s.rows, max(8, callSize/s.cols&^7)
	for {
		n := min(block, left)
		s.rows = n
		if kernels.CurrentISA() >= kernels.AVX512 {
			avx512(k, &s.rows)
		} else {
			avx2(k, &s.rows)
		}
		if left -= n; left == 0 {
			return
		}
		s.x, s.y, s.z = below(s.x, n*s.ldx), below(s.y, n*s.ldy), below(s.z, n*s.ldz)
	}
}

func below(p *float32, bytes int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes)) }

func view(p *float32, n int) []float32 { return unsafe.Slice(p, n) }

func avx512(k kernel, strip *int) {
	switch k {
	case addSums:
		addSumsAVX512(strip)
	case addSquares:
		addSquaresAVX512(strip)
	case addDots:
		addDotsAVX512(strip)
	case addGradSums:
		addGradSumsAVX512(strip)
	case addAffineSums:
		addAffineSumsAVX512(strip)
	case takeMeans:
		takeMeansAVX512(strip)
	case splitMeans:
		splitMeansAVX512(strip)
	case takeVariances:
		takeVariancesAVX512(strip)
	case takeInvStds:
		takeInvStdsAVX512(strip)
	case average:
		averageAVX512(strip)
	case subtract:
		subtractAVX512(strip)
	case center:
		centerAVX512(strip)
	case squareDeviate:
		squareDeviateAVX512(strip)
	case scale:
		scaleAVX512(strip)
	case affine:
		affineAVX512(strip)
	case normalizeBy:
		normalizeByAVX512(strip)
	case standardize:
		standardizeAVX512(strip)
	case standardizeAffine:
		standardizeAffineAVX512(strip)
	case grad:
		gradAVX512(strip)
	case affineGrad:
		affineGradAVX512(strip)
	}
}

func avx2(k kernel, strip *int) {
	switch k {
	case addSums:
		addSumsAVX2(strip)
	case addSquares:
		addSquaresAVX2(strip)
	case addDots:
		addDotsAVX2(strip)
	case addGradSums:
		addGradSumsAVX2(strip)
	case addAffineSums:
		addAffineSumsAVX2(strip)
	case takeMeans:
		takeMeansAVX2(strip)
	case splitMeans:
		splitMeansAVX2(strip)
	case takeVariances:
		takeVariancesAVX2(strip)
	case takeInvStds:
		takeInvStdsAVX2(strip)
	case average:
		averageAVX2(strip)
	case subtract:
		subtractAVX2(strip)
	case center:
		centerAVX2(strip)
	case squareDeviate:
		squareDeviateAVX2(strip)
	case scale:
		scaleAVX2(strip)
	case affine:
		affineAVX2(strip)
	case normalizeBy:
		normalizeByAVX2(strip)
	case standardize:
		standardizeAVX2(strip)
	case standardizeAffine:
		standardizeAffineAVX2(strip)
	case grad:
		gradAVX2(strip)
	case affineGrad:
		affineGradAVX2(strip)
	}
}
