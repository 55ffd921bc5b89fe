package elem

import (
	"driftless/kernels"
	"driftless/kernels/scalar"
)

// AddRow computes y_ij = x_ij + row[j] for m×d matrices and a row of length d.
// y may be x itself, with the same leading dimension.
func AddRow[T kernels.Float](m, d int, x []T, ldx int, row []T, y []T, ldy int) {
	kernels.CheckMatrix(m, d, len(x), ldx, "elem: x is too short for its shape")
	kernels.CheckVector(d, len(row), "elem: row is shorter than d")
	kernels.CheckMatrix(m, d, len(y), ldy, "elem: y is too short for its shape")
	if d == 0 || vectorAddRow(m, d, x, ldx, row, y, ldy) {
		return
	}
	r := row[:d]
	for i := range m {
		src, dst := x[i*ldx:][:len(r)], y[i*ldy:][:len(r)]
		for j, v := range r {
			dst[j] = src[j] + v
		}
	}
}

// SubOuter computes y_ij = fma(−rows[i], cols[j], x_ij), x_ij − rows[i]·cols[j] rounded
// once, for m×d matrices. y may be x itself, with the same leading dimension.
func SubOuter[T kernels.Float](m, d int, x []T, ldx int, rows, cols []T, y []T, ldy int) {
	kernels.CheckMatrix(m, d, len(x), ldx, "elem: x is too short for its shape")
	kernels.CheckVector(m, len(rows), "elem: rows is shorter than m")
	kernels.CheckVector(d, len(cols), "elem: cols is shorter than d")
	kernels.CheckMatrix(m, d, len(y), ldy, "elem: y is too short for its shape")
	if m == 0 || d == 0 || vectorSubOuter(m, d, x, ldx, rows, cols, y, ldy) {
		return
	}
	c := cols[:d]
	for i, r := range rows[:m] {
		src, dst := x[i*ldx:][:len(c)], y[i*ldy:][:len(c)]
		for j, v := range c {
			dst[j] = scalar.FMA(-r, v, src[j])
		}
	}
}

// RepeatRows sets each of the m rows of y to row, of length d.
func RepeatRows[T kernels.Float](m, d int, row []T, y []T, ldy int) {
	kernels.CheckVector(d, len(row), "elem: row is shorter than d")
	kernels.CheckMatrix(m, d, len(y), ldy, "elem: y is too short for its shape")
	if d == 0 {
		return
	}
	for i := range m {
		copy(y[i*ldy:][:d], row)
	}
}

// RepeatColumns sets each of the d columns of y to col, of length m.
func RepeatColumns[T kernels.Float](m, d int, col []T, y []T, ldy int) {
	kernels.CheckVector(m, len(col), "elem: col is shorter than m")
	kernels.CheckMatrix(m, d, len(y), ldy, "elem: y is too short for its shape")
	if d == 0 {
		return
	}
	for i, v := range col[:m] {
		dst := y[i*ldy:][:d]
		for j := range dst {
			dst[j] = v
		}
	}
}

// Transpose computes y_ji = x_ij for the m×d matrix x and the d×m matrix y, which may not
// overlap.
func Transpose[T kernels.Float](m, d int, x []T, ldx int, y []T, ldy int) {
	kernels.CheckMatrix(m, d, len(x), ldx, "elem: x is too short for its shape")
	kernels.CheckMatrix(d, m, len(y), ldy, "elem: y is too short for its shape")
	if m == 0 || d == 0 || vectorTranspose(m, d, x, ldx, y, ldy) {
		return
	}
	for i := range m {
		for j, v := range x[i*ldx:][:d] {
			y[j*ldy+i] = v
		}
	}
}

// Sum returns Σ x_i, in order in a float64 accumulator, rounded once to T.
func Sum[T kernels.Float](x []T) T {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return T(sum)
}

// RowSum computes out[i] = Σ_j x_ij for the m×d matrix x, columns in order in a
// float64 accumulator, rounded once to T.
func RowSum[T kernels.Float](m, d int, x []T, ldx int, out []T) {
	kernels.CheckMatrix(m, d, len(x), ldx, "elem: x is too short for its shape")
	kernels.CheckVector(m, len(out), "elem: out is shorter than m")
	for i := range m {
		if d == 0 {
			out[i] = 0
			continue
		}
		out[i] = Sum(x[i*ldx:][:d])
	}
}
