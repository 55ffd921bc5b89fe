// Package norm holds the column statistics and the normalizing transforms of
// batch normalization (Ioffe and Szegedy, 2015), forward and backward.
//
// Every matrix is m×d: rows are examples of the batch, columns are features,
// and each column is treated alone. In the notation of the paper, for a column
//
//	mean     mu   = (1/m) Σ x_i
//	variance v    = (1/m) Σ (x_i − mu)²       biased: divided by m
//	invStd   1/s  = 1/√(v + eps)              eps inside the root
//	xhat     xh_i = (x_i − mu)/s
//	y        y_i  = gamma·xh_i + beta
//
// # Statistics
//
// All statistics take rows in order in a float64 accumulator, so their bits do
// not depend on how columns are shared among workers. The variance is two-pass:
// first the mean, then the squared deviations about it. The one-pass form
// E[x²]−E[x]² in float32 loses everything once the mean is some thousand times
// the standard deviation, and that is exactly what the drifting networks of
// this project produce. Framework defaults: PyTorch normalizes with the biased
// variance and stores the unbiased one; these kernels give the biased one, and
// EMA has a scale argument for the m/(m−1).
//
// # Means
//
// A mean that is taken out of its own column is not rounded to T before, which would
// lose the digits of values that differ little compared with their mean: of a column
// at 1e6, where float32 goes by sixteenths, all of them. It is two T,
//
//	mu = Σ x_i / m                  in float64
//	hi = T(mu)                      what functions return as the mean
//	lo = T(mu − float64(hi))        0 where that is NaN
//
// and x − mu is T(T(x − hi) − lo). The first difference is exact where hi/2 ≤ x ≤ 2hi
// (Sterbenz, 1974), and elsewhere its rounding is small beside it. The variance is that
// about mu, in float64. So, with u = 2^-24 and δ = (2^-48 + m·2^-53)·|mu|, Standardize
// in float32 gives xh within 6u·|xh| + δ/s, v within 2u·v + δ², and 1/s within 3u/s of
// the exact ones. StandardizeGrad takes out mean(g) likewise. In float64 lo is 0.
//
// These are rounded:
//
//   - the mean that CenterBy, NormalizeBy, SquaredDeviation and ColumnVar are given: it
//     is state, or somebody's operand, of type T. What its rounding took, at most
//     u·|mu|, stays in the deviations: evaluation in float32 is as good as its running
//     mean;
//   - v, before 1/s: it costs u/2 of 1/s whatever the mean is, and lets NormalizeBy
//     have Standardize's bits where T holds the mean;
//   - mean(g·xh), before it is multiplied by xh: the product's own rounding is as large.
//
// # Transforms
//
// The elementwise part is done in T with one rounding an operation, from
// statistics rounded to T and means as above; each function states its sequence.
// Unless stated otherwise the output may be the input of the same shape itself, with
// the same leading dimension.
//
// # Gradients
//
// StandardizeGrad differentiates through the statistics:
//
//	dx_i = (1/s)·(g_i − mean(g) − xh_i·mean(g·xh))
//
// so that Σ dx_i = 0: a bias in front of the normalization gets no gradient.
// ScaleBy is what remains of it when the statistics are held constant, which is
// the mistake that section 2 of the paper warns of.
//
// StandardizeAffine and AffineGrad are compositions, in one pass less each over
// what they read and write, with the bits of their parts. For workers that share rows they
// come in two functions each as well: Statistics and StandardizeAffineBy, AffineGradSums and
// AffineGradBy.
//
// # Rescaling
//
// Rescale and RescaleGrad are Standardize and StandardizeGrad without the means: columns
// over their root mean square, of which layers of RMS normalization and of weight
// normalization are made.
//
// # Implementations
//
// The plain Go is the specification. On amd64 internal/gen writes each loop once for
// AVX2 and once for AVX-512, in either type, with the same bits:
//
//   - a vector is a few columns side by side, so that every column's sum still
//     takes its rows in order; sums are in float64, blocks of eight rows at a time;
//   - the product of two float32 is exact in float64, so ColumnDot and the
//     gradients fuse it with the sum; those of float64 are rounded before;
//   - a mean of float32 is a product with 1/m and two corrections, which give the quotient
//     correctly rounded;
//   - what is written is prefetched some rows ahead;
//   - rows of less than AVX-512's vector, the channels of images, are done several at a time
//     where each element is by itself (narrow_amd64.go);
//   - of planes, a channel's four sums fill one vector of 256 bits on either instruction set, and
//     several channels take turns (planes_amd64.go); planes of less than 8 elements are left to
//     the plain Go;
//   - functions of several passes go by strips of columns (see strip) that stay in
//     the caches from one pass to the next.
//
// StandardizeGrad and AffineGrad leave scratch alone then.
package norm
