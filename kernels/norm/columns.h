// columns.h is what the kernels share that own columns with all of their rows: a
// block has 16 of them unless COLUMNS says otherwise. Threads of a group read a row. Strips of 64 rows,
// or of STRIP, go through shared memory, so that all threads wait for them together; sums over
// rows are then one thread's for each column, in order.
#pragma once

#include "elements.h"

#ifndef COLUMNS
#define COLUMNS 16
#endif
#ifndef GROUPS
#define GROUPS 8
#endif
#define COLUMN_THREADS (COLUMNS * GROUPS)
#ifndef STRIP
#define STRIP 64
#endif
#define APART (32 / COLUMNS) // groups of the next warp

// FIRST_COLUMN is a block's first.
#ifndef FIRST_COLUMN
#define FIRST_COLUMN (blockX() * COLUMNS)
#endif

INLINE int lane() { return threadX() % COLUMNS; }
INLINE int group_of_columns() { return threadX() / COLUMNS; }
INLINE int column() { return FIRST_COLUMN + lane(); }

// stats_column is the column of a thread that has one to itself.
#define STATS_THREADS 64

INLINE int stats_column() { return blockX() * STATS_THREADS + threadX(); }

// Strip holds rows of a block's columns.
struct Strip {
  float v[STRIP][COLUMNS];
};

// Shared is the memory that a block's threads share.
struct Shared {
  Strip a, b;
  float row[3][COLUMNS];
};

// Mean is a mean as two floats, hi + lo: hi is it rounded, lo what that took.
struct Mean {
  float hi, lo;
  METHOD float left_of(float x) const { return (x - hi) - lo; }
};

INLINE Mean split(double mean) {
  const float hi = float32(mean);
  const double rest = mean - (double)hi;
  return Mean{hi, rest == rest ? float32(rest) : 0.0f}; // Inf - Inf
}

// add_up returns s plus term(0), term(1), … term(m-1), in order. Eight terms are
// fetched at a time.
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

// each_strip calls fetch(r, i) in the threads of row i, to put it into row r of a
// strip, and then add(rows) for each strip in turn. If loaded, and one strip holds all
// rows, they are there already.
template <class F, class A>
INLINE void each_strip(int m, bool loaded, F fetch, A add) {
  for (int i0 = 0; i0 < m; i0 += STRIP) {
    const int rows = lesser_of(STRIP, m - i0);
    if (!loaded || m > STRIP) {
      for (int r = group_of_columns(); r < rows; r += GROUPS) {
        fetch(r, i0 + r);
      }
      barrier();
    }
    add(rows);
    if (m > STRIP) {
      barrier();
    }
  }
}

// column_means returns the means of the block's columns, to its first group. It leaves
// the last rows in the strip.
INLINE double column_means(const float *x, int ld, int m, int d, Strip &strip) {
  const int j = column(), c = lane();
  double sum = 0;
  each_strip(
      m, false,
      [&](int r, int i) {
        if (j < d) {
          strip.v[r][c] = *at(x, ld, i, j);
        }
      },
      [&](int rows) {
        if (group_of_columns() == 0 && j < d) {
          sum = add_up(sum, rows, [&](int r) { return (double)strip.v[r][c]; });
        }
      });
  return sum / (double)m;
}

// centred stores norm.Center's means of a block's columns and what is left of x
// without them.
INLINE void centred(Shared &shared, const float *x, float *y, float *mean, int m, int d, int ldx, int ldy) {
  float(*row)[COLUMNS] = shared.row;
  const int j = column(), c = lane();
  const double mu = column_means(x, ldx, m, d, shared.a);
  if (group_of_columns() == 0 && j < d) {
    const Mean a = split(mu);
    mean[j] = row[0][c] = a.hi;
    row[1][c] = a.lo;
  }
  barrier();
  if (j < d) {
    const Mean a = {row[0][c], row[1][c]};
    for (int i = group_of_columns(); i < m; i += GROUPS) {
      *at(y, ldy, i, j) = a.left_of(*at(x, ldx, i, j));
    }
  }
}

// standardized computes the statistics of a block's columns as norm.Standardize does,
// stores them, and calls put(i, j, xhat) for each element of the columns.
template <class F>
INLINE void standardized(Shared &shared, const float *x, float *mean, float *variance, float *invstd, int m, int d,
                         int ldx, double eps, F put) {
  Strip &strip = shared.a;
  float(*row)[COLUMNS] = shared.row;
  const int j = column(), c = lane();
  const bool first = group_of_columns() == 0 && j < d;
  const double mu = column_means(x, ldx, m, d, strip);
  double sum = 0;
  each_strip(
      m, true,
      [&](int r, int i) {
        if (j < d) {
          strip.v[r][c] = *at(x, ldx, i, j);
        }
      },
      [&](int rows) {
        if (first) {
          sum = add_up(sum, rows, [&](int r) {
            const double dev = (double)strip.v[r][c] - mu;
            return dev * dev;
          });
        }
      });
  if (first) {
    const Mean a = split(mu);
    const float v = float32(sum / (double)m), inv = inverse_std(v, eps);
    mean[j] = row[0][c] = a.hi;
    row[1][c] = a.lo;
    variance[j] = v;
    invstd[j] = row[2][c] = inv;
  }
  barrier();
  if (j < d) {
    const Mean a = {row[0][c], row[1][c]};
    const float inv = row[2][c];
    for (int i = group_of_columns(); i < m; i += GROUPS) {
      put(i, j, a.left_of(*at(x, ldx, i, j)) * inv);
    }
  }
}

// standardized_grad is norm.AffineGrad of the block's columns if AFFINE, else
// norm.StandardizeGrad, of the gradient g(i, j); it calls put(i, j, dx) for each element of the
// columns. The sums of a column are four threads', of different warps.
template <bool AFFINE, class G, class F>
INLINE void standardized_grad(Shared &shared, const float *xhat, int ldxhat, G g, const float *gamma,
                              const float *invstd, float *dgamma, float *dbeta, int m, int d, F put) {
  Strip &gs = shared.a, &xs = shared.b;
  float(*row)[COLUMNS] = shared.row;
  const int j = column(), c = lane(), part = group_of_columns();
  const float ga = AFFINE && j < d ? gamma[j] : 1.0f; // times 1 is exact
  double sum = 0;
  each_strip(
      m, false,
      [&](int r, int i) {
        if (j < d) {
          gs.v[r][c] = g(i, j);
          xs.v[r][c] = *at(xhat, ldxhat, i, j);
        }
      },
      [&](int rows) {
        if (j >= d) {
          return;
        }
        switch (part) {
        case 0: sum = add_up(sum, rows, [&](int r) { return (double)(gs.v[r][c] * ga); }); break;
        case APART: sum = add_up(sum, rows, [&](int r) { return (double)(gs.v[r][c] * ga) * (double)xs.v[r][c]; }); break;
        case 2 * APART:
          if (AFFINE) {
            sum = add_up(sum, rows, [&](int r) { return (double)gs.v[r][c] * (double)xs.v[r][c]; });
          }
          break;
        case 3 * APART:
          if (AFFINE) {
            sum = add_up(sum, rows, [&](int r) { return (double)gs.v[r][c]; });
          }
          break;
        }
      });
  if (j < d) {
    switch (part) {
    case 0: {
      const Mean a = split(sum / (double)m);
      row[0][c] = a.hi;
      row[1][c] = a.lo;
      break;
    }
    case APART: row[2][c] = float32(sum / (double)m); break;
    case 2 * APART:
      if (AFFINE) {
        dgamma[j] = float32(sum);
      }
      break;
    case 3 * APART:
      if (AFFINE) {
        dbeta[j] = float32(sum);
      }
      break;
    }
  }
  barrier();
  if (j < d) {
    const Mean a = {row[0][c], row[1][c]};
    const float b = row[2][c], inv = invstd[j];
    for (int i = part; i < m; i += GROUPS) {
      put(i, j, inv * (a.left_of(g(i, j) * ga) - *at(xhat, ldxhat, i, j) * b));
    }
  }
}
