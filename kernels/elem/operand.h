// operand.h is how kernels of two operands read them.
#pragma once

#include "../cuda/driftless.h"

// operand reads a thread's share of a matrix or, of a scalar, its only element.
INLINE Four operand(const float *x, int ld, int is_scalar, const Quad &q) {
  if (is_scalar) {
    float v = *x;
    return Four{{v, v, v, v}};
  }
  return load4(at(x, ld, q.i, q.j), q.n);
}
