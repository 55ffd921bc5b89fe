// tensor.cu is products on tensor cores: operands are rounded to TF32 or BF16, and their
// products summed in float32. precision.go is the specification:
//
//	s = +0; s = s + Σ round(x(p))·round(y(p)) for each run of 8 (TF32) or 16 (BF16) p, in order
//	v = alpha*s                          // without add
//	v = fma(alpha, s, C[i,j])            // with it
//	if bias:  v = v + bias[j]
//	C[i,j] = act(v)
//
// How a tensor core adds up a run is not specified by NVIDIA: the virtual device takes a
// chain of fma in order of p, a GPU may round otherwise, and not as another GPU does. Runs
// that k does not fill are filled with x = +0 and y = -0.
//
// A block owns a tile of C and a warp MI×NI parts of 16×8 of it. Operands go through
// registers to shared memory, where they lie rounded, in words of one TF32 or of two BF16 of
// neighbouring p. The words of either go to the tensor cores in the same places: thread
// 4g+t of a warp holds those of row g (and g+8) or column g, and of word t and t+4 of eight.
#include "../cuda/scalar.h"

// Round makes words of elements.
struct TF32 {
  static const int EACH = 1; // elements of a word
  // of is the word of an element; ties go away from zero.
  static METHOD unsigned of(float x) {
    unsigned r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return r;
  }
  static METHOD void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};
struct BF16 {
  static const int EACH = 2;
  // of is the word of elements p and p+1; ties go to even.
  static METHOD unsigned of(float x, float next) {
    unsigned r;
    asm("cvt.rn.bf16x2.f32 %0, %2, %1;" : "=r"(r) : "f"(x), "f"(next));
    return r;
  }
  static METHOD void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

// Side is an operand: W rows of op(A) or columns of op(B), of which a step has WORDS words
// along p. A thread brings Q groups of four elements of a step: along p if ALONG, else along
// the rows or columns, and then those of the EACH elements of the words.
template <class Round, int W, int WORDS, int THREADS, bool ALONG>
struct Side {
  static const int EACH = Round::EACH, TK = WORDS * EACH, Q = W * TK / 4 / THREADS;
  const float *base;
  int ld, width, w0, k; // width is the number of rows or columns, of which the tile begins at w0

  METHOD int group_k(int u) const {
    const int g = threadX() + u / BUNDLE * THREADS;
    return ALONG ? g % (TK / 4) * 4 : g / (W / 4) * EACH + u % EACH;
  }
  METHOD int group_w(int u) const {
    const int g = threadX() + u / BUNDLE * THREADS;
    return ALONG ? g / (TK / 4) : g % (W / 4) * 4;
  }

  // can says whether whole steps may be read in groups of 16 bytes.
  METHOD bool can() const { return aligned16(base) && ld % 4 == 0 && (ALONG || width % 4 == 0); }

  // start is where the thread's group u lies in the first step. Groups beyond the width
  // read the last one instead: what they give is not stored.
  METHOD const float *start(int u) const {
    const int w = w0 + group_w(u), p = group_k(u);
    return ALONG ? at(base, ld, lesser_of(w, width - 1), p) : at(base, ld, p, lesser_of(w, width - 4));
  }
  METHOD long long stride() const { return ALONG ? TK : (long long)TK * ld; }

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
    for (int u = 0; u < Q; u += BUNDLE) {
      put(to, u, v + u);
    }
  }

  // bring puts the step from k0 on in shared memory, with fill for what is not there.
  METHOD void bring(unsigned *to, int k0, float fill) const {
#pragma unroll 1
    for (int u = 0; u < Q; u += BUNDLE) {
      Four v[BUNDLE];
#pragma unroll
      for (int e = 0; e < BUNDLE; e++) {
        v[e] = careful(u + e, k0, fill);
      }
      put(to, u, v);
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

  // A thread's groups are put in shared memory BUNDLE at a time, which make words, rounded.
  static const int BUNDLE = ALONG ? 1 : EACH;
  METHOD void put(unsigned *to, int u, const Four *v) const { store(to + place(group_w(u), group_k(u) / EACH), v, Round()); }
  static METHOD void store(unsigned *p, const Four *x, TF32) {
    uint4 q;
    q.x = TF32::of(x->v[0]), q.y = TF32::of(x->v[1]), q.z = TF32::of(x->v[2]), q.w = TF32::of(x->v[3]);
    *(uint4 *)p = q;
  }
  static METHOD void store(unsigned *p, const Four *v, BF16) {
    const Four &x = v[0], &y = v[BUNDLE - 1];
    if (ALONG) {
      uint2 q;
      q.x = BF16::of(x.v[0], x.v[1]), q.y = BF16::of(x.v[2], x.v[3]);
      *(uint2 *)p = q;
    } else {
      uint4 q;
      q.x = BF16::of(x.v[0], y.v[0]), q.y = BF16::of(x.v[1], y.v[1]), q.z = BF16::of(x.v[2], y.v[2]), q.w = BF16::of(x.v[3], y.v[3]);
      *(uint4 *)p = q;
    }
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

// add_step adds the products of a step to a warp's sums: those of MI×NI parts, of which a
// thread has two elements of each of two rows.
template <class Round, int WORDS, class A, class B, int MI, int NI>
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
        Round::multiply_add(sum[i][j], a, b[j]);
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
template <class Round, int T, int WORDS, int MI, int NI, bool TA, bool TB>
INLINE void multiply(Words<T * WORDS> &step, const float *a, const float *b, const float *bias, float *c,
                     const double *lr, int m, int n, int k, int lda, int ldb, int ldc, int act) {
  const int THREADS = T / (16 * MI) * (T / (8 * NI)) * 32;
  typedef Side<Round, T, WORDS, THREADS, !TA> SideA;
  typedef Side<Round, T, WORDS, THREADS, TB> SideB;
  const int i0 = blockY() * T, j0 = blockX() * T, warp = threadX() / 32;
  const int row = warp / (T / (8 * NI)) * (16 * MI), col = warp % (T / (8 * NI)) * (8 * NI);
  const SideA A = {a, lda, m, i0, k};
  const SideB B = {b, ldb, n, j0, k};

  const Reader<T, WORDS, !TA> rows(row);
  const Reader<T, WORDS, TB> columns(col);

  float sum[MI][NI][4];
#pragma unroll
  for (int i = 0; i < MI; i++) {
#pragma unroll
    for (int j = 0; j < NI; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        sum[i][j][e] = 0;
      }
    }
  }

  const int steps = A.can() && B.can() ? k / SideA::TK : 0;
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
      add_step<Round, WORDS>(step.x[now], step.y[now], rows, columns, sum);
      if (more) {
        A.put(step.x[now ^ 1], va);
        B.put(step.y[now ^ 1], vb);
      }
      barrier();
    }
  }
  // What is left: the end of k, or all of it where rows are not aligned.
#pragma unroll 1
  for (int p = steps * SideA::TK; p < k; p += SideA::TK) {
    A.bring(step.x[0], p, 0.0f);
    B.bring(step.y[0], p, -0.0f);
    barrier();
    add_step<Round, WORDS>(step.x[0], step.y[0], rows, columns, sum);
    barrier();
  }

  const float alpha = lr ? -float32(*lr) : 1.0f;
  const int ci = i0 + row + threadX() / 4 % 8, cj = j0 + col + threadX() % 4 * 2;
#pragma unroll
  for (int j = 0; j < NI; j++) {
    const int s = cj + 8 * j, w = lesser_of(2, n - s);
    // -0 leaves what it is added to as it is.
    const float shift = bias && w > 0 ? bias[s] : -0.0f, next = bias && w > 1 ? bias[s + 1] : -0.0f;
#pragma unroll
    for (int i = 0; i < MI; i++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        const int r = ci + 16 * i + 8 * h;
        if (r < m && w > 0) {
          float *to = at(c, ldc, r, s);
          float2 v;
          v.x = fma32(alpha, sum[i][j][2 * h], lr ? to[0] : -0.0f) + shift;
          v.y = fma32(alpha, sum[i][j][2 * h + 1], lr && w > 1 ? to[1] : -0.0f) + next;
          if (w > 1 && ((unsigned long long)to & 7) == 0) {
            *(float2 *)to = v;
          } else {
            to[0] = v.x;
            if (w > 1) {
              to[1] = v.y;
            }
          }
        }
      }
    }
  }
  if (act != IDENTITY) {
#pragma unroll 1
    for (int e = 0; e < MI * NI * 4; e++) {
      const int r = ci + e / (NI * 2) * 8, s = cj + e / 2 % NI * 8 + e % 2;
      if (r < m && s < n) {
        float *to = at(c, ldc, r, s);
        *to = activate(act, *to);
      }
    }
  }
}

#define PARAMETERS                                                                                           \
  CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(const float, bias), TENSOR(float, c),       \
      TENSOR(const double, lr), int m, int n, int k, int lda, int ldb, int ldc, int act

// tensor_<precision>_<op(A)><op(B)>_<tile>: as gemm.cu's kernels.
#define TENSOR_GEMM(name, Round, T, WORDS, MI, NI, TA, TB)                                                   \
  KERNEL(T / (16 * MI) * (T / (8 * NI)) * 32, 1) name(PARAMETERS) {                                          \
    RETURN_IF_DIVERGED                                                                                       \
    __shared__ Words<T * WORDS> step;                                                                        \
    multiply<Round, T, WORDS, MI, NI, TA, TB>(step, REPLICA(a), REPLICA(b), REPLICA(bias), REPLICA(c),       \
                                              REPLICA(lr), m, n, k, lda, ldb, ldc, act);                     \
  }

TENSOR_GEMM(tensor_tf32_nn_64, TF32, 64, 32, 2, 4, false, false)
TENSOR_GEMM(tensor_tf32_tn_64, TF32, 64, 32, 2, 4, true, false)
TENSOR_GEMM(tensor_tf32_nt_64, TF32, 64, 32, 2, 4, false, true)
TENSOR_GEMM(tensor_tf32_nn_128, TF32, 128, 16, 4, 4, false, false)
TENSOR_GEMM(tensor_tf32_tn_128, TF32, 128, 16, 4, 4, true, false)
TENSOR_GEMM(tensor_tf32_nt_128, TF32, 128, 16, 4, 4, false, true)
TENSOR_GEMM(tensor_bf16_nn_64, BF16, 64, 16, 2, 4, false, false)
TENSOR_GEMM(tensor_bf16_tn_64, BF16, 64, 16, 2, 4, true, false)
TENSOR_GEMM(tensor_bf16_nt_64, BF16, 64, 16, 2, 4, false, true)
TENSOR_GEMM(tensor_bf16_nn_128, BF16, 128, 16, 4, 4, false, false)
TENSOR_GEMM(tensor_bf16_tn_128, BF16, 128, 16, 4, 4, true, false)
TENSOR_GEMM(tensor_bf16_nt_128, BF16, 128, 16, 4, 4, false, true)
