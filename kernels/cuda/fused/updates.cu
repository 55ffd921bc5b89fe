// updates.cu does all steps of a network's weights in one launch. A block owns a tile
// of a weight's gradient, so that nothing but the products is formed twice.
#include "../../gemm/multiply.h"
#include "ops.h"

#define TILE 32
#define OWN TILE, TILE, 4, 4
#define THREADS 64

// updates: the table ops has matrix products gemm_tn, each followed by what is done with
// the tiles of its result, element by element: a step of an optimizer, or nothing. The
// tiles of all products are numbered through, one a block.
KERNEL(THREADS, 6)
updates(CONTROL, TENSOR(const Op, ops), int count) {
  RETURN_IF_DIVERGED
  __shared__ Tile<TILE, TILE, 16> tile;
  const Op *table = REPLICA(ops), *o = table;
  for (int i = 1; i < count && table[i].first <= blockX(); i++) {
    if (table[i].code == GEMM_TN) {
      o = table + i;
    }
  }
  const int number = blockX() - o->first, wide = (o->n + TILE - 1) / TILE;
  const int i0 = number / wide * TILE, j0 = number % wide * TILE;
  multiply<4, 4, true, false>(tile, o->floats(0), o->floats(1), o->floats(2), o->floats(3), o->get<const double>(4),
                              o->m, o->n, o->k, o->ld[0], o->ld[1], o->ld[3], i0, j0);
  for (o++; o < table + count && o->code != GEMM_TN; o++) {
    const Op &step = *o;
    steps(step, [&](auto f) { own<OWN>(step.m, step.n, i0, j0, f); });
  }
}
