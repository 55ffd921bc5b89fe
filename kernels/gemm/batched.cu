// batched.cu is package gemm in CUDA for many pairs of matrices, each a row of its operand: a block
// has a tile of one product. multiply.h says how an element comes about.
#include "multiply.h"

// batched_<op(A)><op(B)>_<tile>: C = op(A)·op(B) of each pair, m rows and n columns by sums of k. The matrices have
// no gaps; those of the next pair lie lda, ldb and ldc elements farther. Blocks go over the tiles of a row of tiles,
// then over the pairs.
#define BATCHED(name, TM, TN, TK, RM, RN, TA, TB, BLOCKS, ...)                                               \
  KERNEL((TM / RM) * (TN / RN), BLOCKS)                                                                      \
  name(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(float, c), int m, int n, int k,       \
       int lda, int ldb, int ldc) {                                                                          \
    RETURN_IF_DIVERGED                                                                                       \
    __shared__ Tile<TM, TN, TK, 4, ##__VA_ARGS__> tile;                                                      \
    const int across = (n + TN - 1) / TN, pair = blockX() / across;                                          \
    multiply<RM, RN, TA, TB>(tile, at(REPLICA(a), lda, pair, 0), at(REPLICA(b), ldb, pair, 0), nullptr,      \
                             at(REPLICA(c), ldc, pair, 0), nullptr, m, n, k, TA ? m : k, TB ? k : n, n,      \
                             blockY() * TM, (blockX() - pair * across) * TN);                                \
  }

BATCHED(batched_nn_32, 32, 32, 32, 2, 4, false, false, 4)
BATCHED(batched_tn_32, 32, 32, 16, 4, 4, true, false, 6)
BATCHED(batched_nt_32, 32, 32, 16, 4, 4, false, true, 6)
BATCHED(batched_tt_32, 32, 32, 16, 4, 4, true, true, 6)
BATCHED(batched_nn_128, 128, 128, 16, 8, 8, false, false, 1, 2)
BATCHED(batched_tn_128, 128, 128, 16, 8, 8, true, false, 1, 2)
BATCHED(batched_nt_128, 128, 128, 16, 8, 8, false, true, 1, 2)
