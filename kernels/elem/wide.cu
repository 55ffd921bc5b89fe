// wide.cu is the functions of package elem that compute in float64, in CUDA. Matrices go four columns a
// thread, whose elements take turns: one function's code for all. An output may be an input of its shape.
#include "../cuda/scalar64.h"
#include "operand.h"

// Numbered as elem.Unary.
enum Wide { LOG1P = 5, EXPM1 = 11, SOFTPLUS = 12, SIN = 15, COS = 16, LOG2 = 17 };

INLINE double wide(int op, double x) {
  switch (op) {
  case LOG1P: return log1p64(x);
  case EXPM1: return expm1_64(x);
  case SOFTPLUS: return softplus64(x);
  case LOG2: return log2_64(x);
  }
  return sin64(x, op == COS);
}

// unary_wide: y = op(x).
KERNEL(QUAD_THREADS)
unary_wide(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int op) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n);
#pragma unroll 1
  for (int c = 0; c < 4; c++) {
    v = Four{{v.v[1], v.v[2], v.v[3], float32(wide(op, (double)v.v[0]))}};
  }
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, v);
}

// power: y = a to the power of b; scalars is that of binary.
KERNEL(QUAD_THREADS)
power(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(float, y), int m, int d, int lda, int ldb, int ldy,
      int scalars) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    Four u = operand(REPLICA(a), lda, scalars & 1, q), v = operand(REPLICA(b), ldb, scalars & 2, q);
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, pow_each(u, v));
  }
}
