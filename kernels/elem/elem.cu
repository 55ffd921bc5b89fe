// elem.cu is package elem in CUDA, with the moves of a program: fills and copies.
// Matrices go four columns a thread. An output may be an input of its shape.
#include "../cuda/scalar.h"
#include "operand.h"
#include "ops.h"
#include "sum.h"

// binary: y = a op b. scalars has 1 set if a is a scalar, 2 if b is: then y must not be that
// scalar unless it has one element.
KERNEL(QUAD_THREADS)
binary(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(float, y), int m, int d, int lda, int ldb,
       int ldy, int op, int scalars) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  Four u = operand(REPLICA(a), lda, scalars & 1, q), v = operand(REPLICA(b), ldb, scalars & 2, q);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, binary_of(op, u, v));
}

// Numbered as elem.Unary. Those that compute in float64 are in wide.cu, but for the logarithm.
enum Unary {
  NEG = 0, SQUARE = 1, SQRT = 2, EXP = 3, LOG = 4, ABS = 6, SIGN = 7, INVERSE = 8, INVERSE_SQRT = 9, CUBE = 10,
  SIGMOID_OF = 13, TANH_OF = 14, CEIL = 18, FLOOR = 19,
};

// unary: y = op(x), the sequence of IEEE operations that elem.Unary and package
// scalar state.
KERNEL(QUAD_THREADS)
unary(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int op) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n);
  switch (op) {
  case NEG: v = each(v, [](float s) { return -s; }); break;
  case SQUARE: v = each(v, [](float s) { return s * s; }); break;
  case SQRT: v = each(v, [](float s) { return sqrt32(s); }); break;
  case EXP: v = each(v, [](float s) { return exp32(s); }); break;
  case LOG:
#pragma unroll 1
    for (int c = 0; c < 4; c++) { // one logarithm's code for four, each in turn first
      v = Four{{v.v[1], v.v[2], v.v[3], float32(log64(v.v[0]))}};
    }
    break;
  case ABS: v = each(v, [](float s) { return of_bits32(bits32(s) & 0x7fffffff); }); break;
  case SIGN: v = each(v, [](float s) { return s > 0 ? 1.0f : s < 0 ? -1.0f : s; }); break;
  case INVERSE: v = each(v, [](float s) { return 1.0f / s; }); break;
  case INVERSE_SQRT: v = each(v, [](float s) { return 1.0f / sqrt32(s); }); break;
  case CUBE: v = each(v, [](float s) { return s * s * s; }); break;
  case SIGMOID_OF: v = activate(SIGMOID, v); break;
  case TANH_OF: v = activate(TANH, v); break;
  case CEIL: v = each(v, [](float s) { return ceil32(s); }); break;
  case FLOOR: v = each(v, [](float s) { return floor32(s); }); break;
  }
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, v);
}

// add_row: y_ij = x_ij + row_j.
KERNEL(QUAD_THREADS)
add_row(CONTROL, TENSOR(const float, x), TENSOR(const float, row), TENSOR(float, y), int m, int d, int ldx, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n), r = load4(REPLICA(row) + q.j, q.n);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, each(v, r, [](float s, float t) { return s + t; }));
}

// sub_outer: y_ij = fma(-rows_i, cols_j, x_ij).
KERNEL(QUAD_THREADS)
sub_outer(CONTROL, TENSOR(const float, x), TENSOR(const float, rows), TENSOR(const float, cols), TENSOR(float, y), int m, int d,
          int ldx, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    float r = -REPLICA(rows)[q.i];
    Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n), c = load4(REPLICA(cols) + q.j, q.n);
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, each(v, c, [r](float s, float t) { return fma32(r, t, s); }));
  }
}

// repeat_rows: y_ij = row_j.
KERNEL(QUAD_THREADS)
repeat_rows(CONTROL, TENSOR(const float, row), TENSOR(float, y), int m, int d, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, load4(REPLICA(row) + q.j, q.n));
  }
}

// repeat_cols: y_ij = col_i.
KERNEL(QUAD_THREADS)
repeat_cols(CONTROL, TENSOR(const float, col), TENSOR(float, y), int m, int d, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    float v = REPLICA(col)[q.i];
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, Four{{v, v, v, v}});
  }
}

// transpose: y_ij = x_ji of blocks below one another, so many rows of y each.
KERNEL(QUAD_THREADS)
transpose(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int block) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    int b = (int)((unsigned)q.i / (unsigned)block);
    const float *column = at(REPLICA(x), ldx, b * d + q.j, q.i - b * block);
    Four r;
    for (int k = 0; k < 4; k++) {
      r.v[k] = k < q.n ? column[(long)k * ldx] : 0.0f;
    }
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, r);
  }
}

// fill: x_ij = from[0], or value where from is null.
KERNEL(QUAD_THREADS)
fill(CONTROL, TENSOR(const float, from), TENSOR(float, x), int m, int d, int ldx, float value) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    float v = from ? *REPLICA(from) : value;
    store4(at(REPLICA(x), ldx, q.i, q.j), q.n, Four{{v, v, v, v}});
  }
}

// fill64: the same for a float64 x, of a float32 from.
KERNEL(QUAD_THREADS)
fill64(CONTROL, TENSOR(const float, from), TENSOR(double, x), int m, int d, int ldx, double value) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    double v = from ? (double)*REPLICA(from) : value;
    double *to = at(REPLICA(x), ldx, q.i, q.j);
    for (int c = 0; c < q.n; c++) {
      to[c] = v;
    }
  }
}

// copy: y = x for elements of any type, given as words of 4 bytes.
KERNEL(QUAD_THREADS)
copy(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, load4(at(REPLICA(x), ldx, q.i, q.j), q.n));
  }
}

// copy8: the same, given as bytes.
KERNEL(QUAD_THREADS)
copy8(CONTROL, TENSOR(const unsigned char, x), TENSOR(unsigned char, y), int m, int d, int ldx, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  const unsigned char *from = at(REPLICA(x), ldx, q.i, q.j);
  unsigned char *to = at(REPLICA(y), ldy, q.i, q.j);
  for (int c = 0; c < q.n; c++) {
    to[c] = from[c];
  }
}

// ---- sums, in order, in float64 ----

// sum: y = Σ x, rounded once to float32.
KERNEL(SUM_THREADS)
sum(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx) {
  RETURN_IF_DIVERGED
  double s = ordered_sum(REPLICA(x), m, d, ldx);
  if (threadX() == 0) {
    *REPLICA(y) = float32(s);
  }
}

// mean: y = (Σ x)/n of n = m·d elements, divided before it is rounded.
KERNEL(SUM_THREADS)
mean(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx) {
  RETURN_IF_DIVERGED
  double s = ordered_sum(REPLICA(x), m, d, ldx);
  if (threadX() == 0) {
    *REPLICA(y) = float32(s / (double)((long long)m * d));
  }
}

// row_sum: y_i = Σ_j x_ij, columns in order. One thread a row.
KERNEL(SUM_THREADS)
row_sum(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx) {
  RETURN_IF_DIVERGED
  const int i = blockX() * SUM_THREADS + threadX();
  if (i >= m) {
    return;
  }
  const float *row = at(REPLICA(x), ldx, i, 0);
  double s = 0;
  for (int j = 0; j < d; j++) {
    s += (double)row[j];
  }
  REPLICA(y)[i] = float32(s);
}
