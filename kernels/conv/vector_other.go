//go:build !amd64 || noasm

package conv

import (
	"driftless/kernels"
	"driftless/kernels/gemm"
)

func directProduct[T kernels.Float](w Window, first, m, n int, x []T, ldx int, b []T, ldb int, c []T, ldc int, ep gemm.Epilogue[T], scratch []T) bool {
	return false
}

func directGradient[T kernels.Float](w Window, windows, from, d, n int, x []T, ldx int, g []T, ldg int, c []T, ldc int, scratch []T) bool {
	return false
}

func vectorPatchesGrad[T kernels.Float](w Window, first, m int, g []T, ldg int, dx []T, ldx int) bool {
	return false
}

func vectorPool[T kernels.Float](average bool, w Window, n int, x []T, ldx int, y []T, ldy int) bool {
	return false
}

func vectorMaxPoolGrad[T kernels.Float](w Window, n int, x []T, ldx int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) bool {
	return false
}

func vectorAveragePoolGrad[T kernels.Float](w Window, n int, g []T, ldg int, dx []T, lddx int) bool {
	return false
}

func vectorConvolve[T kernels.Float](f frame, filters int, at []int32, image, w, y []T) bool {
	return false
}

func vectorDots[T kernels.Float](f frame, n, lines, m int, at []int32, g []T, gImage int, x, sums []T) bool {
	return false
}

func vectorPlanePool[T kernels.Float](p Planes, x, y, g []T) bool { return false }
