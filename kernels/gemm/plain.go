package gemm

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/scalar"
)

// The plain loop goes along k with plainRows × plainCols independent chains.
const plainRows, plainCols = 2, 4

// plainSums are the sums of a tile, in float64 even where they are float32.
type plainSums [plainRows][plainCols]float64

// plain is the specification of Gemm.
func (x *product[T]) plain() {
	var buffer [plainCols * maxChunk]float64
	for q := range parts(x.k) {
		panel := buffer[:plainCols*(q.end-q.p)]
		for j := 0; j < x.n; j += plainCols {
			cols := min(plainCols, x.n-j)
			x.panel(q, j, cols, panel)
			for i := 0; i < x.m; i += plainRows {
				i1 := min(i+1, x.m-1) // the last of an odd number of rows is its own partner
				a0, a1 := x.row(q, i), x.row(q, i1)
				s := chains(a0, a1, x.kStep, panel)
				for r := range i1 - i + 1 {
					sums := [plainCols]T{T(s[r][0]), T(s[r][1]), T(s[r][2]), T(s[r][3])}
					x.out.row(q, i+r, j, sums[:cols])
				}
			}
		}
	}
}

// row returns where row i of a chunk of op(A) starts; it goes on in steps of kStep.
func (x *product[T]) row(q part, i int) []T {
	if q.p == q.end {
		return nil
	}
	return x.a[i*x.rowStep+q.p*x.kStep:]
}

// panel copies columns j and on of a chunk of op(B), row after row. The last
// column stands in for those that are missing.
func (x *product[T]) panel(q part, j, cols int, panel []float64) {
	for c := range plainCols {
		c0 := j + min(c, cols-1)
		at, step := q.p*x.ldb+c0, x.ldb
		if x.transB {
			at, step = c0*x.ldb+q.p, 1
		}
		for p := c; p < len(panel); p += plainCols {
			panel[p] = float64(x.b[at])
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

// chains returns the sums over p of a0[p*kStep], and of a1[p*kStep], times each column of a
// panel.
func chains[T kernels.Float](a0, a1 []T, kStep int, panel []float64) plainSums {
	if kernels.IsFloat32[T]() {
		return chains32(kernels.AsFloat32(a0), kernels.AsFloat32(a1), kStep, panel)
	}
	return chains64(kernels.AsFloat64(a0), kernels.AsFloat64(a1), kStep, panel)
}

// chains64 is chains for float64: the eight chains in variables of their own, so that they
// go side by side.
func chains64(a0, a1 []float64, kStep int, panel []float64) plainSums {
	var s0, s1, s2, s3, r0, r1, r2, r3 float64
	at := 0
	for ; len(panel) >= plainCols; panel = panel[plainCols:] {
		y := (*[plainCols]float64)(panel)
		v, w := a0[at], a1[at]
		s0, s1, s2, s3 = math.FMA(v, y[0], s0), math.FMA(v, y[1], s1), math.FMA(v, y[2], s2), math.FMA(v, y[3], s3)
		r0, r1, r2, r3 = math.FMA(w, y[0], r0), math.FMA(w, y[1], r1), math.FMA(w, y[2], r2), math.FMA(w, y[3], r3)
		at += kStep
	}
	return plainSums{{s0, s1, s2, s3}, {r0, r1, r2, r3}}
}

// chains32 is chains64 for float32, with scalar.FMA written out. A
// product is exact in float64, and a sum with it is rounded twice, to 53 bits and
// to 24. That is the same as once but for what halfway tells, which is rare.
func chains32(a0, a1 []float32, kStep int, panel []float64) plainSums {
	var s0, s1, s2, s3, r0, r1, r2, r3 float64
	at := 0
	for ; len(panel) >= plainCols; panel = panel[plainCols:] {
		y := (*[plainCols]float64)(panel)
		v := float64(a0[at])
		t0, t1, t2, t3 := v*y[0]+s0, v*y[1]+s1, v*y[2]+s2, v*y[3]+s3
		if anyHalfway(t0, t1, t2, t3) {
			s0, s1, s2, s3 = narrow(t0, v, y[0], s0), narrow(t1, v, y[1], s1), narrow(t2, v, y[2], s2), narrow(t3, v, y[3], s3)
		} else {
			s0, s1, s2, s3 = float64(float32(t0)), float64(float32(t1)), float64(float32(t2)), float64(float32(t3))
		}
		v = float64(a1[at])
		t0, t1, t2, t3 = v*y[0]+r0, v*y[1]+r1, v*y[2]+r2, v*y[3]+r3
		if anyHalfway(t0, t1, t2, t3) {
			r0, r1, r2, r3 = narrow(t0, v, y[0], r0), narrow(t1, v, y[1], r1), narrow(t2, v, y[2], r2), narrow(t3, v, y[3], r3)
		} else {
			r0, r1, r2, r3 = float64(float32(t0)), float64(float32(t1)), float64(float32(t2)), float64(float32(t3))
		}
		at += kStep
	}
	return plainSums{{s0, s1, s2, s3}, {r0, r1, r2, r3}}
}

// anyHalfway reports whether halfway is 0 of any of its arguments, without a branch
// for each.
func anyHalfway(t0, t1, t2, t3 float64) bool {
	return int32((halfway(t0)-1)|(halfway(t1)-1)|(halfway(t2)-1)|(halfway(t3)-1)) < 0
}

// halfway returns the last 28 bits of t. For a t = x*y + s in float64, where x, y
// and s are float32, so that the product is exact, float32(t) is fma(x, y, s)
// unless t lies halfway between two float32, or between two multiples of the least
// one where the result is subnormal, and then these bits are clear.
func halfway(t float64) uint32 { return uint32(math.Float64bits(t)) & (1<<28 - 1) }

// narrow returns fma(x, y, s) for a t whose last 28 bits are clear. Most of these
// are float32 already, or nearly so.
func narrow(t, x, y, s float64) float64 {
	const leastNormal = 0x1p-126
	if b := math.Float64bits(t); b<<35 != 1<<63 && (t == 0 || math.Abs(t) >= leastNormal) {
		return float64(float32(t))
	}
	return float64(scalar.FMA(float32(x), float32(y), float32(s)))
}
