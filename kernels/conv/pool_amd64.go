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
