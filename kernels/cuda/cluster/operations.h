// operations.h holds the operations that only clusters have, but for the products.
#pragma once

#include "../../elem/ops.h"
#include "../../gather/bytes.h"
#include "../../loss/rows.h"
#include "../../optim/rate.h"
#include "../../order/order.h"
#include "table.h"

// batch: index and the gather of labels, by every block for itself; the products read the
// inputs by the rows' numbers. Those of the next batch are sent for, each by one block, so that
// they come near while this one is trained on.
INLINE void batch(const Step &o, float *arena, long long now) {
  const Batch b = {o.m, o.ints[0], o.ints[1], o.ints[2], 0, 0};
  const unsigned char *data = o.outside<const unsigned char>(0), *labels = o.outside<const unsigned char>(1);
  const long long seed = *o.outside<const long long>(2);
  int *rows = (int *)arena + o.at[0];
  for (int i = threadX(); i < o.m; i += THREADS) {
    rows[i] = row_of(b, i, now, seed);
    store4(arena + o.at[1] + i, 1, mapped(o.ints[3], bytes4(labels + rows[i], 1)));
    if (i % blocks() == rank()) {
      const unsigned char *next = at(data, o.n, row_of(b, i, now + 1, seed), 0);
      for (int j = 0; j < o.n; j += 128) {
        prefetch(next + j);
      }
    }
  }
}

// cross_entropy: cross_entropy_both, by every block for itself, and the block's columns of
// the gradient. LANES threads have a row; a warp's last rows may be none.
template <int LANES>
INLINE void cross_entropy(const Step &o, float *arena, float *staging) {
  const int n = o.n, part = share(n), rows = 32 / LANES, all = (o.m + rows - 1) / rows * rows;
  for (int e = threadX(); e < all * n; e += THREADS) {
    const int i = e / n, j = e % n, r = j / part;
    staging[e] = i < o.m ? Far(arena + o.at[0], r).one(i * o.ld[0] + j - r * part) : 0;
  }
  barrier();
  for (int i = threadX() / LANES; i < all; i += THREADS / LANES) {
    float *z = staging + i * n;
    const int at = lesser_of(i, o.m - 1);
    cross_entropy_row<LANES>(z, n, arena[o.at[1] + at], i < o.m ? arena + o.at[3] + at : 0,
                             arena + o.at[2] + lesser_of(at, o.ints[0] - 1), z);
  }
  barrier();
  const Own own = owned(n, rank());
  for (int item = threadX(); item < o.m * own.count; item += THREADS) {
    const int i = item / own.count, j = item % own.count;
    arena[o.at[4] + i * o.ld[4] + j] = staging[i * n + own.first + j];
  }
}

// beta_power and learning_rate, by every block for itself.
INLINE void beta_power(const Step &o, float *arena) {
  if (threadX() == 0) {
    double *p = (double *)(arena + o.at[0]);
    p[0] *= o.number[0];
    p[1] *= o.number[1];
  }
}
INLINE void learning_rate(const Step &o, float *arena, long long now) {
  if (threadX() == 0) {
    *(double *)(arena + o.at[1]) =
        *(const double *)(arena + o.at[0]) * factor(o.ints[0], now, o.ints[1], o.ints[2], o.number[0]);
  }
}

// mean, by every block for itself.
INLINE void mean(const Step &o, float *arena) {
  if (threadX() == 0) {
    const float *x = arena + o.at[0];
    arena[o.at[1]] = float32(add_up(0, o.n, [=](int i) { return (double)x[i]; }) / (double)o.n);
  }
}

// clip_scale, by every block for itself: one part of the squares after the other goes into
// the sum, which the first begins and the last makes the scale of.
enum { FIRST_PART = 1, LAST_PART = 2 };
INLINE void clip_scale(const Step &o, float *arena, float *staging, double &sum) {
  const int part = share(o.n);
  for (int j = threadX(); j < o.n; j += THREADS) {
    staging[j] = Far(arena + o.at[0], j / part).one(j % part);
  }
  barrier();
  if (threadX() == 0) {
    sum = add_up(o.ints[0] & FIRST_PART ? 0 : sum, o.n, [=](int i) { return (double)staging[i]; });
    if (o.ints[0] & LAST_PART) {
      const double s = o.number[0] / (sqrt64(sum) + 1e-6);
      arena[o.at[1]] = s >= 1 ? 1.0f : float32(s);
    }
  }
}

// transpose: y_ij = x_ji, of the block's columns of y, which are rows of all of x.
INLINE void transpose(const Step &o, float *arena) {
  const Own own = owned(o.n, rank());
  const int part = share(o.m);
  for (int item = threadX(); item < o.m * own.count; item += THREADS) {
    const int j = item / o.m, i = item % o.m; // along a row of x
    arena[o.at[1] + i * o.ld[1] + j] = Far(arena + o.at[0], i / part).one((own.first + j) * o.ld[0] + i % part);
  }
}

// alone does an operation, of those that strips do not have, that works column by column.
INLINE void alone(const Part &o, Shared &shared) {
  const int m = o.m;
  const Matrix a = o.matrix(0), b = o.matrix(1), c = o.matrix(2), d = o.matrix(3);
  const double eps = o.number[0];
  switch (o.code) {
  case BINARY_OF: {
    const int op = o.o.ints[0], scalars = o.o.ints[1];
    const float *x = o.get<float>(0), *y = o.get<float>(1);
    quads(o, [=](int i, int j, int w) {
      const Four u = scalars & 1 ? Four{{*x, *x, *x, *x}} : a.get(i, j, w), v = scalars & 2 ? Four{{*y, *y, *y, *y}} : b.get(i, j, w);
      c.put(i, j, w, binary_of(op, u, v));
    });
    break;
  }
  case RESCALE: // the columns' sums, then all threads
    sum(
        o,
        [=](int i, int j) {
          const double v = (double)*at(a.p, a.ld, i, j);
          return v * v;
        },
        [=](int j, double s) { c.p[j] = inverse_std(float32(s / (double)m), eps); });
    barrier();
    quads(o, [=](int i, int j, int w) { b.put(i, j, w, times(a.get(i, j, w), c.row(j, w))); });
    break;
  case RESCALE_GRAD: {
    float *by = shared.row[0];
    sum(
        o, [=](int i, int j) { return (double)*at(b.p, b.ld, i, j) * (double)*at(a.p, a.ld, i, j); },
        [=](int j, double s) { by[j] = float32(s / (double)m); });
    barrier();
    quads(o, [=](int i, int j, int w) {
      d.put(i, j, w, times(c.row(j, w), minus(b.get(i, j, w), times(a.get(i, j, w), load4(by + j, w)))));
    });
    break;
  }
  case RENORM_SCALE: {
    const Ramp ramp = {o.number[1], o.number[2], o.number[3]};
    const float steps = *o.get<float>(2);
    quads(o, [=](int i, int j, int w) { d.put(i, j, w, renorm_scaled(a.get(i, j, w), b.get(i, j, w), eps, ramp, steps)); });
    break;
  }
  case RENORM_SHIFT: {
    const Ramp ramp = {o.number[1], o.number[2], o.number[3]};
    const float steps = *o.get<float>(3);
    const Matrix y = o.matrix(4);
    quads(o, [=](int i, int j, int w) {
      y.put(i, j, w, renorm_shifted(a.get(i, j, w), b.get(i, j, w), c.get(i, j, w), eps, ramp, steps));
    });
    break;
  }
  default: { // EMA_ROWS
    const int j = column();
    if (group_of_columns() == 0 && j < o.n) {
      const float alpha = o.single(0), scale = o.single(1), keep = 1.0f - alpha;
      float v = a.p[j];
      for (int i = 0; i < m; i++) {
        v = keep * v + alpha * (scale * *at(b.p, b.ld, i, j));
      }
      c.p[j] = v;
    }
  }
  }
}
