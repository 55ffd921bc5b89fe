// multiply.h is package gemm in CUDA, but for the kernels (gemm.cu). An element of C
// is one chain of fma over each chunk of k in turn, as doc.go of this folder states it:
//
//	v = C[i,j]                          // only with add
//	for each chunk of k, in order (one empty chunk if k = 0):
//	    s = +0; s = fma(x(p), y(p), s) for p in the chunk, in order
//	    v = alpha*s                     // the first chunk, without add
//	    v = fma(alpha, s, v)            // any other
//	if bias:  v = v + bias[j]
//	C[i,j] = act(v)
//
// A block of threads owns a tile of C and a thread owns RM×RN of its elements in
// registers; steps of TK along k go through shared memory. Nothing is split along
// k, so that tiles do not show in the bits. Steps that k does not fill are filled
// with x = +0 and y = -0, whose product -0 leaves every sum as it is, -0 included.
#pragma once

#include "../cuda/scalar.h"

// Tile is the shared memory of a block: STAGES steps, so that others are filled while one
// is used. Rows are longer than the tile is wide, so that storing a transposed operand
// meets no bank conflicts; those of y by PAD.
template <int TM, int TN, int TK, int PAD = 4, int STAGES = ASYNC ? 3 : 2>
struct alignas(16) Tile {
  float x[STAGES][TK][TM + 4], y[STAGES][TK][TN + PAD];
};

// turned is v, or v begun with its element BY if that bit of turn is set.
template <int BY>
INLINE Four turned(const Four &v, int turn) {
  const int mask = opaque(-(turn / BY & 1));
  Four r;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    const int x = bits32(v.v[c]), y = bits32(v.v[(c + BY) % 4]);
    r.v[c] = of_bits32(x ^ ((x ^ y) & mask));
  }
  return r;
}

// Operand reads TK × W elements of an operand as 16-byte groups of four, Q of them
// a thread. The groups run along k if ALONG, else along the rows of op(A) or the
// columns of op(B).
template <int W, int TK, int THREADS, bool ALONG>
struct Operand {
  static const int Q = W * TK / 4 / THREADS;
  const float *base;
  int ld, width; // width is the number of rows of op(A) or columns of op(B)

  // Group u of a thread is at (group_k, group_w) of the step.
  METHOD int group_k(int u) const {
    const int g = threadX() + u * THREADS;
    return ALONG ? g % (TK / 4) * 4 : g / (W / 4);
  }
  METHOD int group_w(int u) const {
    const int g = threadX() + u * THREADS;
    return ALONG ? g / (TK / 4) : g % (W / 4) * 4;
  }

  // can says whether whole steps may be read in groups of 16 bytes.
  METHOD bool can() const { return aligned16(base) && ld % 4 == 0 && (ALONG || width % 4 == 0); }

  // start is where a thread's group u lies in the step from k0 on. Groups beyond the
  // width read the last one instead: what they give is not stored.
  METHOD const float *start(int u, int w0, int k0) const {
    const int w = w0 + group_w(u), k = k0 + group_k(u);
    return ALONG ? at(base, ld, lesser_of(w, width - 1), k) : at(base, ld, k, lesser_of(w, width - 4));
  }
  METHOD long long stride() const { return ALONG ? TK : (long long)TK * ld; }

  // careful reads group u of a step of which k0 … k1-1 exist, and fill for the rest.
  METHOD Four careful(int u, int w0, int k0, int k1, float fill) const {
    const int w = w0 + group_w(u), k = k0 + group_k(u);
    int n = ALONG ? (w < width ? k1 - k : 0) : (k < k1 ? width - w : 0);
    n = n < 0 ? 0 : lesser_of(n, 4);
    return load4(n == 0 ? base : ALONG ? at(base, ld, w, k) : at(base, ld, k, w), n, fill);
  }

  // put stores group u in shared memory. The groups of a row along k begin at one of two
  // banks, whatever their number: so each pair of them begins with another of its
  // elements, and the threads of a warp meet 32 banks.
  template <int P>
  METHOD void put(float (*to)[P], int u, const Four &v) const {
    const int k = group_k(u), w = group_w(u);
    if (ALONG) {
      const int turn = k / 8 * (32 / TK);
      const Four one = turned<1>(v, turn), two = turned<2>(one, turn);
#pragma unroll
      for (int c = 0; c < 4; c++) { // the thread's groups have the same k
        const int first = opaque((k + (c + turn) % 4) * P + group_w(0));
        to[0][first + u * (THREADS / (TK / 4))] = two.v[c];
      }
    } else {
      float4 q;
      q.x = v.v[0], q.y = v.v[1], q.z = v.v[2], q.w = v.v[3];
      *(float4 *)&to[k][w] = q;
    }
  }
};

#if ASYNC
// Copies are what a thread copies of the same steps by cp.async, with nothing in registers:
// groups of four that run as the rows in shared memory do, else single elements. Those are
// copied by warps that take 8 along k of four rows each time, whole sectors of global
// memory, and of shared memory all banks.
template <int W, int TK, int THREADS, bool ALONG>
struct Copies {
  static const int BYTES = ALONG ? 4 : 16, TIMES = ALONG ? TK / 8 : 1; // along k
  static const int ROWS = W * TK * 4 / BYTES / THREADS / TIMES;
  const float *from[ROWS];
  int k, w;

  METHOD Copies(const Operand<W, TK, THREADS, ALONG> &o, int w0, int k0) {
    static_assert(ROWS * TIMES * THREADS * BYTES == W * TK * 4, "threads that share the copies");
    k = ALONG ? threadX() % 8 : o.group_k(0), w = ALONG ? threadX() / 32 * ROWS * 4 + threadX() / 8 % 4 : o.group_w(0);
#pragma unroll
    for (int r = 0; r < ROWS; r++) { // beyond the width as Operand's
      from[r] = ALONG ? at(o.base, o.ld, lesser_of(w0 + w + 4 * r, o.width - 1), k0 + k) : o.start(r, w0, k0);
    }
  }

  // begin copies a step, and goes on to the next.
  template <int P>
  METHOD void begin(float (*to)[P], const Operand<W, TK, THREADS, ALONG> &o) {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int t = 0; t < TIMES; t++) {
        copy_async<BYTES>(ALONG ? &to[k + 8 * t][w + 4 * r] : &to[k + r * (THREADS / (W / 4))][w], from[r] + 8 * t);
      }
      from[r] += o.stride();
    }
  }
};
#endif

// chunk_of is how many of k products a sum has before the next begins.
INLINE int chunk_of(int k) {
  if (k <= 1024) {
    return k;
  }
  const int parts = (k + 1023) / 1024;
  return ((k + parts - 1) / parts + 63) / 64 * 64;
}

// The threads of a tile stand in rows of WIDE, two rows beside each other: t and t^1 have
// a column in common, t and t^2 a row. So half a warp at a time reads 16 bytes a thread of
// either operand.
template <int WIDE>
INLINE int thread_row() { return threadX() / (2 * WIDE) * 2 + threadX() % 2; }
template <int WIDE>
INLINE int thread_column() { return threadX() / 2 % WIDE; }

// Owner says which elements along one side of a tile a thread owns: R of W, in
// groups of G that lie a share of the tile apart.
template <int W, int R>
struct Owner {
  static const int G = R < 4 ? R : 4;
  // nth is the distance of the thread's element e from its first.
  static METHOD int nth(int e) { return e / G * (W * G / R) + e % G; }
  // read copies the thread's elements of a row of shared memory.
  static METHOD void read(const float *row, float (&v)[R]) {
#pragma unroll
    for (int e = 0; e < R; e += G) {
      if (G == 4) {
        Four q = group(row + nth(e));
        v[e] = q.v[0], v[e + 1] = q.v[1], v[e + 2] = q.v[2], v[e + 3] = q.v[3];
      } else {
        float2 q = *(const float2 *)(row + nth(e));
        v[e] = q.x, v[e + 1] = q.y;
      }
    }
  }
};

// add_step adds the products of a step to a thread's sums, in order of k.
template <int TM, int TN, int TK, int RM, int RN, int PX, int PY>
INLINE void add_step(const float (*x)[PX], const float (*y)[PY], int row, int col, float (&sum)[RM][RN]) {
#pragma unroll
  for (int k = 0; k < TK; k++) {
    float a[RM], b[RN];
    Owner<TM, RM>::read(&x[k][row], a);
    Owner<TN, RN>::read(&y[k][col], b);
#pragma unroll
    for (int i = 0; i < RM; i++) {
#pragma unroll
      for (int j = 0; j < RN; j++) {
        sum[i][j] = fma32(a[i], b[j], sum[i][j]);
      }
    }
  }
}

// multiply computes the tile of C that begins at (i0, j0), but for the activation. lr
// is null, or the learning rate, and then the tile takes a step of SGD: alpha is -lr
// and add is set. All threads of the block must call it, TM/RM·TN/RN of them, with
// shared memory that none of them uses any more.
template <int RM, int RN, bool TA, bool TB, int TM, int TN, int TK, int PAD, int STAGES>
INLINE void multiply(Tile<TM, TN, TK, PAD, STAGES> &tile, const float *a, const float *b, const float *bias, float *c,
                     const double *lr, int m, int n, int k, int lda, int ldb, int ldc, int i0, int j0) {
  const int THREADS = (TM / RM) * (TN / RN);
  typedef Operand<TM, TK, THREADS, !TA> OperandA;
  typedef Operand<TN, TK, THREADS, TB> OperandB;
  typedef Owner<TM, RM> Rows;
  typedef Owner<TN, RN> Columns;

  const OperandA A = {a, lda, m};
  const OperandB B = {b, ldb, n};
  const int row = thread_row<TN / RN>() * Rows::G, col = thread_column<TN / RN>() * Columns::G;
#if ASYNC
  const bool whole = (!TA || A.can()) && (TB || B.can()); // single elements may lie anywhere
#else
  const bool whole = A.can() && B.can();
#endif
  const float alpha = lr ? -float32(*lr) : 1.0f;

  const int length = chunk_of(k);
  for (int k0 = 0;;) {
    const int k1 = lesser_of(k - k0, length) + k0;
    const bool over = k0 == 0 && !lr;
    float sum[RM][RN];
#pragma unroll
    for (int i = 0; i < RM; i++) {
#pragma unroll
      for (int j = 0; j < RN; j++) {
        sum[i][j] = 0;
      }
    }

    const int steps = whole ? (k1 - k0) / TK : 0;
    if (steps > 0) {
#if ASYNC
      Copies<TM, TK, THREADS, !TA> ca(A, i0, k0);
      Copies<TN, TK, THREADS, TB> cb(B, j0, k0);
#pragma unroll
      for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) {
          ca.begin(tile.x[s], A);
          cb.begin(tile.y[s], B);
        }
        close_copies();
      }
      int now = 0, next = STAGES - 1;
#pragma unroll 1
      for (int s = 0; s < steps; s++) {
        wait_for_copies<STAGES - 2>();
        barrier(); // the step is there, and the one before it no longer used
        if (s + STAGES - 1 < steps) {
          ca.begin(tile.x[next], A);
          cb.begin(tile.y[next], B);
        }
        close_copies();
        add_step<TM, TN, TK, RM, RN>(tile.x[now], tile.y[now], row, col, sum);
        now = now + 1 < STAGES ? now + 1 : 0;
        next = next + 1 < STAGES ? next + 1 : 0;
      }
      barrier();
    }
#else
      const float *pa[OperandA::Q], *pb[OperandB::Q];
#pragma unroll
      for (int u = 0; u < OperandA::Q; u++) {
        pa[u] = A.start(u, i0, k0);
        A.put(tile.x[0], u, group(pa[u]));
      }
#pragma unroll
      for (int u = 0; u < OperandB::Q; u++) {
        pb[u] = B.start(u, j0, k0);
        B.put(tile.y[0], u, group(pb[u]));
      }
      barrier();
      int now = 0;
#pragma unroll 1
      for (int s = 1; s < steps; s++) {
        Four va[OperandA::Q], vb[OperandB::Q]; // the next step, on its way
#pragma unroll
        for (int u = 0; u < OperandA::Q; u++) {
          va[u] = group(pa[u] += A.stride());
        }
#pragma unroll
        for (int u = 0; u < OperandB::Q; u++) {
          vb[u] = group(pb[u] += B.stride());
        }
        add_step<TM, TN, TK, RM, RN>(tile.x[now], tile.y[now], row, col, sum);
        now ^= 1;
#pragma unroll
        for (int u = 0; u < OperandA::Q; u++) {
          A.put(tile.x[now], u, va[u]);
        }
#pragma unroll
        for (int u = 0; u < OperandB::Q; u++) {
          B.put(tile.y[now], u, vb[u]);
        }
        barrier();
      }
      add_step<TM, TN, TK, RM, RN>(tile.x[now], tile.y[now], row, col, sum);
      barrier();
    }
#endif
    // What is left: the end of the chunk, or all of it where rows are not aligned.
#pragma unroll 1
    for (int p = k0 + steps * TK; p < k1; p += TK) {
#pragma unroll
      for (int u = 0; u < OperandA::Q; u++) {
        A.put(tile.x[0], u, A.careful(u, i0, p, k1, 0.0f));
      }
#pragma unroll
      for (int u = 0; u < OperandB::Q; u++) {
        B.put(tile.y[0], u, B.careful(u, j0, p, k1, -0.0f));
      }
      barrier();
      add_step<TM, TN, TK, RM, RN>(tile.x[0], tile.y[0], row, col, sum);
      barrier();
    }

    // C holds v from chunk to chunk.
    const bool last = k1 >= k;
#pragma unroll
    for (int j = 0; j < RN; j += 4) {
      const int cj = j0 + col + Columns::nth(j), w = lesser_of(4, n - cj);
      const Four shift = load4(bias + cj, last && bias ? w : 0, -0.0f); // -0 leaves v as it is
#pragma unroll
      for (int i = 0; i < RM; i++) {
        const int ci = i0 + row + Rows::nth(i);
        if (ci < m && w > 0) {
          float *to = at(c, ldc, ci, cj);
          Four v = Four{{sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]}};
          if (over) {
            v = each(v, [=](float s) { return alpha * s; });
          } else {
            v = each(v, load4(to, w), [=](float s, float t) { return fma32(alpha, s, t); });
          }
          store4(to, w, each(v, shift, [](float s, float t) { return s + t; }));
        }
      }
    }
    if (last) {
      break;
    }
    k0 = k1;
  }
}

// own calls f(i, j, w) for each group of elements of the tile that multiply computed in
// this thread: w ≤ 4 of row i from column j on.
template <int TM, int TN, int RM, int RN, class F>
INLINE void own(int m, int n, int i0, int j0, F f) {
  typedef Owner<TM, RM> Rows;
  typedef Owner<TN, RN> Columns;
  const int row = thread_row<TN / RN>() * Rows::G, col = thread_column<TN / RN>() * Columns::G;
#pragma unroll 1
  for (int g = 0; g < RM * RN / 4; g++) {
    const int i = i0 + row + Rows::nth(g / (RN / 4)), j = j0 + col + Columns::nth(g % (RN / 4) * 4);
    if (i < m && j < n) {
      f(i, j, lesser_of(4, n - j));
    }
  }
}
