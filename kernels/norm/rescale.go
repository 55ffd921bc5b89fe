package norm

import "driftless/kernels"

// Rescale divides the columns of the m×d matrix x by their root mean square:
//
//	square = column variances about 0, as ColumnVar
//	inv    = 1/√(square + eps)          as InvStd
//	y      = x·inv                      in T
//
// inv has length d and is an output. y may be x itself, with the same leading dimension.
func Rescale[T kernels.Float](m, d int, x []T, ldx int, eps float64, inv []T, y []T, ldy int) {
	checkPair(m, d, len(x), ldx, len(y), ldy)
	kernels.CheckVector(d, len(inv), "norm: inv is shorter than d")
	for j0 := 0; j0 < d; j0 += block {
		var zero [block]T
		w, cols := min(block, d-j0), x[min(j0, len(x)):]
		ColumnVar(m, w, cols, ldx, zero[:], inv[j0:])
		InvStd(w, inv[j0:], eps, inv[j0:])
		scaleColumns(m, j0, x, ldx, inv[j0:][:w], y, ldy)
	}
}

// RescaleGrad computes the gradient of Rescale with respect to x from its output y and inv,
//
//	dx = inv·(g − y·mean(g·y))
//
// for m×d matrices. The sequence is
//
//	b = 0; b += float64(g)·float64(y)   for each row; b = T(b/m)
//	dx = inv·(g − T(y·b))
//
// dx may be g or y itself, with the same leading dimension.
func RescaleGrad[T kernels.Float](m, d int, y []T, ldy int, g []T, ldg int, inv []T, dx []T, lddx int) {
	kernels.CheckMatrix(m, d, len(y), ldy, "norm: y is too short for its shape")
	checkPair(m, d, len(g), ldg, len(dx), lddx)
	kernels.CheckVector(d, len(inv), "norm: inv is shorter than d")
	for j0 := 0; j0 < d && m > 0; j0 += block {
		var buf [block]T
		w := min(block, d-j0)
		dot := buf[:w]
		columnDot(m, w, g[j0:], ldg, y[j0:], ldy, float64(m), dot)
		if vectorRescaleGrad(m, w, y[j0:], ldy, g[j0:], ldg,
			inv[j0:], dot, dx[j0:], lddx) {
			continue
		}
		for i := range m {
			ry, rg, dst := y[i*ldy+j0:][:w], g[i*ldg+j0:][:w], dx[i*lddx+j0:][:w]
			for j, b := range dot {
				dst[j] = inv[j0+j] * (rg[j] - T(ry[j]*b))
			}
		}
	}
}
