// tensor.cu is products on tensor cores of operands that are rounded to TF32: see tensor.h.
//
// Operands go through registers to shared memory, where they lie rounded, a word an element:
// thread 4g+t of a warp holds those of row g (and g+8) or column g, and of word t and t+4 of
// eight.
#include "tensor.h"

// word is an element rounded to TF32; ties go away from zero.
INLINE unsigned word(float x) {
  unsigned r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
  return r;
}
INLINE void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Side is an operand: W rows of op(A) or columns of op(B), of which a step has WORDS elements
// along p. A thread brings Q groups of four elements of a step: along p if ALONG, else along
// the rows or columns.
template <int W, int WORDS, int THREADS, bool ALONG>
struct Side {
  static const int Q = W * WORDS / 4 / THREADS;
  const float *base;
  int ld, width, w0, k; // width is the number of rows or columns, of which the tile begins at w0

  METHOD int group_k(int u) const {
    const int g = threadX() + u * THREADS;
    return ALONG ? g % (WORDS / 4) * 4 : g / (W / 4);
  }
  METHOD int group_w(int u) const {
    const int g = threadX() + u * THREADS;
    return ALONG ? g / (WORDS / 4) : g % (W / 4) * 4;
  }

  // can says whether whole steps may be read in groups of 16 bytes.
  METHOD bool can() const { return aligned16(base) && ld % 4 == 0 && (ALONG || width % 4 == 0); }

  // start is where the thread's group u lies in the first step. Groups beyond the width
  // read the last one instead: what they give is not stored.
  METHOD const float *start(int u) const {
    const int w = w0 + group_w(u), p = group_k(u);
    return ALONG ? at(base, ld, lesser_of(w, width - 1), p) : at(base, ld, p, lesser_of(w, width - 4));
  }
  METHOD long long stride() const { return ALONG ? WORDS : (long long)WORDS * ld; }

  // first and next read the thread's groups of the first step and of the one after.
  METHOD void first(const float *(&from)[Q], Four (&v)[Q]) const {
#pragma unroll
    for (int u = 0; u < Q; u++) {
      v[u] = group(from[u] = start(u));
    }
  }
  METHOD void next(const float *(&from)[Q], Four (&v)[Q]) const {
#pragma unroll
    for (int u = 0; u < Q; u++) {
      v[u] = group(from[u] += stride());
    }
  }
  METHOD void put(unsigned *to, const Four (&v)[Q]) const {
#pragma unroll
    for (int u = 0; u < Q; u++) {
      put(to, u, v[u]);
    }
  }

  // bring puts the step from k0 on in shared memory, with fill for what is not there.
  METHOD void bring(unsigned *to, int k0, float fill) const {
#pragma unroll 1
    for (int u = 0; u < Q; u++) {
      put(to, u, careful(u, k0, fill));
    }
  }

  // careful reads group u of the step from k0 on, and fill for what is not there.
  METHOD Four careful(int u, int k0, float fill) const {
    const int w = w0 + group_w(u), p = k0 + group_k(u);
    int n = ALONG ? (w < width ? k - p : 0) : (p < k ? width - w : 0);
    n = n < 0 ? 0 : lesser_of(n, 4);
    return load4(n == 0 ? base : ALONG ? at(base, ld, w, p) : at(base, ld, p, w), n, fill);
  }

  // place is where word q of row or column w lies in shared memory: so that neither the
  // threads that store a step nor those that read a part meet in a bank.
  static METHOD int place(int w, int q) {
    return ALONG ? w * WORDS + (((q / 4) ^ (w * WORDS / 32 % (WORDS / 4))) * 4 + q % 4) : q * W + (w ^ (q % 4 * 8));
  }

  METHOD void put(unsigned *to, int u, const Four &x) const {
    uint4 q;
    q.x = word(x.v[0]), q.y = word(x.v[1]), q.z = word(x.v[2]), q.w = word(x.v[3]);
    *(uint4 *)(to + place(group_w(u), group_k(u))) = q;
  }
};

// Reader is where a thread finds the words of its parts of a side, which begin at w0 rows or
// columns, a multiple of 32: place, of which the parts' numbers are known when compiled.
template <int W, int WORDS, bool ALONG>
struct Reader {
  static const int N = ALONG ? WORDS / 4 : 4;
  int at[N];
  METHOD Reader(int w0) {
    const int g = threadX() / 4 % 8, t = threadX() % 4;
#pragma unroll
    for (int v = 0; v < N; v++) {
      at[v] = ALONG ? (w0 + g) * WORDS + (v ^ (g * WORDS / 32 % N)) * 4 + t : t * W + w0 + g + (v ^ t) * 8;
    }
  }
  // read returns the word t + q, q a multiple of 4, of row or column g + 8·part.
  METHOD unsigned read(const unsigned *side, int part, int q) const {
    return ALONG ? side[at[q / 4] + part * 8 * WORDS] : side[at[part % 4] + part / 4 * 32 + q * W];
  }
};

// add_step adds the products of a step to a warp's sums.
template <int WORDS, class A, class B, int MI, int NI>
INLINE void add_step(const unsigned *x, const unsigned *y, const A &rows, const B &columns, float (&sum)[MI][NI][4]) {
#pragma unroll
  for (int q = 0; q < WORDS; q += 8) {
    unsigned b[NI][2];
#pragma unroll
    for (int j = 0; j < NI; j++) {
      b[j][0] = columns.read(y, j, q), b[j][1] = columns.read(y, j, q + 4);
    }
#pragma unroll
    for (int i = 0; i < MI; i++) {
      const unsigned a[4] = {rows.read(x, 2 * i, q), rows.read(x, 2 * i + 1, q), rows.read(x, 2 * i, q + 4), rows.read(x, 2 * i + 1, q + 4)};
#pragma unroll
      for (int j = 0; j < NI; j++) {
        multiply_add(sum[i][j], a, b[j]);
      }
    }
  }
}

// Words is the shared memory of a block: two steps, so that one is filled while the other is
// used.
template <int N>
struct alignas(16) Words {
  unsigned x[2][N], y[2][N];
};

// multiply computes a tile of C as gemm.cu's kernels do.
template <int T, int WORDS, int MI, int NI, bool TA, bool TB>
INLINE void multiply(Words<T * WORDS> &step, const float *a, const float *b, const float *bias, const Result &c,
                     const double *lr, int k, int lda, int ldb) {
  const int THREADS = T / (16 * MI) * (T / (8 * NI)) * 32;
  typedef Side<T, WORDS, THREADS, !TA> SideA;
  typedef Side<T, WORDS, THREADS, TB> SideB;
  const int i0 = blockY() * T, j0 = blockX() * T, warp = threadX() / 32;
  const int row = warp / (T / (8 * NI)) * (16 * MI), col = warp % (T / (8 * NI)) * (8 * NI);
  const SideA A = {a, lda, c.m, i0, k};
  const SideB B = {b, ldb, c.n, j0, k};

  const Reader<T, WORDS, !TA> rows(row);
  const Reader<T, WORDS, TB> columns(col);

  float sum[MI][NI][4];
  clear(sum);

  const int steps = A.can() && B.can() ? k / WORDS : 0;
  if (steps > 0) {
    const float *pa[SideA::Q], *pb[SideB::Q];
    Four va[SideA::Q], vb[SideB::Q]; // the next step, on its way
    A.first(pa, va);
    B.first(pb, vb);
    A.put(step.x[0], va);
    B.put(step.y[0], vb);
    barrier();
#pragma unroll 1
    for (int s = 0; s < steps; s++) {
      const int now = s & 1;
      const bool more = s + 1 < steps;
      if (more) {
        A.next(pa, va);
        B.next(pb, vb);
      }
      add_step<WORDS>(step.x[now], step.y[now], rows, columns, sum);
      if (more) {
        A.put(step.x[now ^ 1], va);
        B.put(step.y[now ^ 1], vb);
      }
      barrier();
    }
  }
  // What is left: the end of k, or all of it where rows are not aligned.
#pragma unroll 1
  for (int p = steps * WORDS; p < k; p += WORDS) {
    A.bring(step.x[0], p, 0.0f);
    B.bring(step.y[0], p, -0.0f);
    barrier();
    add_step<WORDS>(step.x[0], step.y[0], rows, columns, sum);
    barrier();
  }
  finish(c, sum, bias, lr, i0 + row, j0 + col);
}

#define PARAMETERS                                                                                           \
  CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(const float, bias), TENSOR(float, c),       \
      TENSOR(const double, lr), int m, int n, int k, int lda, int ldb, int ldc, int act

// tensor_tf32_<op(A)><op(B)>_<tile>: as gemm.cu's kernels.
#define TENSOR_GEMM(name, T, WORDS, MI, NI, TA, TB)                                                          \
  KERNEL(T / (16 * MI) * (T / (8 * NI)) * 32, 1) name(PARAMETERS) {                                          \
    RETURN_IF_DIVERGED                                                                                       \
    __shared__ Words<T * WORDS> step;                                                                        \
    const Result to = {REPLICA(c), nullptr, m, n, ldc, 0, act};                                              \
    multiply<T, WORDS, MI, NI, TA, TB>(step, REPLICA(a), REPLICA(b), REPLICA(bias), to, REPLICA(lr), k, lda, \
                                       ldb);                                                                 \
  }

TENSOR_GEMM(tensor_tf32_nn_64, 64, 32, 2, 4, false, false)
TENSOR_GEMM(tensor_tf32_tn_64, 64, 32, 2, 4, true, false)
TENSOR_GEMM(tensor_tf32_nt_64, 64, 32, 2, 4, false, true)
TENSOR_GEMM(tensor_tf32_nn_128, 128, 16, 4, 4, false, false)
TENSOR_GEMM(tensor_tf32_tn_128, 128, 16, 4, 4, true, false)
TENSOR_GEMM(tensor_tf32_nt_128, 128, 16, 4, 4, false, true)
