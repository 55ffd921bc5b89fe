package norm

import "driftless/kernels"

// The kernels of this file are of x [n, c, s]: channels c, each of which has s elements in each of n
// images. They do channels first to first+m, whose numbers are elements 0 to m of vectors. Sums over a channel's elements
// have four accumulators in float64: element k of an image's goes to number k mod 4, and the sum is
// (0 + 1) + (2 + 3).

// PlaneStats sets mean and variance of each channel, both of n·s elements:
//
//	mean64 = Σ float64(x) / (n·s); mean = T(mean64)
//	variance = T(Σ (float64(x) - mean64)² / (n·s))
func PlaneStats[T kernels.Float](n, c, s, first, m int, x, mean, variance []T) {
	checkPlanes(n, c, s, len(x))
	kernels.CheckVector(m, min(len(mean), len(variance)), "norm: mean or variance is shorter than the number of channels")
	if vectorPlaneStats(n, c, s, first, m, x, mean, variance) {
		return
	}
	for j := range m {
		var sum, sq [4]float64
		for i := range n {
			plane := x[(i*c+first+j)*s:][:s]
			for len(plane) >= 4 {
				sum[0] += float64(plane[0])
				sum[1] += float64(plane[1])
				sum[2] += float64(plane[2])
				sum[3] += float64(plane[3])
				plane = plane[4:]
			}
			for k, v := range plane {
				sum[k&3] += float64(v)
			}
		}
		center := total(sum) / float64(n*s)
		for i := range n {
			plane := x[(i*c+first+j)*s:][:s]
			for len(plane) >= 4 {
				d0, d1, d2, d3 := float64(plane[0])-center, float64(plane[1])-center, float64(plane[2])-center, float64(plane[3])-center
				sq[0] += float64(d0 * d0)
				sq[1] += float64(d1 * d1)
				sq[2] += float64(d2 * d2)
				sq[3] += float64(d3 * d3)
				plane = plane[4:]
			}
			for k, v := range plane {
				d := float64(v) - center
				sq[k&3] += float64(d * d)
			}
		}
		mean[j], variance[j] = T(center), T(total(sq)/float64(n*s))
	}
}

// Running are the running statistics of a batch normalization, of each channel. Where there are none
// both are nil.
type Running[T kernels.Float] struct {
	Mean, Variance []T
	Momentum       T    // the share of a batch's statistics in the next
	Training       bool // the statistics of a batch move them; else they take their place
}

// ChannelNorm sets what RowsBy standardizes channels by, of which center and invStd hold the first. In training,
// and where there are no running statistics, that is their own mean and variance, as PlaneStats has
// them, and the running statistics move towards those:
//
//	center = mean, invStd = InvStd(variance, eps)
//	running mean = T(momentum·mean) + T((1 - momentum)·running mean)
//	unbiased = variance·T(n·s) / T(n·s - 1)
//	running variance = T(momentum·unbiased) + T((1 - momentum)·running variance)
//
// In evaluation it is the running statistics, and x is not read. The first of these are the first channel's, too.
func ChannelNorm[T kernels.Float](n, c, s, first, m int, x []T, eps float64, r Running[T], center, invStd []T) {
	kernels.CheckVector(m, min(len(center), len(invStd)), "norm: center or invStd is shorter than the number of channels")
	center, invStd = center[:m], invStd[:m]
	running := r.Mean != nil
	if running {
		kernels.CheckVector(m, min(len(r.Mean), len(r.Variance)), "norm: running statistics are fewer than the channels")
	}
	if running && !r.Training {
		copy(center, r.Mean)
		InvStd(m, r.Variance, eps, invStd)
		return
	}
	PlaneStats(n, c, s, first, m, x, center, invStd) // which holds the variance until it is used
	if running {
		keep, count := 1-r.Momentum, n*s
		for i, mean := range center {
			unbiased := T(invStd[i]*T(count)) / T(count-1)
			r.Mean[i] = T(r.Momentum*mean) + T(keep*r.Mean[i])
			r.Variance[i] = T(r.Momentum*unbiased) + T(keep*r.Variance[i])
		}
	}
	InvStd(m, invStd, eps, invStd)
}

func total(sum [4]float64) float64 { return (sum[0] + sum[1]) + (sum[2] + sum[3]) }

// RowsBy computes y = (x - mean)·invStd for m rows of s elements from row first on, of channels that follow
// one another c at a time: row i has channel i mod c. x and y have no gaps.
func RowsBy[T kernels.Float](c, first, m, s int, x, mean, invStd, y []T) {
	kernels.CheckVector(m*s, min(len(x), len(y)), "norm: x or y is too short for its shape")
	kernels.CheckVector(c, min(len(mean), len(invStd)), "norm: mean or invStd is shorter than the number of channels")
	if vectorRowsBy(c, first, m, s, x, mean, invStd, y) {
		return
	}
	for i := range m {
		from, to, k := x[i*s:][:s], y[i*s:][:s], (first+i)%c
		center, scale := mean[k], invStd[k]
		for j, v := range from {
			to[j] = (v - center) * scale
		}
	}
}

// PlaneStandardizeGrad computes the gradient in x of RowsBy's result given that of the result,
// where mean and invStd are those of x and weight is 1, or constants and weight is 0:
//
//	xhat = (x - mean)·invStd
//	a = T(weight·Σ float64(g) / (n·s)), b = T(weight·Σ float64(g)·float64(xhat) / (n·s))
//	dx = ((g - a) - xhat·b)·invStd
func PlaneStandardizeGrad[T kernels.Float](n, c, s, first, m int, x, mean, invStd []T, weight T, g, dx []T) {
	checkPlanes(n, c, s, min(len(x), len(g), len(dx)))
	kernels.CheckVector(m, min(len(mean), len(invStd)), "norm: mean or invStd is shorter than the number of channels")
	if vectorPlaneGrad(n, c, s, first, m, x, mean, invStd, weight, g, dx) {
		return
	}
	for j := range m {
		center, scale := mean[j], invStd[j]
		var sum, dot [4]float64
		for i := range n {
			at := (i*c + first + j) * s
			plane, grads := x[at:][:s], g[at:][:s]
			for len(plane) >= 4 && len(grads) >= 4 {
				g0, g1, g2, g3 := float64(grads[0]), float64(grads[1]), float64(grads[2]), float64(grads[3])
				sum[0] += g0
				sum[1] += g1
				sum[2] += g2
				sum[3] += g3
				dot[0] += float64(g0 * float64((plane[0]-center)*scale))
				dot[1] += float64(g1 * float64((plane[1]-center)*scale))
				dot[2] += float64(g2 * float64((plane[2]-center)*scale))
				dot[3] += float64(g3 * float64((plane[3]-center)*scale))
				plane, grads = plane[4:], grads[4:]
			}
			for k, v := range plane {
				sum[k&3] += float64(grads[k])
				dot[k&3] += float64(float64(grads[k]) * float64((v-center)*scale))
			}
		}
		a, b := gradMeans(n*s, weight, sum, dot)
		for i := range n {
			at := (i*c + first + j) * s
			plane, grads, to := x[at:][:s], g[at:][:s], dx[at:][:s]
			for k, v := range plane {
				xhat := (v - center) * scale
				to[k] = ((grads[k] - a) - T(xhat*b)) * scale
			}
		}
	}
}

// gradMeans are a and b of PlaneStandardizeGrad, of a channel of n elements.
func gradMeans[T kernels.Float](n int, weight T, sum, dot [4]float64) (a, b T) {
	w := float64(weight) / float64(n)
	return T(w * total(sum)), T(w * total(dot))
}

func checkPlanes(n, c, s, length int) {
	kernels.CheckVector(n*c*s, length, "norm: a tensor is too short for its channels")
}
