// grad.cu is grad.go in CUDA, and the backward half of affine.go. A block owns 16
// columns (columns.h).
#include "columns.h"

// standardize_grad, of the gradient g of standardize's xhat:
//
//	hi + lo = (Σ g)/m, b = (Σ g·xhat)/m      in float64, rounded
//	dx = invstd·(((g - hi) - lo) - xhat·b)
//
// dx may be g or xhat. scratch is not used.
KERNEL(COLUMN_THREADS, 1)
standardize_grad(CONTROL, TENSOR(const float, xhat), TENSOR(const float, g), TENSOR(const float, invstd),
                 TENSOR(float, dx), UNUSED(double, scratch), int m, int d, int ldxhat, int ldg, int lddx) {
  RETURN_IF_DIVERGED
  __shared__ Shared shared;
  const float *from = REPLICA(g);
  float *to = REPLICA(dx);
  standardized_grad<false>(
      shared, REPLICA(xhat), ldxhat, [=](int i, int j) { return *at(from, ldg, i, j); }, 0, REPLICA(invstd), 0, 0, m, d,
      [=](int i, int j, float v) { *at(to, lddx, i, j) = v; });
}

// affine_grad, of the gradient g of standardize_affine's y:
//
//	dgamma = Σ g·xhat, dbeta = Σ g           in float64, rounded
//	h = g·gamma, rounded
//	hi + lo = (Σ h)/m, b = (Σ h·xhat)/m      in float64, rounded
//	dx = invstd·(((h - hi) - lo) - xhat·b)
//
// dx may be g. scratch is not used.
KERNEL(COLUMN_THREADS, 1)
affine_grad(CONTROL, TENSOR(const float, xhat), TENSOR(const float, g), TENSOR(const float, gamma),
            TENSOR(const float, invstd), TENSOR(float, dx), TENSOR(float, dgamma), TENSOR(float, dbeta),
            UNUSED(double, scratch), int m, int d, int ldxhat, int ldg, int lddx) {
  RETURN_IF_DIVERGED
  __shared__ Shared shared;
  const float *from = REPLICA(g);
  float *to = REPLICA(dx);
  standardized_grad<true>(
      shared, REPLICA(xhat), ldxhat, [=](int i, int j) { return *at(from, ldg, i, j); }, REPLICA(gamma), REPLICA(invstd),
      REPLICA(dgamma), REPLICA(dbeta), m, d, [=](int i, int j, float v) { *at(to, lddx, i, j) = v; });
}

// rescale_grad, of the gradient g of rescale's y:
//
//	b = (Σ g·y)/m                            in float64, rounded
//	dx = inv·(g - y·b)
//
// One thread a column. dx may be g or y.
KERNEL(STATS_THREADS)
rescale_grad(CONTROL, TENSOR(const float, y), TENSOR(const float, g), TENSOR(const float, inv), TENSOR(float, dx), int m,
             int d, int ldy, int ldg, int lddx) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *of = REPLICA(y) + j, *from = REPLICA(g) + j, by = REPLICA(inv)[j];
    float *to = REPLICA(dx) + j;
    const double s = add_up(
        0, m, [=](int i) { return (double)from[(long long)i * ldg] * (double)of[(long long)i * ldy]; });
    const float b = float32(s / (double)m);
    for (int i = 0; i < m; i++) {
      to[(long long)i * lddx] = by * (from[(long long)i * ldg] - of[(long long)i * ldy] * b);
    }
  }
}
