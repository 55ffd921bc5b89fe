package loss

import (
	"driftless/kernels"
	"math"
)

func SoftmaxCrossEntropy[T kernels.Float](m, n int, z []T, ld int, lab []T, out []T) {
	for i := 0; i < m; i++ {
		r := z[i*ld : i*ld+n]
		mx := r[0]
		for _, v := range r {
			if v > mx {
				mx = v
			}
		}
		s := 0.
		for _, v := range r {
			s += math.Exp(float64(v - mx))
		}
		out[i] = T(math.Log(s) + float64(mx) - float64(r[int(lab[i])]))
	}
}
func SoftmaxCrossEntropyGrad[T kernels.Float](m, n int, z []T, ld int, lab []T, sc []T, dz []T, ldz int) {
	for i := 0; i < m; i++ {
		r := z[i*ld : i*ld+n]
		o := dz[i*ldz : i*ldz+n]
		mx := r[0]
		for _, v := range r {
			if v > mx {
				mx = v
			}
		}
		s := 0.
		for _, v := range r {
			s += math.Exp(float64(v - mx))
		}
		c := sc[0]
		if len(sc) > 1 {
			c = sc[i]
		}
		for j, v := range r {
			p := math.Exp(float64(v-mx)) / s
			if j == int(lab[i]) {
				p--
			}
			o[j] = T(float64(c) * p)
		}
	}
}
func Mean[T kernels.Float](x []T) T {
	s := 0.
	for _, v := range x {
		s += float64(v)
	}
	return T(s / float64(len(x)))
}
func Correct[T kernels.Float](m, n int, z []T, ld int, lab, out []T) {
	for i := 0; i < m; i++ {
		b := 0
		for j := 0; j < n; j++ {
			if z[i*ld+j] > z[i*ld+b] {
				b = j
			}
		}
		out[i] = 0
		if b == int(lab[i]) {
			out[i] = 1
		}
	}
}
