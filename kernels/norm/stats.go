package norm

import (
	"math"

	"driftless/kernels"
)

// block is the number of columns whose accumulators live on the stack at once.
const block = 64

// ColumnSum computes out[j] = Σ_i x_ij for the m×d matrix x, rows in order in a
// float64 accumulator, rounded once to T.
func ColumnSum[T kernels.Float](m, d int, x []T, ldx int, out []T) {
	columnSum(m, d, x, ldx, 1, out)
}

// ColumnMean computes mean[j] = (1/m) Σ_i x_ij, divided by m in float64 before
// the one rounding to T. It is NaN for m = 0.
func ColumnMean[T kernels.Float](m, d int, x []T, ldx int, mean []T) {
	columnSum(m, d, x, ldx, float64(m), mean)
}

func columnSum[T kernels.Float](m, d int, x []T, ldx int, divisor float64, out []T) {
	kernels.CheckMatrix(m, d, len(x), ldx, "norm: x is too short for its shape")
	kernels.CheckVector(d, len(out), "norm: the output vector is shorter than d")
	if vectorColumnSums(m, d, x, ldx, divisor, out) {
		return
	}
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var buf [block]float64
		acc := buf[:w]
		addRows(m, x[min(j0, len(x)):], ldx, acc) // x is empty if m is 0
		dst := out[j0:][:w]
		for j, s := range acc {
			dst[j] = T(s / divisor)
		}
	}
}

// addRows adds the first len(acc) elements of each of m rows to acc.
func addRows[T kernels.Float](m int, x []T, ldx int, acc []float64) {
	for i := range m {
		row := x[i*ldx:][:len(acc)]
		for j, v := range row {
			acc[j] += float64(v)
		}
	}
}

// AddColumnSums adds to acc[j] the sum of column j over the given rows of x, in
// order: acc[j] += x_0j, then x_1j, and so on. Called on consecutive blocks of
// rows it gives the bits of one call on them all, so statistics can be gathered
// over a data set that is not in memory at once.
func AddColumnSums[T kernels.Float](rows, d int, x []T, ldx int, acc []float64) {
	kernels.CheckMatrix(rows, d, len(x), ldx, "norm: x is too short for its shape")
	kernels.CheckVector(d, len(acc), "norm: acc is shorter than d")
	if d == 0 || vectorAddColumnSums(rows, d, x, ldx, acc) {
		return
	}
	addRows(rows, x, ldx, acc[:d])
}

// ColumnVar computes variance[j] = (1/m) Σ_i (x_ij − mean[j])², the biased
// variance about the given mean (PyTorch's running variance is the unbiased
// one: multiply by m/(m−1)). Deviations and squares are in float64. It is NaN
// for m = 0.
func ColumnVar[T kernels.Float](m, d int, x []T, ldx int, mean, variance []T) {
	kernels.CheckMatrix(m, d, len(x), ldx, "norm: x is too short for its shape")
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	kernels.CheckVector(d, len(variance), "norm: variance is shorter than d")
	if vectorColumnVar(m, d, x, ldx, mean, variance) {
		return
	}
	for j0 := 0; j0 < d; j0 += block {
		var centre [block]float64
		w := min(block, d-j0)
		for j, v := range mean[j0:][:w] {
			centre[j] = float64(v)
		}
		columnVar(m, x[min(j0, len(x)):], ldx, centre[:w], variance[j0:][:w])
	}
}

// columnVar is ColumnVar of no more than a block of columns.
func columnVar[T kernels.Float](m int, x []T, ldx int, mean []float64, variance []T) {
	var sum [block]float64
	acc := sum[:len(mean)]
	for i := range m {
		row, acc := x[i*ldx:][:len(mean)], acc[:len(mean)]
		for j, mu := range mean {
			dev := float64(row[j]) - mu
			acc[j] += float64(dev * dev)
		}
	}
	for j, s := range acc {
		variance[j] = T(s / float64(m))
	}
}

// split makes means mu of the sums of m rows, and of each two T:
//
//	mu = sum/m; hi = T(mu); lo = T(mu − float64(hi)), 0 where that is NaN
func split[T kernels.Float](sum []float64, m int, hi, lo []T) {
	lo = lo[:len(hi)]
	for j, s := range sum[:len(hi)] {
		mu := s / float64(m)
		sum[j], hi[j] = mu, T(mu)
		rest := mu - float64(hi[j])
		if rest != rest { // Inf - Inf
			rest = 0
		}
		lo[j] = T(rest)
	}
}

// ColumnDot computes out[j] = Σ_i a_ij·b_ij for m×d matrices, rows in order,
// products and accumulator in float64, rounded once to T. With b the normalized
// activations and a the gradient of the output it is the gradient of gamma.
func ColumnDot[T kernels.Float](m, d int, a []T, lda int, b []T, ldb int, out []T) {
	columnDot(m, d, a, lda, b, ldb, 1, out)
}

func columnDot[T kernels.Float](m, d int, a []T, lda int, b []T, ldb int, divisor float64, out []T) {
	kernels.CheckMatrix(m, d, len(a), lda, "norm: a is too short for its shape")
	kernels.CheckMatrix(m, d, len(b), ldb, "norm: b is too short for its shape")
	kernels.CheckVector(d, len(out), "norm: out is shorter than d")
	if vectorColumnDot(m, d, a, lda, b, ldb, divisor, out) {
		return
	}
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var buf [block]float64
		acc := buf[:w]
		for i := range m {
			ra, rb := a[i*lda+j0:][:len(acc)], b[i*ldb+j0:][:len(acc)]
			for j := range acc {
				acc[j] += float64(float64(ra[j]) * float64(rb[j]))
			}
		}
		dst := out[j0:][:w]
		for j, s := range acc {
			dst[j] = T(s / divisor)
		}
	}
}

// InvStd computes out[j] = 1/√(variance[j] + eps) in float64, rounded once to
// T. eps is inside the root, as in the paper and in PyTorch, whose default is
// 1e-5 (Keras: 1e-3). out may be variance itself.
func InvStd[T kernels.Float](d int, variance []T, eps float64, out []T) {
	kernels.CheckVector(d, len(variance), "norm: variance is shorter than d")
	kernels.CheckVector(d, len(out), "norm: out is shorter than d")
	if vectorInvStd(d, variance, eps, out) {
		return
	}
	dst := out[:d]
	for j, v := range variance[:d] {
		dst[j] = T(1 / math.Sqrt(float64(v)+eps))
	}
}

// EMA computes the exponential moving average
//
//	out = (1−alpha)·old + alpha·(scale·new)
//
// elementwise, every operation rounded to T. alpha is PyTorch's momentum (0.1
// by default); Keras' momentum is 1−alpha. scale is 1 for a mean and m/(m−1)
// for a biased variance that is to be stored unbiased. The three slices have
// one length; out may be old or new.
func EMA[T kernels.Float](old, new []T, alpha, scale T, out []T) {
	if len(new) != len(old) || len(out) != len(old) {
		panic("norm: old, new and out of EMA differ in length")
	}
	if vectorEma(old, new, alpha, scale, out) {
		return
	}
	keep := 1 - alpha
	for j, v := range old {
		out[j] = T(keep*v) + T(alpha*T(scale*new[j]))
	}
}

// EMARows is EMA for each row of the m×d matrix new, one after the other: out begins as old,
// of length d, and moves towards row 0, then row 1, and so on. out may be old.
func EMARows[T kernels.Float](m, d int, old, new []T, ldnew int, alpha, scale T, out []T) {
	kernels.CheckVector(d, len(old), "norm: old is shorter than d")
	kernels.CheckMatrix(m, d, len(new), ldnew, "norm: new is too short for its shape")
	kernels.CheckVector(d, len(out), "norm: out is shorter than d")
	copy(out[:d], old)
	for i := range rows(m, d) {
		EMA(out[:d], new[i*ldnew:][:d], alpha, scale, out[:d])
	}
}
