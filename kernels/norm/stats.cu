// stats.cu is stats.go in CUDA: statistics of columns, rows in order in float64.
// One thread a column.
#include "columns.h"

// column_sum: out_j = Σ_i x_ij, rounded once to float32.
KERNEL(STATS_THREADS)
column_sum(CONTROL, TENSOR(const float, x), TENSOR(float, out), int m, int d, int ldx) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *col = REPLICA(x) + j;
    REPLICA(out)[j] = float32(add_up(0, m, [=](int i) { return (double)col[(long long)i * ldx]; }));
  }
}

// column_mean: mean_j = (Σ_i x_ij)/m, divided before it is rounded.
KERNEL(STATS_THREADS)
column_mean(CONTROL, TENSOR(const float, x), TENSOR(float, mean), int m, int d, int ldx) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *col = REPLICA(x) + j;
    const double s = add_up(0, m, [=](int i) { return (double)col[(long long)i * ldx]; });
    REPLICA(mean)[j] = float32(s / (double)m);
  }
}

// column_var: variance_j = (Σ_i (x_ij - mean_j)²)/m, all but the result in float64.
KERNEL(STATS_THREADS)
column_var(CONTROL, TENSOR(const float, x), TENSOR(const float, mean), TENSOR(float, variance), int m, int d,
           int ldx) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *col = REPLICA(x) + j;
    const double centre = (double)REPLICA(mean)[j];
    const double s = add_up(0, m, [=](int i) {
      const double dev = (double)col[(long long)i * ldx] - centre;
      return dev * dev;
    });
    REPLICA(variance)[j] = float32(s / (double)m);
  }
}

// column_dot: out_j = Σ_i a_ij·b_ij, products and sum in float64.
KERNEL(STATS_THREADS)
column_dot(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(float, out), int m, int d, int lda,
           int ldb) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *u = REPLICA(a) + j, *v = REPLICA(b) + j;
    REPLICA(out)[j] = float32(
        add_up(0, m, [=](int i) { return (double)u[(long long)i * lda] * (double)v[(long long)i * ldb]; }));
  }
}

// accumulate: acc_j += x_0j, then x_1j, … for the first m rows of x; acc is float64.
KERNEL(STATS_THREADS)
accumulate(CONTROL, TENSOR(const float, x), TENSOR(double, acc), int m, int d, int ldx) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *col = REPLICA(x) + j;
    double *to = REPLICA(acc) + j;
    *to = add_up(*to, m, [=](int i) { return (double)col[(long long)i * ldx]; });
  }
}

// accumulate_matrix: acc_ij += x_ij; acc is float64. After a matrix product xᵀx it
// makes the accumulation of outer products.
KERNEL(QUAD_THREADS)
accumulate_matrix(CONTROL, TENSOR(const float, x), TENSOR(double, acc), int m, int d, int ldx, int ldacc) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n);
  double *to = at(REPLICA(acc), ldacc, q.i, q.j);
#pragma unroll
  for (int c = 0; c < 4; c++) {
    if (c < q.n) {
      to[c] += (double)v.v[c];
    }
  }
}

// from_accumulator: y_ij = scale·acc_ij, rounded to float32.
KERNEL(QUAD_THREADS)
from_accumulator(CONTROL, TENSOR(const double, acc), TENSOR(float, y), int m, int d, int ldacc, int ldy,
                 double scale) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  const double *from = at(REPLICA(acc), ldacc, q.i, q.j);
  Four v;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    v.v[c] = c < q.n ? float32(from[c] * scale) : 0.0f;
  }
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, v);
}

// ema: out = (1-alpha)·old + alpha·(scale·new), every operation rounded to float32.
// out may be old or new.
KERNEL(QUAD_THREADS)
ema(CONTROL, TENSOR(const float, old), TENSOR(const float, recent), TENSOR(float, out), int m, int d, int ldold,
    int ldrecent, int ldout, float alpha, float scale) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = moved(load4(at(REPLICA(old), ldold, q.i, q.j), q.n), load4(at(REPLICA(recent), ldrecent, q.i, q.j), q.n),
                 alpha, scale);
  store4(at(REPLICA(out), ldout, q.i, q.j), q.n, v);
}

// ema_rows: ema towards each of m rows in turn. One thread a column. out may be old.
KERNEL(STATS_THREADS)
ema_rows(CONTROL, TENSOR(const float, old), TENSOR(const float, recent), TENSOR(float, out), int m, int d, int ldrecent,
         float alpha, float scale) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *from = REPLICA(recent) + j, keep = 1.0f - alpha;
    float v = REPLICA(old)[j];
    for (int i = 0; i < m; i++) {
      v = keep * v + alpha * (scale * from[(long long)i * ldrecent]);
    }
    REPLICA(out)[j] = v;
  }
}
