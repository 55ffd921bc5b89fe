//go:build !noasm

package conv

import "driftless/kernels"

// vectorPool is MaxPool, or AveragePool, of n windows of 2×2 side by side, if the instruction set in
// use has vectors; x begins at the first. It is not inlined, for the stack check at its head:
// assembly cannot be preempted.
//
//go:noinline
func vectorPool[T kernels.Float](average bool, w Window, n int, x []T, ldx int, y []T, ldy int) bool {
	u := unitInUse[T]()
	if u == nil || w.KernelHeight != 2 || w.KernelWidth != 2 {
		return false
	}
	f := u.maxPool
	if average {
		f = u.averagePool
	}
	size, next := kernels.SizeOf[T](), w.Width*ldx
	f(n, w.Channels, &x[0], &x[ldx], &x[next], &x[next+ldx], size*w.Stride*ldx, &y[0], size*ldy)
	return true
}

// vectorMaxPoolGrad is MaxPoolGrad of a row of n windows of 2×2 beside one another, likewise; x and
// dx begin at the first of their positions.
//
//go:noinline
func vectorMaxPoolGrad[T kernels.Float](w Window, n int, x []T, ldx int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) bool {
	u := unitInUse[T]()
	if u == nil {
		return false
	}
	size, next, down := kernels.SizeOf[T](), w.Width*ldx, w.Width*lddx
	u.maxPoolGrad(n, w.Channels, &x[0], &x[ldx], &x[next], &x[next+ldx], 2*size*ldx, &y[0], size*ldy, &g[0], size*ldg,
		&dx[0], &dx[lddx], &dx[down], &dx[down+lddx], 2*size*lddx)
	return true
}

// vectorAveragePoolGrad is AveragePoolGrad likewise.
//
//go:noinline
func vectorAveragePoolGrad[T kernels.Float](w Window, n int, g []T, ldg int, dx []T, lddx int) bool {
	u := unitInUse[T]()
	if u == nil {
		return false
	}
	size, down := kernels.SizeOf[T](), w.Width*lddx
	u.averagePoolGrad(n, w.Channels, &g[0], size*ldg, &dx[0], &dx[lddx], &dx[down], &dx[down+lddx], 2*size*lddx)
	return true
}

// vectorPlanePool is PlaneMaxPool of one plane in windows of 2×2 beside one another, or with g its gradient, if the instruction set
// in use has vectors and rows are long enough. Of the gradient it leaves alone what no window sees.
func vectorPlanePool[T kernels.Float](p Planes, x, y, g []T) bool {
	n, rows := p.Width/2*2, p.Height/2
	if kernels.CurrentISA() == kernels.Go || n*kernels.SizeOf[T]() < 32 {
		return false
	}
	const most = 32 << 10 // numbers of a call, which cannot be preempted
	for r := 0; r < rows; {
		some := min(rows-r, max(1, most/n))
		planePoolRows(p.Width, some, n, x[2*r*p.Width:], y, g, r)
		r += some
	}
	return true
}

// planePoolRows does rows of windows from row r on. It is not inlined, for the stack check at its head.
//
//go:noinline
func planePoolRows[T kernels.Float](width, rows, n int, x, y, g []T, r int) {
	size, half := kernels.SizeOf[T](), n/2
	if g == nil {
		to := &y[r*half]
		if kernels.IsFloat32[T]() {
			planeMaxPoolAVX2(rows, n, kernels.P32(&x[0]), kernels.P32(&x[width]), 2*size*width, kernels.P32(to), size*half)
		} else {
			planeMaxPoolF64AVX2(rows, n, kernels.P64(&x[0]), kernels.P64(&x[width]), 2*size*width, kernels.P64(to), size*half)
		}
		return
	}
	up, dx := &g[r*half], y[2*r*width:]
	if kernels.IsFloat32[T]() {
		planeMaxPoolGradAVX2(rows, n, kernels.P32(&x[0]), kernels.P32(&x[width]), 2*size*width, kernels.P32(up), size*half, kernels.P32(&dx[0]), kernels.P32(&dx[width]))
	} else {
		planeMaxPoolGradF64AVX2(rows, n, kernels.P64(&x[0]), kernels.P64(&x[width]), 2*size*width, kernels.P64(up), size*half, kernels.P64(&dx[0]), kernels.P64(&dx[width]))
	}
}
