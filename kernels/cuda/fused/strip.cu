// strip.cu does what works column by column in one launch, 16 columns a block (strip.h).
#include "../../gemm/multiply.h"
#include "strip.h"

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

// Products does them, for strip_of.
struct Products {
  Memory &memory;
  METHOD void operator()(const Op &o) const {
    if (o.code == GEMM_NN) {
      product<false>(o, memory.nn);
    } else {
      product<true>(o, memory.nt);
    }
  }
};

// strip: count operations of the table ops, in order. A matrix product is the first.
KERNEL(COLUMN_THREADS, 2)
strip(CONTROL, TENSOR(const Op, ops), int count) {
  RETURN_IF_DIVERGED
  __shared__ Memory shared;
  strip_of(REPLICA(ops), count, shared.columns, Products{shared});
}
