// strip.h is what strips of any width share: operations of a table, one after the other. A
// block owns COLUMNS columns of all of them, with all rows of the batch, so that they meet
// only at barriers. Their bits are those of a launch for each.
#pragma once

#include "columnwise.h"

// strip_of does count operations of the table, in order; product(o) one that is a matrix
// product, which is the first.
template <class F>
INLINE void strip_of(const Op *table, int count, Shared &columns, F product) {
#pragma unroll 1
  for (int at = 0; at < count; at++) {
    const Op &o = table[at];
    if (at > 0) {
      barrier();
    }
    if (blockX() * COLUMNS >= o.n) {
      continue;
    }
    if (o.code <= GEMM_NT) {
      product(o);
    } else {
      columnwise(o, columns);
    }
  }
}
