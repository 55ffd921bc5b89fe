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

// Step holds rows of op(A), and columns of op(B), along k. They lie so far apart that threads
// which read 16 bytes of 8 rows each, or store 8 elements of 4 columns, meet different banks.
struct alignas(16) Step {
  float x[ROWS][DEPTH + 4], y[COLUMNS][DEPTH + 8];
};

union Memory {
  Step steps[STAGES];
  Shared columns;
};

// Rows reads a step of op(A); in is where a thread's group u of it goes.
struct Rows : Operand<ROWS, DEPTH, COLUMN_THREADS, true> {
  METHOD float *in(Step &step, int u) const { return &step.x[group_w(0)][group_k(0)] + u * (ROWS / Q) * (DEPTH + 4); }
};

// Column reads an element a step of op(B): of column c, k along from the step's first.
template <bool TB>
struct Column {
  const float *base;
  int ld, width;
  METHOD int c() const { return threadX() % COLUMNS; }
  METHOD int k() const { return threadX() / COLUMNS; }
  METHOD float *in(Step &step) const { return &step.y[c()][k()]; }
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
  METHOD void add(const Step &step, int k) {
    const Four a[2] = {group(&step.x[row][k]), group(&step.x[row + ROWS / 2][k])};
    const Four b[2] = {group(&step.y[col][k]), group(&step.y[col + 1][k])};
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
INLINE void add_whole(Pair &pair, const Step &step) {
  if (threadX() < SUM_THREADS) {
#pragma unroll
    for (int k = 0; k < DEPTH; k += 4) {
      pair.add(step, k);
    }
  }
}

// add_chunk adds the whole steps of a chunk, so many of them.
template <bool TB>
INLINE void add_chunk(Step *steps, const Rows &A, const Column<TB> &B, int i0, int j0, int k0, int count, Pair &pair) {
  const float *row[Rows::Q], *column = B.start(j0, k0);
#pragma unroll
  for (int u = 0; u < Rows::Q; u++) {
    row[u] = A.start(u, i0, k0);
  }
#if ASYNC
  long long ahead = 0;
  const auto begin = [&](unsigned stage) {
#pragma unroll
    for (int u = 0; u < Rows::Q; u++) {
      copy_async<16>(A.in(steps[stage], u), row[u] + ahead);
    }
    ahead += DEPTH;
    copy_async<4>(B.in(steps[stage]), column);
    column += B.stride();
  };
#pragma unroll
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < count) {
      begin(s);
    }
    close_copies();
  }
  unsigned now = 0, next = STAGES - 1;
#pragma unroll 1
  for (int s = 0; s < count; s++) {
    wait_for_copies<STAGES - 2>();
    barrier(); // the step is there, and the one before it no longer used
    if (s + STAGES - 1 < count) {
      begin(next);
    }
    close_copies();
    add_whole(pair, steps[now]);
    next = now;
    now = (now + 1) % STAGES;
  }
#else
#pragma unroll
  for (int u = 0; u < Rows::Q; u++) {
    store4(A.in(steps[0], u), 4, group(row[u]));
  }
  *B.in(steps[0]) = *column;
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
    add_whole(pair, steps[now]);
    now ^= 1;
#pragma unroll
    for (int u = 0; u < Rows::Q; u++) {
      store4(A.in(steps[now], u), 4, v[u]);
    }
    *B.in(steps[now]) = w;
    barrier();
  }
  add_whole(pair, steps[now]);
#endif
  barrier();
}

// product: gemm_nn, or gemm_nt if TB, of the block's columns and the rows from i0 on.
template <bool TB>
INLINE void product(const Op &o, Step *steps, int i0) {
  const int j0 = blockX() * COLUMNS, act = o.act, k = o.k, length = chunk_of(k);
  const Rows A = {{o.floats(0), o.ld[0], o.m}};
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
        store4(A.in(steps[0], u), 4, A.careful(u, i0, p, k1, 0.0f));
      }
      *B.in(steps[0]) = p + B.k() < k1 ? *B.start(j0, p) : -0.0f;
      barrier();
      if (threadX() < SUM_THREADS) {
        const int some = lesser_of(k1 - p, DEPTH);
#pragma unroll 1
        for (int q = 0; q < some; q += 4) {
          pair.add(steps[0], q);
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
  Step *steps;
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
  RETURN_IF_DIVERGED
  __shared__ Memory shared;
  strip_of(REPLICA(ops), count, shared.columns, Products{shared.steps});
}
