// columns.h is what the kernels of this folder share: a block of threads owns 32
// columns of a matrix with all of its rows. A lane is a column, so that a row is
// one access of 128 bytes; sums over rows are one lane's, in order; what is done
// element by element is done by all warps, each every eighth row.
#pragma once

#include "../cuda/driftless.h"

#define COLUMNS 32
#define WARPS 8
#define COLUMN_THREADS (COLUMNS * WARPS)

INLINE int lane() { return threadX() % COLUMNS; }
INLINE int warp() { return threadX() / COLUMNS; }
INLINE int column() { return blockX() * COLUMNS + lane(); }

// add_up returns s plus term(0), term(1), … term(m-1), in order. Eight terms are
// in flight at a time.
template <class F>
INLINE double add_up(double s, int m, F term) {
  int i = 0;
  for (; i + 8 <= m; i += 8) {
    double t[8];
#pragma unroll
    for (int u = 0; u < 8; u++) {
      t[u] = term(i + u);
    }
#pragma unroll
    for (int u = 0; u < 8; u++) {
      s += t[u];
    }
  }
  for (; i < m; i++) {
    s += term(i);
  }
  return s;
}

// column_mean is norm.ColumnMean of a column with the given distance of rows.
INLINE float column_mean(const float *x, int ld, int m) {
  double s = add_up(0, m, [=](int i) { return (double)x[(long long)i * ld]; });
  return float32(s / (double)m);
}

// column_var is norm.ColumnVar about a mean.
INLINE float column_var(const float *x, int ld, int m, float mean) {
  const double centre = (double)mean;
  double s = add_up(0, m, [=](int i) {
    const double dev = (double)x[(long long)i * ld] - centre;
    return dev * dev;
  });
  return float32(s / (double)m);
}

// column_dot is Σ a·b over rows, products and sum in float64.
INLINE double column_dot(const float *a, int lda, const float *b, int ldb, int m) {
  return add_up(0, m, [=](int i) { return (double)a[(long long)i * lda] * (double)b[(long long)i * ldb]; });
}

// inverse_std is norm.InvStd: in float64, rounded once.
INLINE float inverse_std(float variance, double eps) { return float32(1.0 / sqrt64((double)variance + eps)); }
