package norm

import (
	"fmt"
	"testing"
	"time"

	"driftless/kernels"
)

func best(f func()) time.Duration {
	m := time.Hour
	for range 20000 {
		s := time.Now()
		f()
		m = min(m, time.Since(s))
	}
	return m
}

func grad2[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, invStd []T, dx []T, lddx int, scratch []float64) {
	meanG, meanGX := scratch[:d], scratch[d:][:d]
	clear(scratch[:2*d])
	for i := range m {
		rg, rx := g[i*ldg:][:d], xhat[i*ldxh:][:d]
		a, b := meanG[:len(rg)], meanGX[:len(rg)]
		rx = rx[:len(rg)]
		for j, v := range rg {
			a[j] += float64(v)
			b[j] += float64(float64(v) * float64(rx[j]))
		}
	}
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var as, bs [block]T
		a, b, inv := as[:w], bs[:w], invStd[j0:][:w]
		for j := range a {
			a[j], b[j] = T(meanG[j0+j]/float64(m)), T(meanGX[j0+j]/float64(m))
		}
		for i := range m {
			rg, rx, dst := g[i*ldg+j0:][:len(a)], xhat[i*ldxh+j0:][:len(a)], dx[i*lddx+j0:][:len(a)]
			b, inv := b[:len(a)], inv[:len(a)]
			for j, mean := range a {
				dst[j] = inv[j] * ((rg[j] - mean) - T(rx[j]*b[j]))
			}
		}
	}
}
func center2[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	mu := mean[:d]
	for i := range m {
		src, dst := x[i*ldx:][:len(mu)], y[i*ldy:][:len(mu)]
		for j, v := range mu {
			dst[j] = src[j] - v
		}
	}
}

func TestZZ(t *testing.T) {
	const m, d = benchM, benchD
	v := newBenchData()
	for range 2 {
		fmt.Println("grad  ", best(func() { StandardizeGrad(m, d, v.x, d, v.g, d, v.invStd, v.y, d, v.scratch) }))
		fmt.Println("grad2 ", best(func() { grad2(m, d, v.x, d, v.g, d, v.invStd, v.y, d, v.scratch) }))
		fmt.Println("gradnv", best(func() { naiveGrad(v) }))
		fmt.Println("std   ", best(func() { Standardize(m, d, v.x, d, 1e-5, v.mean, v.variance, v.invStd, v.y, d) }))
		fmt.Println("stdnv ", best(func() { naiveStandardize(v) }))
		fmt.Println("mean  ", best(func() { ColumnMean(m, d, v.x, d, v.mean) }))
		fmt.Println("meannv", best(func() { naiveMean(v.x, v.mean) }))
		fmt.Println("var   ", best(func() { ColumnVar(m, d, v.x, d, v.mean, v.variance) }))
		fmt.Println("varnv ", best(func() { naiveVar(v.x, v.mean, v.variance) }))
		fmt.Println("dot   ", best(func() { ColumnDot(m, d, v.x, d, v.g, d, v.variance) }))
		fmt.Println("center", best(func() { CenterBy(m, d, v.x, d, v.mean, v.y, d) }))
		fmt.Println("cent2 ", best(func() { center2(m, d, v.x, d, v.mean, v.y, d) }))
		fmt.Println("affine", best(func() { Affine(m, d, v.x, d, v.gamma, v.beta_, v.y, d) }))
	}
}
