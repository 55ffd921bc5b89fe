// table.h is what a launch of the kernel cluster is told: its tables, how tensors lie in the
// blocks' shared memory, and how a block reads that of the others.
#pragma once

#define GROUPS 16
#define FIRST_COLUMN 0
#include "../fused/columnwise.h"

#define THREADS COLUMN_THREADS

// Operations that only clusters have, beside those of ops.h. Numbered as in ops.go.
enum {
  BATCH = 64, CROSS_ENTROPY_BOTH, MEAN, TICK, BETA_POWER, LEARNING_RATE, CLIP_SCALE,
  BINARY_OF, RESCALE, RESCALE_GRAD, RENORM_SCALE, RENORM_SHIFT, EMA_ROWS, TRANSPOSE,
};

// What there is to wait for before an operation.
enum { BLOCK, CLUSTER };

// Step is an operation of the table. Its tensors are those of the kernel of the same name,
// without control.
struct Step {
  int code, m, n, k, act, wait;
  int whole; // whether every block does all of it for itself
  int at[8]; // floats from the beginning of the arena; -1 if missing, or not there
  int ld[8];
  double number[7];
  struct {
    char *p;
    long long z;
  } global[3]; // tensors that are not in the arena
  int ints[6];

  template <class T>
  METHOD T *outside(int i) const {
    return in_global((T *)replica(global[i].p, global[i].z));
  }
  // rate is the learning rate, tensor i: one that a schedule sets is in the arena.
  METHOD float rate(const float *arena, int i) const {
    return float32(at[i] < 0 ? *outside<const double>(0) : *(const double *)(arena + at[i]));
  }
  // steps reports whether a product takes a step of SGD.
  METHOD bool steps() const { return global[0].p != 0 || at[4] >= 0; }
};

// Move is a tensor of global memory that the arena holds, by words of 4 bytes.
struct Move {
  char *p;
  long long z;
  int at, ld; // in the arena, in words
  int rows, cols, ldglobal;
  int split; // by columns
  int load, store;

  METHOD float *outside() const { return in_global((float *)replica(p, z)); }
};

struct Own {
  int first, count;
};

// share is how many of n columns a block owns, but for the last blocks: a multiple of 4, so
// that groups of four elements are never of two blocks.
INLINE int share(int n) { return ((n + blocks() - 1) / blocks() + 3) / 4 * 4; }
INLINE Own owned(int n, int r) {
  const int first = lesser_of(r * share(n), n);
  return Own{first, lesser_of(share(n), n - first)};
}

// Part is a Step as the block does it, to COLUMNS of its columns from one on.
struct Part {
  const Step &o;
  float *arena;
  int from, code, m, n, act;
  const int *ld;
  const double *number;

  METHOD Part(const Step &o, float *arena, int from, int own)
      : o(o), arena(arena), from(from), code(o.code), m(o.m), n(own - from), act(o.act), ld(o.ld), number(o.number) {}
  METHOD float *floats(int i) const { return arena + o.at[i] + from; }
  METHOD Matrix matrix(int i) const { return Matrix{floats(i), o.ld[i]}; }
  METHOD int activates() const { return IDENTITY; } // that is an operation of its own
  METHOD Matrix activated() const { return Matrix{0, 0}; }
  METHOD Packed packed() const { return Packed{false, 0, 0, 0}; }
  METHOD float single(int i) const { return float32(number[i]); }
  template <class T>
  METHOD T *get(int i) const {
    return (T *)(arena + o.at[i]); // not split
  }
  METHOD float rate(int i) const { return o.rate(arena, i); }
};

// keep writes four elements, pair reads two, at a multiple of as many.
INLINE void keep(float *p, const Four &v) {
  float4 q;
  q.x = v.v[0], q.y = v.v[1], q.z = v.v[2], q.w = v.v[3];
  *(float4 *)p = q;
}
INLINE float2 pair(const float *p) { return *(const float2 *)p; }

// bring copies n elements of other blocks, a multiple of 4, to where staging has room.
INLINE void bring(float *to, const Far &from, int n) {
  for (int first = 4 * threadX(); first < n; first += 16 * THREADS) {
    Four v[4];
#pragma unroll
    for (int u = 0; u < 4; u++) {
      const int e = first + 4 * u * THREADS;
      if (e < n) {
        v[u] = from.four(e);
      }
    }
#pragma unroll
    for (int u = 0; u < 4; u++) {
      const int e = first + 4 * u * THREADS;
      if (e < n) {
        keep(to + e, v[u]);
      }
    }
  }
}

