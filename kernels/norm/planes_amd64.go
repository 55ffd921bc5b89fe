//go:build !noasm

package norm

import "driftless/kernels"

// The kernels of planes.go. Sums take whole fours of a channel's elements in assembly, of several channels
// in turns, since one channel's chain of additions leaves the processor idle; what is left of a plane is
// added here, so that planes that are no multiple of four go image by image.

// planeElements bounds the elements of a channel that a call of assembly works on.
const planeElements = 4 << 10

// fastPlanes reports whether there are vector kernels for m channels of s elements in n images. Those of a few
// elements are left to the plain Go.
func fastPlanes(n, s, m int) bool { return s >= 8 && fast(n, m) }

// planes are what sums go over: fours of elements, in images, of neighbouring channels, of which there are
// several, or with step 0 one.
type planes[T kernels.Float] struct {
	x, g         []T // from the first channel on
	images, s, c int
	step         int // elements from one channel to the next
	mean, invStd [2]T
}

// sumsOf calls add with runs of whole fours, at elements from x[at] on, and then rest with the elements that are
// left of a plane, for each image.
func (p *planes[T]) sumsOf(add func(at, images, quads int), rest func(at int)) {
	if p.s%4 == 0 && p.s <= planeElements {
		for i, some := 0, planeElements/p.s; i < p.images; i += some {
			add(i*p.c*p.s, min(some, p.images-i), p.s/4)
		}
		return
	}
	for i := range p.images {
		at := i * p.c * p.s
		for k := 0; k < p.s/4; k += planeElements / 4 {
			add(at+4*k, 1, min(planeElements/4, p.s/4-k))
		}
		rest(at + p.s/4*4)
	}
}

// gap is the bytes from the end of a channel's elements in an image to those in the next.
func (p *planes[T]) gap() int { return kernels.SizeOf[T]() * (p.c - 1) * p.s }

// run and those below are not inlined, for the stack check at their heads.
//
//go:noinline
func (p *planes[T]) run(at, images, quads int, center, acc *[4][4]float64) {
	step := kernels.SizeOf[T]() * p.step
	switch x := &p.x[at]; {
	case kernels.IsFloat32[T]() && center == nil:
		planeSumsAVX2(images, quads, kernels.P32(x), step, p.gap(), &acc[0][0])
	case kernels.IsFloat32[T]():
		planeSquaresAVX2(images, quads, kernels.P32(x), step, p.gap(), &center[0][0], &acc[0][0])
	case center == nil:
		planeSumsF64AVX2(images, quads, kernels.P64(x), step, p.gap(), &acc[0][0])
	default:
		planeSquaresF64AVX2(images, quads, kernels.P64(x), step, p.gap(), &center[0][0], &acc[0][0])
	}
}

//go:noinline
func (p *planes[T]) runGrad(at, images, quads int, acc *[4][4]float64) {
	step := kernels.SizeOf[T]() * p.step
	if x, g := &p.x[at], &p.g[at]; kernels.IsFloat32[T]() {
		planeGradSumsAVX2(images, quads, kernels.P32(x), kernels.P32(g), step, p.gap(), kernels.P32(&p.mean[0]), kernels.P32(&p.invStd[0]), &acc[0][0])
	} else {
		planeGradSumsF64AVX2(images, quads, kernels.P64(x), kernels.P64(g), step, p.gap(), kernels.P64(&p.mean[0]), kernels.P64(&p.invStd[0]), &acc[0][0])
	}
}

func vectorPlaneStats[T kernels.Float](n, c, s, first, m int, x, mean, variance []T) bool {
	if !fastPlanes(n, s, m) {
		return false
	}
	for j := 0; j < m; {
		some := 4
		p := planes[T]{x: x[(first+j)*s:], images: n, s: s, c: c, step: s}
		if m-j < some {
			some, p.step = 1, 0
		}
		var sum, sq, center [4][4]float64
		p.sumsOf(func(at, images, quads int) { p.run(at, images, quads, nil, &sum) }, func(at int) {
			for i := range some {
				for k, v := range p.x[at+i*s:][:s%4] {
					sum[i][k] += float64(v)
				}
			}
		})
		for i := range some {
			center[0][i] = total(sum[i]) / float64(n*s)
		}
		p.sumsOf(func(at, images, quads int) { p.run(at, images, quads, &center, &sq) }, func(at int) {
			for i := range some {
				for k, v := range p.x[at+i*s:][:s%4] {
					d := float64(v) - center[0][i]
					sq[i][k] += float64(d * d)
				}
			}
		})
		for i := range some {
			mean[j+i], variance[j+i] = T(center[0][i]), T(total(sq[i])/float64(n*s))
		}
		j += some
	}
	return true
}

func vectorPlaneGrad[T kernels.Float](n, c, s, first, m int, x, mean, invStd []T, weight T, g, dx []T) bool {
	if !fastPlanes(n, s, m) {
		return false
	}
	for j := 0; j < m; {
		some, from := 2, (first+j)*s
		p := planes[T]{x: x[from:], g: g[from:], images: n, s: s, c: c, step: s}
		if m-j < some {
			some, p.step = 1, 0
		}
		copy(p.mean[:], mean[j:m])
		copy(p.invStd[:], invStd[j:m])
		var acc [4][4]float64
		p.sumsOf(func(at, images, quads int) { p.runGrad(at, images, quads, &acc) }, func(at int) {
			for i := range some {
				grads := p.g[at+i*s:][:s%4]
				for k, v := range p.x[at+i*s:][:s%4] {
					acc[i][k] += float64(grads[k])
					acc[2+i][k] += float64(float64(grads[k]) * float64((v-p.mean[i])*p.invStd[i]))
				}
			}
		})
		for i := range some {
			a, b := gradMeans(n*s, weight, acc[i], acc[2+i])
			constants := [4]T{p.mean[i], p.invStd[i], a, b}
			if s > planeElements {
				for image := range n {
					for k := 0; k < s; k += planeElements {
						at := from + (image*c+i)*s + k
						gradRows(1, min(planeElements, s-k), x[at:], g[at:], 0, &constants, dx[at:])
					}
				}
				continue
			}
			for image, rows := 0, planeElements/s; image < n; image += rows {
				at := from + (image*c+i)*s
				gradRows(min(rows, n-image), s, x[at:], g[at:], c*s, &constants, dx[at:])
			}
		}
		j += some
	}
	return true
}

//go:noinline
func gradRows[T kernels.Float](m, d int, x, g []T, step int, c *[4]T, dx []T) {
	step *= kernels.SizeOf[T]()
	switch wide := kernels.CurrentISA() >= kernels.AVX512; {
	case kernels.IsFloat32[T]() && wide:
		planeGradAVX512(m, d, kernels.P32(&x[0]), kernels.P32(&g[0]), step, kernels.P32(&c[0]), kernels.P32(&dx[0]))
	case kernels.IsFloat32[T]():
		planeGradAVX2(m, d, kernels.P32(&x[0]), kernels.P32(&g[0]), step, kernels.P32(&c[0]), kernels.P32(&dx[0]))
	case wide:
		planeGradF64AVX512(m, d, kernels.P64(&x[0]), kernels.P64(&g[0]), step, kernels.P64(&c[0]), kernels.P64(&dx[0]))
	default:
		planeGradF64AVX2(m, d, kernels.P64(&x[0]), kernels.P64(&g[0]), step, kernels.P64(&c[0]), kernels.P64(&dx[0]))
	}
}

func vectorRowsBy[T kernels.Float](c, first, m, s int, x, mean, invStd, y []T) bool {
	if !fastPlanes(1, s, m) {
		return false
	}
	for i := 0; i < m; {
		k := (first + i) % c
		if s > planeElements {
			for j := 0; j < s; j += planeElements {
				rowsBy(1, min(planeElements, s-j), x[i*s+j:], 0, mean[k:], invStd[k:], y[i*s+j:])
			}
			i++
			continue
		}
		rows := min(m-i, c-k, planeElements/s)
		rowsBy(rows, s, x[i*s:], s, mean[k:], invStd[k:], y[i*s:])
		i += rows
	}
	return true
}

//go:noinline
func rowsBy[T kernels.Float](m, d int, x []T, step int, mean, invStd, y []T) {
	step *= kernels.SizeOf[T]()
	switch wide := kernels.CurrentISA() >= kernels.AVX512; {
	case kernels.IsFloat32[T]() && wide:
		rowsByAVX512(m, d, kernels.P32(&x[0]), step, kernels.P32(&mean[0]), kernels.P32(&invStd[0]), kernels.P32(&y[0]))
	case kernels.IsFloat32[T]():
		rowsByAVX2(m, d, kernels.P32(&x[0]), step, kernels.P32(&mean[0]), kernels.P32(&invStd[0]), kernels.P32(&y[0]))
	case wide:
		rowsByF64AVX512(m, d, kernels.P64(&x[0]), step, kernels.P64(&mean[0]), kernels.P64(&invStd[0]), kernels.P64(&y[0]))
	default:
		rowsByF64AVX2(m, d, kernels.P64(&x[0]), step, kernels.P64(&mean[0]), kernels.P64(&invStd[0]), kernels.P64(&y[0]))
	}
}
