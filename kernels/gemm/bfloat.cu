// bfloat.cu is products on tensor cores of operands in BF16: see tensor.h, and packed.h for how
// these lie in memory.
//
// A step goes 32 elements along k. Its words are copied to shared memory as they lie in
// global memory, in groups of eight elements, and go to the tensor cores by ldmatrix: the rows
// of 8×8 elements if a row of memory goes along k, else the columns.
#include "tensor.h"

INLINE void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned *b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// load takes four matrices of 8×8 elements: lane 8i+r knows where row r of matrix i is.
template <bool COLUMNS>
INLINE void load(unsigned (&v)[4], unsigned long long from) {
  if (COLUMNS) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
                 : "l"(from)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
                 : "l"(from)
                 : "memory");
  }
}

static const int TK = 32;

// place is the word where group g of a row of shared memory lies, which has so many: so that
// neither those that a copy fills nor eight rows' of a matrix meet in a bank.
template <int GROUPS>
INLINE int place(int row, int g) {
  return (row * GROUPS + (g ^ (GROUPS == 4 ? row / 2 % 4 : row % 8))) * 4;
}

// Side is an operand: W rows of op(A) or columns of op(B). If ALONG rows of memory go along k.
// A thread brings Q groups of a step.
template <int W, int THREADS, bool ALONG>
struct Side {
  static const int WORDS = W * TK / 2, GROUPS = (ALONG ? TK : W) / 8, Q = W * TK / 8 / THREADS;
  const unsigned *base;
  int ld, width, w0, k; // width is the number of rows or columns, of which the tile begins at w0

  METHOD int row(int u) const { return (threadX() + u * THREADS) / GROUPS; }
  METHOD int group(int u) const { return (threadX() + u * THREADS) % GROUPS; }

  // start is where the thread's group u lies in the first step. Groups beyond the width read
  // the last one instead: what they give is not stored.
  METHOD const unsigned *start(int u) const {
    return ALONG ? at(base, ld, lesser_of(w0 + row(u), width - 1), group(u) * 4)
                 : at(base, ld, row(u), lesser_of(w0 / 8 + group(u), (width - 1) / 8) * 4);
  }
  METHOD void first(const unsigned *(&from)[Q]) const {
#pragma unroll
    for (int u = 0; u < Q; u++) {
      from[u] = start(u);
    }
  }
  // copy begins the copies of a step, and goes on to the next.
  METHOD void copy(unsigned *to, const unsigned *(&from)[Q]) const {
#pragma unroll
    for (int u = 0; u < Q; u++) {
      copy_async<16>((float *)(to + place<GROUPS>(row(u), group(u))), (const float *)from[u]);
      from[u] += ALONG ? TK / 2 : (long long)TK * ld;
    }
  }

  // bring puts the last elements along k, from k0 on, in shared memory, and words of fill
  // behind them.
  METHOD void bring(unsigned *to, int k0, unsigned fill) const {
#pragma unroll 1
    for (int u = 0; u < Q; u++) {
      const int p = k0 + (ALONG ? group(u) * 8 : row(u));
      uint4 v;
      v.x = v.y = v.z = v.w = fill;
      if (p < k) {
        v = *(const uint4 *)(start(u) + (ALONG ? k0 / 2 : (long long)k0 * ld));
        if (ALONG) {
          const int n = k - p;
          v.x = kept(v.x, n, fill), v.y = kept(v.y, n - 2, fill), v.z = kept(v.z, n - 4, fill), v.w = kept(v.w, n - 6, fill);
        }
      }
      *(uint4 *)(to + place<GROUPS>(row(u), group(u))) = v;
    }
  }
  // kept is a word of which n elements count.
  static METHOD unsigned kept(unsigned v, int n, unsigned fill) {
    return n > 1 ? v : n == 1 ? (v & 0xffff) | (fill & 0xffff0000u) : fill;
  }
};

// Reader is where a lane finds its row of the four matrices that make 16 rows of op(A), or
// columns of op(B), and 16 elements along k: N times, from w0 on.
template <int W, int N, bool ALONG>
struct Reader {
  static const int GROUPS = (ALONG ? TK : W) / 8;
  unsigned long long at[ALONG ? TK / 16 : N];
  // Lanes of matrices with wide have the second 8 rows or columns, with deep those along k.
  METHOD Reader(const unsigned *step, int w0, int wide, int deep) {
    unsigned long long base;
    asm("cvta.to.shared.u64 %0, %1;" : "=l"(base) : "l"(step));
    const int r = threadX() % 8;
#pragma unroll
    for (int i = 0; i < (ALONG ? TK / 16 : N); i++) {
      at[i] = base + 4 * (ALONG ? place<GROUPS>(w0 + wide * 8 + r, 2 * i + deep) : place<GROUPS>(deep * 8 + r, w0 / 8 + 2 * i + wide));
    }
  }
  // read takes part i of elements 16q to 16q+15 along k, of the step at so many bytes.
  METHOD void read(unsigned (&v)[4], int step, int i, int q) const {
    load<!ALONG>(v, (ALONG ? at[q] + i * 16 * TK * 2 : at[i] + q * 16 * W * 2) + step);
  }
};

// Words is the shared memory of a block: of so many steps, one is used while the others are
// filled.
static const int STEPS = 3;
template <int X, int Y>
struct alignas(16) Words {
  struct {
    unsigned x[X], y[Y];
  } step[STEPS];
};

// multiply computes a tile of C, of M×N, with warps that have MI×NI parts.
template <int M, int N, int MI, int NI, bool TA, bool TB, class Shared>
INLINE void multiply(Shared &shared, const unsigned *a, const unsigned *b, const float *bias, const Result &c,
                     const double *lr, int k, int lda, int ldb) {
  const int THREADS = M / (16 * MI) * (N / (8 * NI)) * 32;
  typedef Side<M, THREADS, !TA> SideA;
  typedef Side<N, THREADS, TB> SideB;
  const int i0 = blockY() * M, j0 = blockX() * N, warp = threadX() / 32, matrix = threadX() / 8 % 4;
  const int row = warp / (N / (8 * NI)) * (16 * MI), col = warp % (N / (8 * NI)) * (8 * NI);
  const SideA A = {a, lda, c.m, i0, k};
  const SideB B = {b, ldb, c.n, j0, k};
  const Reader<M, MI, !TA> rows(shared.step[0].x, row, matrix % 2, matrix / 2);
  const Reader<N, NI / 2, TB> columns(shared.step[0].y, col, matrix / 2, matrix % 2);
  const int BYTES = sizeof(shared.step[0]);

  float sum[MI][NI][4];
  clear(sum);
  // add adds the products of the step at so many bytes.
  auto add = [&](int step) {
#pragma unroll
    for (int q = 0; q < TK / 16; q++) {
      unsigned y[NI / 2][4];
#pragma unroll
      for (int j = 0; j < NI / 2; j++) {
        columns.read(y[j], step, j, q);
      }
#pragma unroll
      for (int i = 0; i < MI; i++) {
        unsigned x[4];
        rows.read(x, step, i, q);
#pragma unroll
        for (int j = 0; j < NI; j++) {
          multiply_add(sum[i][j], x, y[j / 2] + j % 2 * 2);
        }
      }
    }
  };

  const int steps = k / TK;
  if (steps > 0) {
    const unsigned *pa[SideA::Q], *pb[SideB::Q];
    A.first(pa);
    B.first(pb);
#pragma unroll
    for (int s = 0; s < STEPS - 1; s++) {
      if (s < steps) {
        A.copy(shared.step[s].x, pa);
        B.copy(shared.step[s].y, pb);
      }
      close_copies();
    }
    int now = 0, next = STEPS - 1;
#pragma unroll 1
    for (int s = 0; s < steps; s++) {
      wait_for_copies<STEPS - 2>();
      barrier();
      if (s + STEPS - 1 < steps) {
        A.copy(shared.step[next].x, pa);
        B.copy(shared.step[next].y, pb);
      }
      close_copies();
      next = next + 1 == STEPS ? 0 : next + 1;
      add(now);
      now = now + BYTES == STEPS * BYTES ? 0 : now + BYTES;
    }
    barrier();
  }
  if (steps * TK < k) {
    A.bring(shared.step[0].x, steps * TK, 0);
    B.bring(shared.step[0].y, steps * TK, 0x80008000u);
    barrier();
    add(0);
  }
  finish(c, sum, bias, lr, i0 + row, j0 + col);
}

#define PARAMETERS                                                                                           \
  CONTROL, TENSOR(const unsigned, a), TENSOR(const unsigned, b), TENSOR(const float, bias), TENSOR(float, c), \
      TENSOR(unsigned, packed), TENSOR(const double, lr), int m, int n, int k, int lda, int ldb, int ldc,      \
      int ldpacked, int act

// tensor_bf16_<op(A)><op(B)>_<tile>: as gemm.cu's kernels, of packed operands; packed takes a copy of C.
#define TENSOR_GEMM(name, M, N, MI, NI, TA, TB)                                                              \
  KERNEL(M / (16 * MI) * (N / (8 * NI)) * 32, 1) name(PARAMETERS) {                                          \
    RETURN_IF_DIVERGED                                                                                       \
    __shared__ Words<M * TK / 2, N * TK / 2> shared;                                                         \
    const Result to = {REPLICA(c), REPLICA(packed), m, n, ldc, ldpacked, act};                               \
    multiply<M, N, MI, NI, TA, TB>(shared, REPLICA(a), REPLICA(b), REPLICA(bias), to, REPLICA(lr), k, lda,   \
                                   ldb);                                                                     \
  }

TENSOR_GEMM(tensor_bf16_nn_64, 64, 64, 2, 4, false, false)
TENSOR_GEMM(tensor_bf16_tn_64, 64, 64, 2, 4, true, false)
TENSOR_GEMM(tensor_bf16_nt_64, 64, 64, 2, 4, false, true)
TENSOR_GEMM(tensor_bf16_nn_128_64, 128, 64, 4, 4, false, false)
TENSOR_GEMM(tensor_bf16_tn_128_64, 128, 64, 4, 4, true, false)
TENSOR_GEMM(tensor_bf16_nt_128_64, 128, 64, 4, 4, false, true)
TENSOR_GEMM(tensor_bf16_nn_128, 128, 128, 4, 4, false, false)
TENSOR_GEMM(tensor_bf16_tn_128, 128, 128, 4, 4, true, false)
TENSOR_GEMM(tensor_bf16_nt_128, 128, 128, 4, 4, false, true)
