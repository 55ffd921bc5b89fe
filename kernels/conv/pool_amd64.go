//go:build !noasm

package conv

import "driftless/kernels"

type poolFunc func(n, d int, x0, x1, x2, x3 *float32, xStep int, y *float32, yStep int)

// vectorPool is MaxPool, or AveragePool, of n windows of 2×2 side by side, if the instruction set in
// use has vectors; x begins at the first. It is not inlined, for the stack check at its head:
// assembly cannot be preempted.
//
//go:noinline
func vectorPool[T kernels.Float](average bool, w Window, n int, x []T, ldx int, y []T, ldy int) bool {
	isa := kernels.CurrentISA()
	if isa == kernels.Go || !kernels.IsFloat32[T]() || w.KernelHeight != 2 || w.KernelWidth != 2 {
		return false
	}
	f := [2][2]poolFunc{{maxPoolAVX2, averagePoolAVX2}, {maxPoolAVX512, averagePoolAVX512}}[index(isa >= kernels.AVX512)][index(average)]
	a, b := kernels.AsFloat32(x), kernels.AsFloat32(y)
	next := w.Width * ldx
	f(n, w.Channels, &a[0], &a[ldx], &a[next], &a[next+ldx], 4*w.Stride*ldx, &b[0], 4*ldy)
	return true
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// vectorMaxPoolGrad is MaxPoolGrad of a row of n windows of 2×2 beside one another, likewise; x and
// dx begin at the first of their positions.
//
//go:noinline
func vectorMaxPoolGrad(w Window, n int, x []float32, ldx int, y []float32, ldy int, g []float32, ldg int, dx []float32, lddx int) bool {
	isa := kernels.CurrentISA()
	if isa == kernels.Go {
		return false
	}
	f := maxPoolGradAVX2
	if isa >= kernels.AVX512 {
		f = maxPoolGradAVX512
	}
	next, down := w.Width*ldx, w.Width*lddx
	f(n, w.Channels, &x[0], &x[ldx], &x[next], &x[next+ldx], 8*ldx, &y[0], 4*ldy, &g[0], 4*ldg,
		&dx[0], &dx[lddx], &dx[down], &dx[down+lddx], 8*lddx)
	return true
}

// vectorAveragePoolGrad is AveragePoolGrad likewise.
//
//go:noinline
func vectorAveragePoolGrad[T kernels.Float](w Window, n int, g []T, ldg int, dx []T, lddx int) bool {
	isa := kernels.CurrentISA()
	if isa == kernels.Go || !kernels.IsFloat32[T]() {
		return false
	}
	f := averagePoolGradAVX2
	if isa >= kernels.AVX512 {
		f = averagePoolGradAVX512
	}
	a, b, down := kernels.AsFloat32(g), kernels.AsFloat32(dx), w.Width*lddx
	f(n, w.Channels, &a[0], 4*ldg, &b[0], &b[lddx], &b[down], &b[down+lddx], 8*lddx)
	return true
}
