// columnwise.h is what strips and clusters do column by column: an operation O of a block
// has m rows and n columns, of which the block's begin at FIRST_COLUMN, and gives its
// operands by matrix, floats, rate and single, as Op does (ops.h).
#pragma once

#include "../../norm/columns.h"
#include "ops.h"

// quads calls f(i, j, w) for the groups of four of the block's columns of m×n
// elements: w ≤ 4 of row i from column j on.
template <class O, class F>
INLINE void quads(const O &o, F f) {
  const int m = o.m, n = o.n, j = FIRST_COLUMN + threadX() % (COLUMNS / 4) * 4;
  if (j < n) {
    for (int i = threadX() / (COLUMNS / 4); i < m; i += COLUMN_THREADS / (COLUMNS / 4)) {
      f(i, j, lesser_of(4, n - j));
    }
  }
}

// far says whether an operation's operands lie in global memory: what is added up one after
// the other is then brought into shared memory first, by all threads.
template <class O>
METHOD constexpr bool far(const O &) { return false; }
METHOD constexpr bool far(const Op &) { return true; }

// sum calls put(j, s) with the sum over rows of term(i, j), for each column.
template <class O, class F, class P>
INLINE void sum(const O &o, F term, P put) {
  const int j = column();
  if (group_of_columns() == 0 && j < o.n) {
    put(j, add_up(0, o.m, [=](int i) { return term(i, j); }));
  }
}

// The same of term(j, x, y), of elements of two matrices, which may be the same.
template <class O, class M, class F, class P>
INLINE void sum(const O &o, Shared &shared, const M &x, const M &y, F term, P put) {
  if (!far(o)) {
    sum(
        o, [=](int i, int j) { return term(j, *at(x.p, x.ld, i, j), *at(y.p, y.ld, i, j)); }, put);
    return;
  }
  Strip &a = shared.a, &b = shared.b;
  const int j = column(), c = lane();
  const bool first = group_of_columns() == 0 && j < o.n;
  double s = 0;
  each_strip(
      o.m, false,
      [&](int r, int i) {
        if (j < o.n) {
          a.v[r][c] = *at(x.p, x.ld, i, j);
          b.v[r][c] = *at(y.p, y.ld, i, j);
        }
      },
      [&](int rows) {
        if (first) {
          s = add_up(s, rows, [&](int r) { return term(j, a.v[r][c], b.v[r][c]); });
        }
      });
  if (first) {
    put(j, s);
  }
}

// columns: the operations that take sums of columns.
template <class O>
INLINE void columns(const O &o, Shared &shared) {
  const int m = o.m, n = o.n;
  const double rows = (double)m;
  switch (o.code) {
  case COLUMN_SUM: {
    const Matrix x = o.matrix(0);
    float *to = o.floats(1);
    sum(
        o, shared, x, x, [=](int, float v, float) { return (double)v; }, [=](int j, double s) { to[j] = float32(s); });
    break;
  }
  case COLUMN_MEAN: {
    const Matrix x = o.matrix(0);
    float *to = o.floats(1);
    sum(
        o, shared, x, x, [=](int, float v, float) { return (double)v; },
        [=](int j, double s) { to[j] = float32(s / rows); });
    break;
  }
  case COLUMN_VAR: {
    const Matrix x = o.matrix(0);
    const float *mean = o.floats(1);
    float *to = o.floats(2);
    sum(
        o, shared, x, x,
        [=](int j, float v, float) {
          const double dev = (double)v - (double)mean[j];
          return dev * dev;
        },
        [=](int j, double s) { to[j] = float32(s / rows); });
    break;
  }
  case COLUMN_DOT: {
    const Matrix a = o.matrix(0), b = o.matrix(1);
    float *to = o.floats(2);
    sum(
        o, shared, a, b, [=](int, float v, float w) { return (double)v * (double)w; },
        [=](int j, double s) { to[j] = float32(s); });
    break;
  }
  case CENTER: centred(shared, o.floats(0), o.floats(1), o.floats(2), m, n, o.ld[0], o.ld[1]); break;
  case STANDARDIZE: {
    const Matrix xhat = o.matrix(1);
    standardized(shared, o.floats(0), o.floats(2), o.floats(3), o.floats(4), m, n, o.ld[0], o.number[0],
                 [=](int i, int j, float v) { xhat.one(i, j) = v; });
    break;
  }
  case STANDARDIZE_AFFINE: {
    const float *g = o.floats(1), *b = o.floats(2);
    const Matrix xhat = o.matrix(3), y = o.matrix(7);
    const int act = o.activates();
    const Packed copy = o.packed();
    standardized(shared, o.floats(0), o.floats(4), o.floats(5), o.floats(6), m, n, o.ld[0], o.number[0],
                 [=](int i, int j, float v) {
                   const float a = activate(act, v * g[j] + b[j]);
                   xhat.one(i, j) = v;
                   y.one(i, j) = a;
                   copy.put(i, j, a);
                 });
    break;
  }
  case STANDARDIZE_GRAD: {
    const Matrix g = o.matrix(1), dx = o.matrix(3);
    standardized_grad<false>(
        shared, o.floats(0), o.ld[0], [=](int i, int j) { return g.one(i, j); }, 0, o.floats(2), 0, 0, m, n,
        [=](int i, int j, float v) { dx.one(i, j) = v; });
    break;
  }
  default: { // AFFINE_GRAD
    const Matrix g = o.matrix(1), dx = o.matrix(4), y = o.activated();
    const int act = o.activates();
    const Packed copy = o.packed();
    standardized_grad<true>(
        shared, o.floats(0), o.ld[0],
        [=](int i, int j) { return act == IDENTITY ? g.one(i, j) : activate_grad(act, y.one(i, j), g.one(i, j)); },
        o.floats(2), o.floats(3), o.floats(5), o.floats(6), m, n,
        [=](int i, int j, float v) {
          dx.one(i, j) = v;
          copy.put(i, j, v);
        });
  }
  }
}

// elements: the operations that take each element by itself.
template <class O>
INLINE void elements(const O &o) {
  const Matrix a = o.matrix(0), b = o.matrix(1), c = o.matrix(2), d = o.matrix(3);
  const int act = o.act;
  const double eps = o.number[0];
  switch (o.code) {
  case ACTIVATION: quads(o, [=](int i, int j, int w) { b.put(i, j, w, activate(act, a.get(i, j, w))); }); break;
  case ACTIVATION_GRAD:
    quads(o, [=](int i, int j, int w) { c.put(i, j, w, activate_grad(act, a.get(i, j, w), b.get(i, j, w))); });
    break;
  case ADD_ROW: quads(o, [=](int i, int j, int w) { c.put(i, j, w, plus(a.get(i, j, w), b.row(j, w))); }); break;
  case PACK:
    quads(o, [=](int i, int j, int w) { pack4((unsigned *)b.p, b.ld, i, j, w, o.n, a.get(i, j, w)); });
    break;
  case COPY: quads(o, [=](int i, int j, int w) { b.put(i, j, w, a.get(i, j, w)); }); break;
  case CENTER_BY: quads(o, [=](int i, int j, int w) { c.put(i, j, w, minus(a.get(i, j, w), b.row(j, w))); }); break;
  case NORMALIZE_BY:
    quads(o, [=](int i, int j, int w) {
      d.put(i, j, w, times(minus(a.get(i, j, w), b.row(j, w)), inverse_std(c.row(j, w), eps)));
    });
    break;
  case SCALE_BY:
    quads(o, [=](int i, int j, int w) { c.put(i, j, w, times(a.get(i, j, w), inverse_std(b.row(j, w), eps))); });
    break;
  case AFFINE:
    quads(o, [=](int i, int j, int w) { d.put(i, j, w, plus(times(a.get(i, j, w), b.row(j, w)), c.row(j, w))); });
    break;
  case SCALE_COLUMNS: quads(o, [=](int i, int j, int w) { c.put(i, j, w, times(a.get(i, j, w), b.row(j, w))); }); break;
  case SQUARED_DEV: quads(o, [=](int i, int j, int w) { c.put(i, j, w, square_of(a.get(i, j, w), b.row(j, w))); }); break;
  default: { // EMA
    const float alpha = o.single(0), scale = o.single(1);
    quads(o, [=](int i, int j, int w) { c.put(i, j, w, moved(a.get(i, j, w), b.get(i, j, w), alpha, scale)); });
  }
  }
}

// columnwise does an operation that works column by column.
template <class O>
INLINE void columnwise(const O &o, Shared &shared) {
  switch (o.code) {
  case COLUMN_SUM:
  case COLUMN_MEAN:
  case COLUMN_VAR:
  case COLUMN_DOT:
  case CENTER:
  case STANDARDIZE:
  case STANDARDIZE_AFFINE:
  case STANDARDIZE_GRAD:
  case AFFINE_GRAD: columns(o, shared); break;
  default:
    if (o.code >= SGD) {
      steps(o, [&](auto f) { quads(o, f); });
    } else {
      elements(o);
    }
  }
}
