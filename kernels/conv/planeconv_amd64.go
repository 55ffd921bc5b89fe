//go:build !noasm

package conv

import (
	"unsafe"

	"driftless/kernels"
	"driftless/kernels/gemm"
)

type planeFunc[T kernels.Float] func(panels, taps int, at *int32, x *T, xVector, xPanel int, w *T, wStep int, y *T, yVector, yStep, yPanel int, first, last, flags int)

type dotsFunc[T kernels.Float] func(images, lines, full, tail int, g *T, gStep, gLine, gImage int, x *T, xLine, xImage int, at *int32, sums *T, sumStep int)

// planeUnit is an instruction set's kernels for convolutions whose channels lie one after another: tiles by rows, of two vectors, and
// sums by taps, for those units of tapUnit, and by rows.
type planeUnit[T kernels.Float] struct {
	lanes int
	tiles []planeFunc[T]
	dots  [2][]dotsFunc[T] // of three taps, and of six if there are any
}

func planeUnitInUse[T kernels.Float]() *planeUnit[T] {
	return (*planeUnit[T])(kernels.Pick[T](unsafe.Pointer(&planes256), unsafe.Pointer(&planes512), unsafe.Pointer(&planes256F64), unsafe.Pointer(&planes512F64)))
}

var planes256 = planeUnit[float32]{8,
	[]planeFunc[float32]{nil, planes1AVX2, planes2AVX2, planes3AVX2, planes4AVX2, planes5AVX2, planes6AVX2},
	[2][]dotsFunc[float32]{{nil, planeDots1x3AVX2, planeDots2x3AVX2, planeDots3x3AVX2}}}

var planes512 = planeUnit[float32]{16,
	[]planeFunc[float32]{nil, planes1AVX512, planes2AVX512, planes3AVX512, planes4AVX512, planes5AVX512, planes6AVX512,
		planes7AVX512, planes8AVX512, planes9AVX512, planes10AVX512, planes11AVX512, planes12AVX512},
	[2][]dotsFunc[float32]{{nil, planeDots1x3AVX512, planeDots2x3AVX512, planeDots3x3AVX512, planeDots4x3AVX512},
		{nil, planeDots1x6AVX512, planeDots2x6AVX512, planeDots3x6AVX512, planeDots4x6AVX512}}}

var planes256F64 = planeUnit[float64]{4,
	[]planeFunc[float64]{nil, planes1F64AVX2, planes2F64AVX2, planes3F64AVX2, planes4F64AVX2, planes5F64AVX2, planes6F64AVX2},
	[2][]dotsFunc[float64]{{nil, planeDots1x3F64AVX2, planeDots2x3F64AVX2, planeDots3x3F64AVX2}}}

var planes512F64 = planeUnit[float64]{8,
	[]planeFunc[float64]{nil, planes1F64AVX512, planes2F64AVX512, planes3F64AVX512, planes4F64AVX512, planes5F64AVX512, planes6F64AVX512,
		planes7F64AVX512, planes8F64AVX512, planes9F64AVX512, planes10F64AVX512, planes11F64AVX512, planes12F64AVX512},
	[2][]dotsFunc[float64]{{nil, planeDots1x3F64AVX512, planeDots2x3F64AVX512, planeDots3x3F64AVX512, planeDots4x3F64AVX512},
		{nil, planeDots1x6F64AVX512, planeDots2x6F64AVX512, planeDots3x6F64AVX512, planeDots4x6F64AVX512}}}

// inTiles calls f with parts of n of at most so many, equal or nearly so.
func inTiles(n, most int, f func(i, size int)) {
	count := (n + most - 1) / most
	for i, k := 0, 0; i < n; k++ {
		size := n / count
		if k < n%count {
			size++
		}
		f(i, size)
		i += size
	}
}

// vectorConvolve is convolve if the instruction set in use has vectors. Two vectors are neighbours in a row of windows, or,
// of its last one, those of two rows.
func vectorConvolve[T kernels.Float](f frame, filters int, at []int32, image, w, y []T) bool {
	u := planeUnitInUse[T]()
	if u == nil {
		return false
	}
	chunk := gemm.Chunk(len(at))
	for lo := 0; lo < len(at); lo += chunk {
		taps := at[lo:min(len(at), lo+chunk)]
		c := planeCall[T]{u: u, f: f, taps: taps, k: len(at)}
		if lo > 0 {
			c.flags = flagAdd
		}
		inTiles(filters, len(u.tiles)-1, func(o, rows int) {
			c.rows = rows
			for j := 0; j < f.width; {
				rest := f.width - j
				from, to := image[j:], y[o*f.down*f.width+j:]
				if rest > u.lanes {
					c.run(f.down, 1, from, w[o*len(at)+lo:], to, u.lanes, u.lanes, u.lanes, min(u.lanes, rest-u.lanes))
					j += min(rest, 2*u.lanes)
					continue
				}
				if f.down > 1 {
					c.run(f.down/2, 2, from, w[o*len(at)+lo:], to, f.apart, f.width, rest, rest)
				}
				if f.down%2 == 1 {
					r := f.down - 1
					c.run(1, 1, from[r*f.apart:], w[o*len(at)+lo:], to[r*f.width:], 0, 0, rest, rest)
				}
				j += rest
			}
		})
	}
	return true
}

// planeCall is a tile but for its place.
type planeCall[T kernels.Float] struct {
	u     *planeUnit[T]
	f     frame
	taps  []int32
	k     int // numbers of a filter
	rows  int
	flags int
}

// run computes panels of so many lines each, in calls that do not last long.
func (c *planeCall[T]) run(panels, lines int, x, w, y []T, xVector, yVector, first, last int) {
	size := kernels.SizeOf[T]()
	most := max(1, callWork/(size*c.rows*2*c.u.lanes*len(c.taps)))
	for p := 0; p < panels; p += most {
		c.call(min(most, panels-p), lines, x[p*lines*c.f.apart:], w, y[p*lines*c.f.width:], xVector, yVector, first, last)
	}
}

// call is not inlined, for the stack check at its head: assembly cannot be preempted.
//
//go:noinline
func (c *planeCall[T]) call(panels, lines int, x, w, y []T, xVector, yVector, first, last int) {
	size, f := kernels.SizeOf[T](), &c.f
	c.u.tiles[c.rows](panels, len(c.taps), &c.taps[0], &x[0], size*xVector, size*lines*f.apart, &w[0], size*c.k,
		&y[0], size*yVector, size*f.down*f.width, size*lines*f.width, first, last, c.flags)
}

// vectorDots is dots likewise.
func vectorDots[T kernels.Float](f frame, n, lines, m int, at []int32, g []T, gImage int, x, sums []T) bool {
	u := planeUnitInUse[T]()
	if u == nil {
		return false
	}
	lanes := sumBytes / kernels.SizeOf[T]()
	kinds := u.dots[:1]
	if u.dots[1] != nil {
		kinds = u.dots[:]
	}
	inTiles(m, len(kinds[0])-1, func(i, rows int) {
		c := dotsCall[T]{kinds[len(kinds)-1][rows], f, n, lines, gImage, len(at) * sumBytes}
		for j := 0; j < len(at); j += 3 * len(kinds) {
			for half := 0; half < lanes; half += u.lanes {
				c.call(half, u.lanes, lanes, at[j:], g[i*f.down*f.width:], x, sums[(i*len(at)+j)*lanes:])
			}
		}
	})
	return true
}

// dotsCall is a call of a kernel but for its place.
type dotsCall[T kernels.Float] struct {
	kernel          dotsFunc[T]
	f               frame
	images, lines   int
	gImage, sumStep int
}

// call is not inlined, likewise.
//
//go:noinline
func (c *dotsCall[T]) call(from, lanes, all int, at []int32, g, x, sums []T) {
	size, f := kernels.SizeOf[T](), &c.f
	full := 0
	for full*all+from+lanes <= f.width {
		full++
	}
	tail := max(0, min(lanes, f.width-full*all-from))
	if full == 0 && tail == 0 {
		return
	}
	c.kernel(c.images, c.lines, full*sumBytes, tail, &g[from], size*f.down*f.width, size*f.width, size*(c.gImage-c.lines*f.width),
		&x[from], size*f.apart, size*(f.size()-c.lines*f.apart), &at[0], &sums[from], c.sumStep)
}
