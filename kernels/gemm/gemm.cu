// gemm.cu is package gemm in CUDA: the kernels. multiply.h says how an element comes
// about.
#include "multiply.h"

#define PARAMETERS                                                                                           \
  CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(const float, bias), TENSOR(float, c),       \
      TENSOR(const double, lr), int m, int n, int k, int lda, int ldb, int ldc, int act

// gemm_<op(A)><op(B)>_<tile>: C = act(op(A)·op(B) + bias), or with lr
// C = act(C - lr·op(A)·op(B) + bias), where n takes an operand as it is and t
// transposes it. bias and lr may be null. A tile of C is <tile> rows by as many
// columns.
#define GEMM(name, TM, TN, TK, RM, RN, TA, TB, BLOCKS, ...)                                                       \
  KERNEL((TM / RM) * (TN / RN), BLOCKS) name(PARAMETERS) {                                                   \
    RETURN_IF_DIVERGED                                                                                       \
    __shared__ Tile<TM, TN, TK, 4, ##__VA_ARGS__> tile;                                                                        \
    const int i0 = blockY() * TM, j0 = blockX() * TN;                                                        \
    float *to = REPLICA(c);                                                                                  \
    multiply<RM, RN, TA, TB>(tile, REPLICA(a), REPLICA(b), REPLICA(bias), to, REPLICA(lr), m, n, k, lda,     \
                             ldb, ldc, i0, j0);                                                              \
    if (act != IDENTITY) {                                                                                   \
      own<TM, TN, RM, RN>(m, n, i0, j0, [=](int i, int j, int w) {                                           \
        float *p = at(to, ldc, i, j);                                                                        \
        store4(p, w, activate(act, load4(p, w)));                                                            \
      });                                                                                                    \
    }                                                                                                        \
  }

// The first layer's product has a long k and few elements: threads with few sums
// each take their turns sooner. The others have a short k.
GEMM(gemm_nn_32, 32, 32, 32, 2, 4, false, false, 4)
GEMM(gemm_tn_32, 32, 32, 16, 4, 4, true, false, 6)
GEMM(gemm_nt_32, 32, 32, 16, 4, 4, false, true, 6)
GEMM(gemm_nn_64, 64, 64, 16, 4, 4, false, false, 2)
GEMM(gemm_tn_64, 64, 64, 16, 4, 4, true, false, 2)
GEMM(gemm_nt_64, 64, 64, 16, 4, 4, false, true, 2)
GEMM(gemm_nn_128, 128, 128, 16, 8, 8, false, false, 1, 2)
GEMM(gemm_tn_128, 128, 128, 16, 8, 8, true, false, 1, 2)
GEMM(gemm_nt_128, 128, 128, 16, 8, 8, false, true, 1, 2)
