// strip.cu does what works column by column in one launch: operations of a table, one
// after the other. A block owns 16 columns of all of them, with all rows of the batch,
// so that they meet only at barriers. Their bits are those of a launch for each.
#include "../../gemm/multiply.h"
#include "columnwise.h"

// A matrix product of a block goes 64 rows at a time, 2×4 sums a thread.
#define ROWS 64
#define OWN ROWS, COLUMNS, 2, 4

union Memory {
  Tile<ROWS, COLUMNS, 32, 0> nn;
  Tile<ROWS, COLUMNS, 32> nt;
  Shared columns;
};

// product: gemm_nn, or gemm_nt if TB.
template <bool TB, int PAD>
INLINE void product(const Op &o, Tile<ROWS, COLUMNS, 32, PAD> &tile) {
  const int j0 = blockX() * COLUMNS, act = o.act;
  const Matrix c = o.matrix(3);
#pragma unroll 1
  for (int i0 = 0; i0 < o.m; i0 += ROWS) {
    multiply<2, 4, false, TB>(tile, o.floats(0), o.floats(1), o.floats(2), c.p, o.get<const double>(4), o.m, o.n, o.k,
                             o.ld[0], o.ld[1], c.ld, i0, j0);
    if (act != IDENTITY) {
      own<OWN>(o.m, o.n, i0, j0, [=](int i, int j, int w) { c.put(i, j, w, activate(act, c.get(i, j, w))); });
    }
  }
}

// strip: count operations of the table ops, in order. A matrix product is the first.
KERNEL(COLUMN_THREADS, 2)
strip(CONTROL, TENSOR(const Op, ops), int count) {
  after_launch_before();
  RETURN_IF_DIVERGED
  __shared__ Memory shared;
  const Op *table = REPLICA(ops);
#pragma unroll 1
  for (int at = 0; at < count; at++) {
    const Op &o = table[at];
    if (at > 0) {
      barrier();
    }
    if (blockX() * COLUMNS >= o.n) {
      continue;
    }
    switch (o.code) {
    case GEMM_NN: product<false>(o, shared.nn); break;
    case GEMM_NT: product<true>(o, shared.nt); break;
    default: columnwise(o, shared.columns);
    }
  }
}
