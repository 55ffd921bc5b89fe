package kerneltest

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/norm"
)

// Constants of the cases, exact in float32.
const (
	eps   = 0x1p-10
	alpha = 0.125
	scale = 1.25
)

// statistics are the kernels of package norm that reduce.
func statistics[T kernels.Float]() []kernel[T] {
	x, mean := read("x", matrix), read("mean", perCol)
	return []kernel[T]{{
		name:     "norm.ColumnSum",
		operands: []operand{x, written("out", perCol)},
		run:      func(s size, a []arg[T]) { norm.ColumnSum(s.m, s.d, a[0].x, a[0].ld, a[1].x) },
		ref: func(s size, a []*dense) {
			for j := range s.d {
				v, mag := sum(s.m, func(i int) float64 { return a[0].at(i, j) })
				a[1].set(0, j, v, mag)
			}
		},
		tol: 2,
	}, {
		name:     "norm.ColumnMean",
		operands: []operand{x, written("mean", perCol)},
		run:      func(s size, a []arg[T]) { norm.ColumnMean(s.m, s.d, a[0].x, a[0].ld, a[1].x) },
		ref: func(s size, a []*dense) {
			for j := range s.d {
				v, mag := mean1(s.m, func(i int) float64 { return a[0].at(i, j) })
				a[1].set(0, j, v, mag)
			}
		},
		tol: 2,
	}, {
		name:     "norm.ColumnVar",
		operands: []operand{x, mean, written("variance", perCol)},
		run:      func(s size, a []arg[T]) { norm.ColumnVar(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x) },
		ref: func(s size, a []*dense) {
			for j := range s.d {
				v, mag := mean1(s.m, func(i int) float64 { return square(a[0].at(i, j) - a[1].at(0, j)) })
				a[2].set(0, j, v, mag)
			}
		},
		tol: 2,
	}, {
		name:     "norm.ColumnDot",
		operands: []operand{read("a", matrix), read("b", matrix), written("out", perCol)},
		run:      func(s size, a []arg[T]) { norm.ColumnDot(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x) },
		ref: func(s size, a []*dense) {
			for j := range s.d {
				v, mag := sum(s.m, func(i int) float64 { return a[0].at(i, j) * a[1].at(i, j) })
				a[2].set(0, j, v, mag)
			}
		},
		tol: 2,
	}, {
		name:     "norm.AddColumnSums",
		operands: []operand{x, updated("acc", perCol).float64()},
		run:      func(s size, a []arg[T]) { norm.AddColumnSums(s.m, s.d, a[0].x, a[0].ld, a[1].wide) },
		ref: func(s size, a []*dense) {
			for j := range s.d {
				v, mag := sum(s.m+1, func(i int) float64 {
					if i == 0 {
						return a[1].at(0, j)
					}
					return a[0].at(i-1, j)
				})
				a[1].set(0, j, v, mag)
			}
		},
		tol: 2,
	}, {
		name:     "norm.EMA",
		operands: []operand{read("old", perCol), read("new", perCol), written("out", perCol)},
		run:      func(s size, a []arg[T]) { norm.EMA(a[0].x, a[1].x, alpha, scale, a[2].x) },
		ref: func(s size, a []*dense) {
			for j := range s.d {
				p, q := (1-alpha)*a[0].at(0, j), alpha*(scale*a[1].at(0, j))
				a[2].set(0, j, p+q, math.Abs(p)+math.Abs(q))
			}
		},
		tol:   4,
		alias: [][2]int{{2, 0}, {2, 1}},
	}, {
		name: "norm.RenormScale",
		operands: []operand{read("variance", perCol).of(positive), read("running", perCol).of(positive),
			written("out", perCol)},
		run: func(s size, a []arg[T]) { norm.RenormScale(s.d, a[0].x, a[1].x, eps, 1.5, a[2].x) },
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) {
				return max(1/1.5, min(1.5, math.Sqrt((a[0].at(i, j)+eps)/(a[1].at(i, j)+eps)))), 0
			})
		},
		tol:   8,
		alias: [][2]int{{2, 0}, {2, 1}},
	}, {
		name: "norm.RenormShift",
		operands: []operand{read("mean", perCol), read("running", perCol), read("variance", perCol).of(positive),
			written("out", perCol)},
		run: func(s size, a []arg[T]) { norm.RenormShift(s.d, a[0].x, a[1].x, a[2].x, eps, 0.5, a[3].x) },
		ref: func(s size, a []*dense) {
			a[3].each(func(i, j int) (v, mag float64) {
				return max(-0.5, min(0.5, (a[0].at(i, j)-a[1].at(i, j))/math.Sqrt(a[2].at(i, j)+eps))), 0
			})
		},
		tol:   6,
		alias: [][2]int{{3, 0}, {3, 1}, {3, 2}},
	}, {
		name:     "norm.EMARows",
		operands: []operand{read("old", perCol), read("new", matrix), written("out", perCol)},
		run: func(s size, a []arg[T]) {
			norm.EMARows(s.m, s.d, a[0].x, a[1].x, a[1].ld, alpha, scale, a[2].x)
		},
		ref: func(s size, a []*dense) {
			for j := range s.d {
				v := a[0].at(0, j)
				mag := math.Abs(v)
				for i := range s.m {
					p, q := (1-alpha)*v, alpha*(scale*a[1].at(i, j))
					v, mag = p+q, mag+math.Abs(p)+math.Abs(q)
				}
				a[2].set(0, j, v, mag)
			}
		},
		tol:   4,
		alias: [][2]int{{2, 0}},
	}, {
		name:     "norm.InvStd",
		operands: []operand{read("variance", perCol).of(positive), written("out", perCol)},
		run:      func(s size, a []arg[T]) { norm.InvStd(s.d, a[0].x, eps, a[1].x) },
		ref: func(s size, a []*dense) {
			for j := range s.d {
				a[1].set(0, j, 1/math.Sqrt(a[0].at(0, j)+eps), 0)
			}
		},
		tol:   2,
		alias: [][2]int{{1, 0}},
	}}
}

// normalization is the rest of package norm.
func normalization[T kernels.Float]() []kernel[T] {
	x, y, mean := read("x", matrix), written("y", matrix), read("mean", perCol)
	variance := read("variance", perCol).of(positive)
	return []kernel[T]{{
		name:     "norm.Center",
		operands: []operand{x, written("mean", perCol), y},
		run: func(s size, a []arg[T]) {
			norm.Center(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			for j := range s.d {
				v, mag := mean1(s.m, func(i int) float64 { return a[0].at(i, j) })
				a[1].set(0, j, v, mag)
				for i := range s.m {
					dev := a[0].at(i, j) - v
					a[2].set(i, j, dev, math.Abs(dev)+meanError[T](mag))
				}
			}
		},
		tol:   3,
		alias: [][2]int{{2, 0}},
	}, {
		name:     "norm.CenterBy",
		operands: []operand{x, mean, y},
		run: func(s size, a []arg[T]) {
			norm.CenterBy(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return a[0].at(i, j) - a[1].at(0, j), 0 })
		},
		tol:   2,
		alias: [][2]int{{2, 0}},
	}, {
		name:     "norm.Standardize",
		operands: []operand{x, written("mean", perCol), written("variance", perCol), written("invStd", perCol), y},
		run: func(s size, a []arg[T]) {
			norm.Standardize(s.m, s.d, a[0].x, a[0].ld, eps, a[1].x, a[2].x, a[3].x, a[4].x, a[4].ld)
		},
		ref:   standardize[T],
		tol:   8,
		alias: [][2]int{{4, 0}},
	}, {
		name: "norm.StandardizeGrad",
		operands: []operand{read("xhat", matrix), read("g", matrix), read("invStd", perCol).of(positive), written("dx", matrix),
			scratch(func(s size) (int, int) { return 1, 2 * s.d }).float64()},
		run: func(s size, a []arg[T]) {
			norm.StandardizeGrad(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x, a[3].x, a[3].ld, a[4].wide)
		},
		ref: func(s size, a []*dense) {
			for j := range s.d {
				g, magG := mean1(s.m, func(i int) float64 { return a[1].at(i, j) })
				gx, magGX := mean1(s.m, func(i int) float64 { return a[1].at(i, j) * a[0].at(i, j) })
				for i := range s.m {
					xhat, inv := a[0].at(i, j), a[2].at(0, j)
					dev, along := a[1].at(i, j)-g, xhat*gx
					mag := math.Abs(dev) + math.Abs(along) + meanError[T](magG+math.Abs(xhat)*magGX)
					a[3].set(i, j, inv*(dev-along), inv*mag)
				}
			}
		},
		tol:   6,
		alias: [][2]int{{3, 0}, {3, 1}},
	}, {
		name:     "norm.Rescale",
		operands: []operand{x, written("inv", perCol), y},
		run: func(s size, a []arg[T]) {
			norm.Rescale(s.m, s.d, a[0].x, a[0].ld, eps, a[1].x, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			for j := range s.d {
				square, _ := mean1(s.m, func(i int) float64 { return a[0].at(i, j) * a[0].at(i, j) })
				inv := 1 / math.Sqrt(square+eps)
				a[1].set(0, j, inv, 0)
				for i := range s.m {
					a[2].set(i, j, a[0].at(i, j)*inv, 0)
				}
			}
		},
		tol:   6,
		alias: [][2]int{{2, 0}},
	}, {
		name:     "norm.RescaleGrad",
		operands: []operand{read("y", matrix), read("g", matrix), read("inv", perCol).of(positive), written("dx", matrix)},
		run: func(s size, a []arg[T]) {
			norm.RescaleGrad(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x, a[3].x, a[3].ld)
		},
		ref: func(s size, a []*dense) {
			for j := range s.d {
				gy, magGY := mean1(s.m, func(i int) float64 { return a[1].at(i, j) * a[0].at(i, j) })
				for i := range s.m {
					y, g, inv := a[0].at(i, j), a[1].at(i, j), a[2].at(0, j)
					mag := math.Abs(g) + math.Abs(y*gy) + meanError[T](math.Abs(y)*magGY)
					a[3].set(i, j, inv*(g-y*gy), inv*mag)
				}
			}
		},
		tol:   6,
		alias: [][2]int{{3, 0}, {3, 1}},
	}, {
		name: "norm.StandardizeAffine",
		operands: []operand{x, written("mean", perCol), written("variance", perCol), written("invStd", perCol), written("xhat", matrix),
			read("gamma", perCol), read("beta", perCol), y},
		run: func(s size, a []arg[T]) {
			norm.StandardizeAffine(s.m, s.d, a[0].x, a[0].ld, eps, a[1].x, a[2].x, a[3].x, a[5].x, a[6].x, a[4].x, a[4].ld, a[7].x, a[7].ld)
		},
		ref:   standardizeAffine[T],
		tol:   8,
		alias: [][2]int{{4, 0}, {7, 0}},
	}, {
		name: "norm.Statistics, StandardizeAffineBy",
		operands: []operand{x, written("mean", perCol), written("variance", perCol), written("invStd", perCol), written("xhat", matrix),
			read("gamma", perCol), read("beta", perCol), y, scratch(perCol)},
		run: func(s size, a []arg[T]) {
			parts(s, func(j, d int) {
				norm.Statistics(s.m, d, a[0].x[j:], a[0].ld, eps, a[1].x[j:], a[8].x[j:], a[2].x[j:], a[3].x[j:])
			}, func(i, j, m, d int) {
				at := func(k int) []T { return a[k].x[i*a[k].ld+j:] }
				norm.StandardizeAffineBy(m, d, at(0), a[0].ld, a[1].x[j:], a[8].x[j:], a[3].x[j:], a[5].x[j:], a[6].x[j:], at(4), a[4].ld, at(7), a[7].ld)
			})
		},
		ref: standardizeAffine[T],
		tol: 8,
	}, {
		name: "norm.AffineGradSums, AffineGradBy",
		operands: []operand{read("xhat", matrix), read("g", matrix), read("gamma", perCol), read("invStd", perCol).of(positive),
			written("dgamma", perCol), written("dbeta", perCol), written("dx", matrix), scratch(perCol), scratch(perCol), scratch(perCol)},
		run: func(s size, a []arg[T]) {
			parts(s, func(j, d int) {
				norm.AffineGradSums(s.m, d, a[0].x[j:], a[0].ld, a[1].x[j:], a[1].ld, a[2].x[j:], a[7].x[j:], a[8].x[j:], a[9].x[j:], a[4].x[j:], a[5].x[j:])
			}, func(i, j, m, d int) {
				at := func(k int) []T { return a[k].x[i*a[k].ld+j:] }
				norm.AffineGradBy(m, d, at(0), a[0].ld, at(1), a[1].ld, a[2].x[j:], a[3].x[j:], a[7].x[j:], a[8].x[j:], a[9].x[j:], at(6), a[6].ld)
			})
		},
		ref:   affineGrad,
		tol:   6,
		alias: [][2]int{{6, 1}},
	}, {
		name: "norm.AffineGrad",
		operands: []operand{read("xhat", matrix), read("g", matrix), read("gamma", perCol), read("invStd", perCol).of(positive),
			written("dgamma", perCol), written("dbeta", perCol), written("dx", matrix),
			scratch(func(s size) (int, int) { return 1, 2 * s.d }).float64()},
		run: func(s size, a []arg[T]) {
			norm.AffineGrad(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x, a[3].x, a[4].x, a[5].x, a[6].x, a[6].ld, a[7].wide)
		},
		ref:   affineGrad,
		tol:   6,
		alias: [][2]int{{6, 1}},
	}, {
		name:     "norm.NormalizeBy",
		operands: []operand{x, mean, variance, y},
		run: func(s size, a []arg[T]) {
			norm.NormalizeBy(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, eps, a[3].x, a[3].ld)
		},
		ref: func(s size, a []*dense) {
			a[3].each(func(i, j int) (v, mag float64) {
				return (a[0].at(i, j) - a[1].at(0, j)) / math.Sqrt(a[2].at(0, j)+eps), 0
			})
		},
		tol:   4,
		alias: [][2]int{{3, 0}},
	}, {
		name:     "norm.ScaleBy",
		operands: []operand{read("g", matrix), variance, written("out", matrix)},
		run: func(s size, a []arg[T]) {
			norm.ScaleBy(s.m, s.d, a[0].x, a[0].ld, a[1].x, eps, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return a[0].at(i, j) / math.Sqrt(a[1].at(0, j)+eps), 0 })
		},
		tol:   4,
		alias: [][2]int{{2, 0}},
	}, {
		name:     "norm.Affine",
		operands: []operand{read("xhat", matrix), read("gamma", perCol), read("beta", perCol), y},
		run: func(s size, a []arg[T]) {
			norm.Affine(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[3].x, a[3].ld)
		},
		ref: func(s size, a []*dense) {
			a[3].each(func(i, j int) (v, mag float64) {
				p, beta := a[0].at(i, j)*a[1].at(0, j), a[2].at(0, j)
				return p + beta, math.Abs(p) + math.Abs(beta)
			})
		},
		tol:   2,
		alias: [][2]int{{3, 0}},
	}, {
		name:     "norm.ScaleColumns",
		operands: []operand{read("g", matrix), read("gamma", perCol), written("out", matrix)},
		run: func(s size, a []arg[T]) {
			norm.ScaleColumns(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return a[0].at(i, j) * a[1].at(0, j), 0 })
		},
		tol:   2,
		alias: [][2]int{{2, 0}},
	}, {
		name:     "norm.SquaredDeviation",
		operands: []operand{x, mean, written("out", matrix)},
		run: func(s size, a []arg[T]) {
			norm.SquaredDeviation(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return square(a[0].at(i, j) - a[1].at(0, j)), 0 })
		},
		tol:   4,
		alias: [][2]int{{2, 0}},
	}}
}

// meanError is what the error of a mean that is taken out of its column adds to a
// result's magnitude: for float32 it is kept as two, so all but 2^-44 of it is right.
func meanError[T kernels.Float](mag float64) float64 {
	if unitRoundoff[T]() == 0x1p-24 {
		return 0x1p-20 * mag
	}
	return mag
}

// standardize bounds each result by the roundings of those before it: the mean's
// enter the variance squared.
func standardize[T kernels.Float](s size, a []*dense) {
	x := a[0]
	for j := range s.d {
		mean, magMean := mean1(s.m, func(i int) float64 { return x.at(i, j) })
		variance, _ := mean1(s.m, func(i int) float64 { return square(x.at(i, j) - mean) })
		magVar := variance + 0x1p-22*square(meanError[T](magMean))
		inv := 1 / math.Sqrt(variance+eps)
		relative := magVar / (variance + eps)
		a[1].set(0, j, mean, magMean)
		a[2].set(0, j, variance, magVar)
		a[3].set(0, j, inv, inv*(1+relative))
		for i := range s.m {
			dev := x.at(i, j) - mean
			y := dev * inv
			a[4].set(i, j, y, (math.Abs(dev)+meanError[T](magMean))*inv+math.Abs(y)*relative)
		}
	}
}

func affineGrad(s size, a []*dense) {
	xhat, g := a[0], a[1]
	for j := range s.d {
		gamma, inv := a[2].at(0, j), a[3].at(0, j)
		h := func(i int) float64 { return g.at(i, j) * gamma }
		dgamma, mag := sum(s.m, func(i int) float64 { return g.at(i, j) * xhat.at(i, j) })
		a[4].set(0, j, dgamma, mag)
		dbeta, mag := sum(s.m, func(i int) float64 { return g.at(i, j) })
		a[5].set(0, j, dbeta, mag)
		mean, magMean := mean1(s.m, h)
		dot, magDot := mean1(s.m, func(i int) float64 { return h(i) * xhat.at(i, j) })
		for i := range s.m {
			x := xhat.at(i, j)
			a[6].set(i, j, inv*((h(i)-mean)-x*dot), inv*(math.Abs(h(i))+magMean+math.Abs(x)*magDot))
		}
	}
}

// mean1 is sum divided by n.
func mean1(n int, f func(i int) float64) (mean, mag float64) {
	s, mag := sum(n, f)
	return s / float64(n), mag / float64(n)
}

func square(x float64) float64 { return x * x }

// parts calls a kernel's first part for so many columns at a time, and its second for shares of their rows.
func parts(s size, first func(j, d int), second func(i, j, m, d int)) {
	for j := 0; j < s.d; j += norm.MaxPartCols {
		d := min(norm.MaxPartCols, s.d-j)
		first(j, d)
		second(0, j, s.m/3, d)
		second(s.m/3, j, s.m-s.m/3, d)
	}
}

// standardizeAffine is standardize, then gamma and beta.
func standardizeAffine[T kernels.Float](s size, a []*dense) {
	standardize[T](s, a)
	a[7].each(func(i, j int) (v, mag float64) {
		p, beta := a[4].at(i, j)*a[5].at(0, j), a[6].at(0, j)
		return p + beta, a[4].mag[i*s.d+j]*math.Abs(a[5].at(0, j)) + math.Abs(p) + math.Abs(beta)
	})
}
