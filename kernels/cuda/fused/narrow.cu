// narrow.cu does strips of 4 columns (strip.h), for launches of so few columns that blocks
// of 16 would leave most of the device idle. An element of a product is the same chain of
// fma as in gemm/multiply.h.
#define COLUMNS 4
#define GROUPS 32
#include "../../gemm/multiply.h"
#include "strip.h"

// A matrix product of a block goes 64 rows at a time, in steps of DEPTH along k. All threads
// bring a step, and two of the four warps form 2×2 sums a thread: so each group of four along k
// is read from shared memory as 16 bytes, and two sums use it.
#define ROWS 64
#define DEPTH 32
#define STAGES (ASYNC ? 4 : 2)
#define SUM_THREADS (ROWS / 2 * COLUMNS / 2)

// Steps holds rows of op(A), and columns of op(B), along k. They lie so far apart that threads
// which read 16 bytes of 8 rows each, or store 8 elements of 4 columns, meet different banks.
struct alignas(16) Steps {
  float x[STAGES][ROWS][DEPTH + 4], y[STAGES][COLUMNS][DEPTH + 8];
};

union Memory {
  Steps steps;
  Shared columns;
};

typedef Operand<ROWS, DEPTH, COLUMN_THREADS, true> Rows;

// Column reads an element a step of op(B): of column c, k along from the step's first.
template <bool TB>
struct Column {
  const float *base;
  int ld, width;
  METHOD int c() const { return threadX() % COLUMNS; }
  METHOD int k() const { return threadX() / COLUMNS; }
  // start is where it lies in the step from k0 on. Beyond the width it is that of the last
  // column: what that gives is not stored.
  METHOD const float *start(int j0, int k0) const {
    const int j = lesser_of(j0 + c(), width - 1);
    return TB ? at(base, ld, j, k0 + k()) : at(base, ld, k0 + k(), j);
  }
  METHOD long long stride() const { return TB ? DEPTH : (long long)DEPTH * ld; }
};

// Pair is what a thread of those that form sums has: rows row and row + ROWS/2, columns col
// and col + 1 of the block's.
struct Pair {
  int row, col;
  float sum[2][2];
  METHOD Pair() : row(threadX() / 2), col(threadX() % 2 * 2), sum{} {}
  // add adds the products of four along k, in order.
  METHOD void add(const float (&x)[ROWS][DEPTH + 4], const float (&y)[COLUMNS][DEPTH + 8], int k) {
    const Four a[2] = {group(&x[row][k]), group(&x[row + ROWS / 2][k])};
    const Four b[2] = {group(&y[col][k]), group(&y[col + 1][k])};
#pragma unroll
    for (int e = 0; e < 4; e++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int j = 0; j < 2; j++) {
          sum[i][j] = fma32(a[i].v[e], b[j].v[e], sum[i][j]);
        }
      }
    }
  }
};

// add_whole adds those of a whole step, in the threads that form sums.
INLINE void add_whole(Pair &pair, const Steps &steps, int stage) {
  if (threadX() < SUM_THREADS) {
#pragma unroll
    for (int k = 0; k < DEPTH; k += 4) {
      pair.add(steps.x[stage], steps.y[stage], k);
    }
  }
}

// put_row stores group u of a step of op(A), put_column an element of op(B).
INLINE void put_row(Steps &steps, int stage, const Rows &A, int u, const Four &v) {
  store4(&steps.x[stage][A.group_w(u)][A.group_k(u)], 4, v);
}
template <bool TB>
INLINE void put_column(Steps &steps, int stage, const Column<TB> &B, float v) {
  steps.y[stage][B.c()][B.k()] = v;
}

// add_chunk adds the whole steps of a chunk, so many of them.
template <bool TB>
INLINE void add_chunk(Steps &steps, const Rows &A, const Column<TB> &B, int i0, int j0, int k0, int count, Pair &pair) {
  const float *row[Rows::Q], *column = B.start(j0, k0);
#pragma unroll
  for (int u = 0; u < Rows::Q; u++) {
    row[u] = A.start(u, i0, k0);
  }
#if ASYNC
  const auto begin = [&](int stage) {
#pragma unroll
    for (int u = 0; u < Rows::Q; u++) {
      copy_async<16>(&steps.x[stage][A.group_w(u)][A.group_k(u)], row[u]);
      row[u] += A.stride();
    }
    copy_async<4>(&steps.y[stage][B.c()][B.k()], column);
    column += B.stride();
  };
#pragma unroll
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < count) {
      begin(s);
    }
    close_copies();
  }
  int now = 0, next = STAGES - 1;
#pragma unroll 1
  for (int s = 0; s < count; s++) {
    wait_for_copies<STAGES - 2>();
    barrier(); // the step is there, and the one before it no longer used
    if (s + STAGES - 1 < count) {
      begin(next);
    }
    close_copies();
    add_whole(pair, steps, now);
    now = now + 1 < STAGES ? now + 1 : 0;
    next = next + 1 < STAGES ? next + 1 : 0;
  }
#else
#pragma unroll
  for (int u = 0; u < Rows::Q; u++) {
    put_row(steps, 0, A, u, group(row[u]));
  }
  put_column(steps, 0, B, *column);
  barrier();
  int now = 0;
#pragma unroll 1
  for (int s = 1; s < count; s++) {
    Four v[Rows::Q]; // the next step, on its way
#pragma unroll
    for (int u = 0; u < Rows::Q; u++) {
      v[u] = group(row[u] += A.stride());
    }
    const float w = *(column += B.stride());
    add_whole(pair, steps, now);
    now ^= 1;
#pragma unroll
    for (int u = 0; u < Rows::Q; u++) {
      put_row(steps, now, A, u, v[u]);
    }
    put_column(steps, now, B, w);
    barrier();
  }
  add_whole(pair, steps, now);
#endif
  barrier();
}

// product: gemm_nn, or gemm_nt if TB, of the block's columns and the rows from i0 on.
template <bool TB>
INLINE void product(const Op &o, Steps &steps, int i0) {
  const int j0 = blockX() * COLUMNS, act = o.act, k = o.k, length = chunk_of(k);
  const Rows A = {o.floats(0), o.ld[0], o.m};
  const Column<TB> B = {o.floats(1), o.ld[1], o.n};
  const float *bias = o.floats(2);
  const Matrix c = o.matrix(3);
  const double *lr = o.get<const double>(4);
  const float alpha = lr ? -float32(*lr) : 1.0f;
  for (int k0 = 0;;) {
    const int k1 = lesser_of(k - k0, length) + k0, count = A.can() ? (k1 - k0) / DEPTH : 0;
    const bool over = k0 == 0 && !lr;
    Pair pair;
    if (count > 0) {
      add_chunk(steps, A, B, i0, j0, k0, count, pair);
    }
    // What is left: the end of the chunk, or all of it where rows are not aligned.
#pragma unroll 1
    for (int p = k0 + count * DEPTH; p < k1; p += DEPTH) {
#pragma unroll
      for (int u = 0; u < Rows::Q; u++) {
        put_row(steps, 0, A, u, A.careful(u, i0, p, k1, 0.0f));
      }
      put_column(steps, 0, B, p + B.k() < k1 ? *B.start(j0, p) : -0.0f);
      barrier();
      if (threadX() < SUM_THREADS) {
        const int some = lesser_of(k1 - p, DEPTH);
#pragma unroll 1
        for (int q = 0; q < some; q += 4) {
          pair.add(steps.x[0], steps.y[0], q);
        }
      }
      barrier();
    }
    // C holds v from chunk to chunk.
    const bool last = k1 >= k;
    if (threadX() < SUM_THREADS) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int i = i0 + pair.row + e / 2 * (ROWS / 2), j = j0 + pair.col + e % 2;
        if (i < o.m && j < o.n) {
          float *to = at(c.p, c.ld, i, j);
          const float s = pair.sum[e / 2][e % 2], v = over ? alpha * s : fma32(alpha, s, *to);
          const float shifted = v + (last && bias ? bias[j] : -0.0f); // -0 leaves v as it is
          *to = last ? activate(act, shifted) : shifted;
        }
      }
    }
    if (last) {
      return;
    }
    k0 = k1;
  }
}

// Products does them, for strip_of.
struct Products {
  Steps &steps;
  METHOD void operator()(const Op &o) const {
#pragma unroll 1
    for (int i0 = 0; i0 < o.m; i0 += ROWS) {
      if (o.code == GEMM_NN) {
        product<false>(o, steps, i0);
      } else {
        product<true>(o, steps, i0);
      }
    }
  }
};

// narrow_strip: count operations of the table ops, in order. A matrix product is the first.
KERNEL(COLUMN_THREADS, 2)
narrow_strip(CONTROL, TENSOR(const Op, ops), int count) {
  after_launch_before();
  RETURN_IF_DIVERGED
  __shared__ Memory shared;
  strip_of(REPLICA(ops), count, shared.columns, Products{shared.steps});
}
