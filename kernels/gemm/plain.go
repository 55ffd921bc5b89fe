package gemm

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/scalar"
)

// plainCols is the number of columns, and so of independent chains, that the plain
// loop goes along k with.
const plainCols = 4

// plain is the specification of Gemm.
func (x *product[T]) plain(scratch []T) {
	for q := range parts(x.k) {
		panel := scratch[:plainCols*(q.end-q.p)]
		for j := 0; j < x.n; j += plainCols {
			cols := min(plainCols, x.n-j)
			x.panel(q, j, cols, panel)
			for i := range x.m {
				var a []T
				if q.p < q.end {
					a = x.a[i*x.rowStep+q.p*x.kStep:]
				}
				var sums [plainCols]T
				if kernels.IsFloat32[T]() {
					s := chains32(kernels.AsFloat32(a), x.kStep, kernels.AsFloat32(panel))
					for c := range sums {
						sums[c] = T(s[c])
					}
				} else {
					sums = chains(a, x.kStep, panel)
				}
				x.out.row(q, i, j, sums[:cols])
			}
		}
	}
}

// panel copies columns j and on of a chunk of op(B), row after row. The last
// column stands in for those that are missing.
func (x *product[T]) panel(q part, j, cols int, panel []T) {
	for c := range plainCols {
		c0 := j + min(c, cols-1)
		at, step := q.p*x.ldb+c0, x.ldb
		if x.transB {
			at, step = c0*x.ldb+q.p, 1
		}
		for p := c; p < len(panel); p += plainCols {
			panel[p] = x.b[at]
			at += step
		}
	}
}

// row finishes elements of row i from column j on.
func (o *output[T]) row(q part, i, j int, sums []T) {
	row := o.c[i*o.ld+j:][:len(sums)]
	if o.over(q) {
		for c, s := range sums {
			row[c] = o.alpha * s
		}
	} else {
		for c, s := range sums {
			row[c] = scalar.FMA(o.alpha, s, row[c])
		}
	}
	if q.last && o.bias != nil {
		for c, v := range o.bias[j:][:len(sums)] {
			row[c] += v
		}
	}
	if q.last && o.act != activation.Identity {
		activation.Forward(o.act, 1, len(row), row, len(row), row, len(row))
	}
}

// chains returns the sums over p of a[p*kStep] times each column of a panel.
func chains[T kernels.Float](a []T, kStep int, panel []T) (s [plainCols]T) {
	at := 0
	for p := 0; p < len(panel); p += plainCols {
		v, y := a[at], (*[plainCols]T)(panel[p:])
		at += kStep
		for c := range s {
			s[c] = scalar.FMA(v, y[c], s[c])
		}
	}
	return s
}

// chains32 is chains for float32, with scalar.FMA written out: a product is exact
// in float64, and adding to it rounds to 53 bits first and 24 then. That differs
// from rounding once only where the 29 bits in between are a tie or the result is
// subnormal, and there scalar.FMA decides.
func chains32(a []float32, kStep int, panel []float32) [plainCols]float32 {
	var s0, s1, s2, s3 float64
	at := 0
	for len(panel) >= plainCols {
		v, y := float64(a[at]), (*[plainCols]float32)(panel)
		t0 := v*float64(y[0]) + s0
		t1 := v*float64(y[1]) + s1
		t2 := v*float64(y[2]) + s2
		t3 := v*float64(y[3]) + s3
		if doubtful(t0)|doubtful(t1)|doubtful(t2)|doubtful(t3) == 0 {
			s0, s1, s2, s3 = float64(float32(t0)), float64(float32(t1)), float64(float32(t2)), float64(float32(t3))
		} else {
			s0 = float64(scalar.FMA(a[at], y[0], float32(s0)))
			s1 = float64(scalar.FMA(a[at], y[1], float32(s1)))
			s2 = float64(scalar.FMA(a[at], y[2], float32(s2)))
			s3 = float64(scalar.FMA(a[at], y[3], float32(s3)))
		}
		at += kStep
		panel = panel[plainCols:]
	}
	return [plainCols]float32{float32(s0), float32(s1), float32(s2), float32(s3)}
}

// doubtful has its top bit set, or all bits clear otherwise, where rounding t to
// float32 may differ from rounding once: the 29 bits that go are a tie, or t is
// less than the least normal float32 but not 0.
func doubtful(t float64) uint64 {
	b := math.Float64bits(t)
	tie := b&(1<<29-1) ^ 1<<28 // 0 at a tie
	size := (b<<1 - 1) >> 1    // of 0 the largest
	return ((tie - 1) | (size - leastNormal)) & (1 << 63)
}

// leastNormal is the least normal float32 as the bits of a float64.
const leastNormal = (1023 - 126) << 52
