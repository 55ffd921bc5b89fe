package axes

import (
	"driftless/kernels"
	"driftless/kernels/scalar"
)

// Softmax sets the rows of y [m,n] to the softmax of those of x, or to its logarithm:
//
//	top = x_0; top = x_j where x_j > top, for j = 1…n-1
//	e_j = Exp(T(x_j - top)); s = 0; s += float64(e_j) for j = 0…n-1
//	y_j = T(float64(e_j)/s), or T(float64(x_j - top) - Log(s))
//
// y may not be x.
func Softmax[T kernels.Float](log bool, m, n int, x []T, ldx int, y []T, ldy int) {
	kernels.CheckMatrix(m, n, len(x), ldx, "axes: x is too short for its shape")
	kernels.CheckMatrix(m, n, len(y), ldy, "axes: y is too short for its shape")
	if n < 1 {
		panic("axes: softmax of nothing")
	}
	for i := range m {
		from, to := x[i*ldx:][:n], y[i*ldy:][:n]
		top := from[0]
		for _, v := range from[1:] {
			if v > top {
				top = v
			}
		}
		for j, v := range from {
			to[j] = v - top
		}
		scalar.ExpRows(1, n, to, n, to, n)
		s := 0.0
		for _, e := range to {
			s += float64(e)
		}
		if log {
			s = scalar.Log(s)
			for j, v := range from {
				to[j] = T(float64(v-top) - s)
			}
			continue
		}
		for j, e := range to {
			to[j] = T(float64(e) / s)
		}
	}
}

// SoftmaxGrad sets the rows of dx [m,n] to the gradient in x of Softmax's result y, given that of y:
//
//	s = 0; s += float64(y_j)·float64(g_j), or with log s += float64(g_j), for j = 0…n-1
//	dx_j = T(float64(y_j)·(float64(g_j) - s)), or T(float64(g_j) - float64(Exp(y_j))·s)
//
// dx may not be y or g.
func SoftmaxGrad[T kernels.Float](log bool, m, n int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) {
	kernels.CheckMatrix(m, n, len(y), ldy, "axes: y is too short for its shape")
	kernels.CheckMatrix(m, n, len(g), ldg, "axes: g is too short for its shape")
	kernels.CheckMatrix(m, n, len(dx), lddx, "axes: dx is too short for its shape")
	for i := range m {
		ys, gs, to := y[i*ldy:][:n], g[i*ldg:][:n], dx[i*lddx:][:n]
		s := 0.0
		if log {
			for _, v := range gs {
				s += float64(v)
			}
			scalar.ExpRows(1, n, ys, n, to, n)
			for j, e := range to {
				p := float64(float64(e) * s) // as all such conversions: not to be fused with what follows
				to[j] = T(float64(gs[j]) - p)
			}
			continue
		}
		for j, v := range ys {
			s += float64(float64(v) * float64(gs[j]))
		}
		for j, v := range ys {
			to[j] = T(float64(v) * (float64(gs[j]) - s))
		}
	}
}
