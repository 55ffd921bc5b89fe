package norm

import (
	"driftless/kernels"
	"math"
)

type F = kernels.Float

func ColumnSum[T kernels.Float](m, d int, x []T, ldx int, out []T) {
	for j := 0; j < d; j++ {
		s := 0.
		for i := 0; i < m; i++ {
			s += float64(x[i*ldx+j])
		}
		out[j] = T(s)
	}
}
func ColumnMean[T kernels.Float](m, d int, x []T, ldx int, out []T) {
	for j := 0; j < d; j++ {
		s := 0.
		for i := 0; i < m; i++ {
			s += float64(x[i*ldx+j])
		}
		out[j] = T(s / float64(m))
	}
}
func ColumnVar[T kernels.Float](m, d int, x []T, ldx int, mean, out []T) {
	for j := 0; j < d; j++ {
		s := 0.
		for i := 0; i < m; i++ {
			e := float64(x[i*ldx+j]) - float64(mean[j])
			s += e * e
		}
		out[j] = T(s / float64(m))
	}
}
func ColumnDot[T kernels.Float](m, d int, a []T, lda int, b []T, ldb int, out []T) {
	for j := 0; j < d; j++ {
		s := 0.
		for i := 0; i < m; i++ {
			s += float64(a[i*lda+j]) * float64(b[i*ldb+j])
		}
		out[j] = T(s)
	}
}
func AddColumnSums[T kernels.Float](m, d int, x []T, ldx int, acc []float64) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			acc[j] += float64(x[i*ldx+j])
		}
	}
}
func CenterBy[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*ldy+j] = x[i*ldx+j] - mean[j]
		}
	}
}
func Center[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	ColumnMean(m, d, x, ldx, mean)
	CenterBy(m, d, x, ldx, mean, y, ldy)
}
func InvStd[T kernels.Float](d int, v []T, eps float64, out []T) {
	for j := 0; j < d; j++ {
		out[j] = T(1 / math.Sqrt(float64(v[j])+eps))
	}
}
func Standardize[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, v, inv []T, y []T, ldy int) {
	ColumnMean(m, d, x, ldx, mean)
	ColumnVar(m, d, x, ldx, mean, v)
	InvStd(d, v, eps, inv)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*ldy+j] = (x[i*ldx+j] - mean[j]) * inv[j]
		}
	}
}
func StandardizeGrad[T kernels.Float](m, d int, xh []T, ldxh int, g []T, ldg int, inv []T, dx []T, ld int, s []float64) {
	for j := 0; j < d; j++ {
		a, b := 0., 0.
		for i := 0; i < m; i++ {
			gi := float64(g[i*ldg+j])
			a += gi
			b += gi * float64(xh[i*ldxh+j])
		}
		a /= float64(m)
		b /= float64(m)
		for i := 0; i < m; i++ {
			dx[i*ld+j] = T(float64(inv[j]) * (float64(g[i*ldg+j]) - a - float64(xh[i*ldxh+j])*b))
		}
	}
}
func NormalizeBy[T kernels.Float](m, d int, x []T, ldx int, mean, v []T, eps float64, y []T, ldy int) {
	for j := 0; j < d; j++ {
		s := T(1 / math.Sqrt(float64(v[j])+eps))
		for i := 0; i < m; i++ {
			y[i*ldy+j] = (x[i*ldx+j] - mean[j]) * s
		}
	}
}
func ScaleBy[T kernels.Float](m, d int, g []T, ldg int, v []T, eps float64, y []T, ldy int) {
	for j := 0; j < d; j++ {
		s := T(1 / math.Sqrt(float64(v[j])+eps))
		for i := 0; i < m; i++ {
			y[i*ldy+j] = g[i*ldg+j] * s
		}
	}
}
func Affine[T kernels.Float](m, d int, x []T, ldx int, ga, be []T, y []T, ldy int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*ldy+j] = T(x[i*ldx+j]*ga[j]) + be[j]
		}
	}
}
func ScaleColumns[T kernels.Float](m, d int, x []T, ldx int, ga []T, y []T, ldy int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*ldy+j] = x[i*ldx+j] * ga[j]
		}
	}
}
func SquaredDeviation[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			e := x[i*ldx+j] - mean[j]
			y[i*ldy+j] = e * e
		}
	}
}
func EMA[T kernels.Float](old, nw []T, alpha, scale T, out []T) {
	for i := range out {
		out[i] = T((1-alpha)*old[i]) + T(alpha*T(scale*nw[i]))
	}
}
