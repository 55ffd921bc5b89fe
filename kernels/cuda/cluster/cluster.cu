// cluster.cu trains a network for a number of steps in one launch. A cluster of blocks has
// a replica: its weights, the optimizer's state and all that a step computes lie in the
// blocks' shared memory from the first step to the last.
//
// A matrix, or a row of one number a column, is split by columns: of n columns a block owns
// share(n) from own(n).first on, with all of their rows. What works column by column then
// needs nothing of other blocks. A product A·B needs all columns of A: the blocks' shares
// are brought one after the other, in the order of k, so that each element stays one chain
// of fma (multiply.h). What is not split is in every block.
#define GROUPS 16
#define FIRST_COLUMN 0
#include "../../gather/bytes.h"
#include "../../loss/rows.h"
#include "../../order/order.h"
#include "../fused/columnwise.h"

#define THREADS COLUMN_THREADS

// Operations that only clusters have, beside those of ops.h. Numbered as in ops.go.
enum { BATCH = 64, CROSS_ENTROPY_BOTH, MEAN, TICK, BETA_POWER };

// What there is to wait for before an operation.
enum { BLOCK, CLUSTER };

// Step is an operation of the table. Its tensors are those of the kernel of the same name,
// without control.
struct Step {
  int code, m, n, k, act, wait;
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

// share is how many of n columns a block owns, but for the last blocks.
INLINE int share(int n) { return (n + blocks() - 1) / blocks(); }
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
  METHOD float single(int i) const { return float32(number[i]); }
  template <class T>
  METHOD T *get(int i) const {
    return (T *)(arena + o.at[i]); // not split
  }
  METHOD float rate(int) const { return float32(*o.outside<const double>(0)); }
};

// group reads four elements and keep writes them, pair reads two, at a multiple of as many.
INLINE Four group(const float *p) {
  const float4 q = *(const float4 *)p;
  return Four{{q.x, q.y, q.z, q.w}};
}
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

// A thread has an item of a result, TALL×WIDE sums. Items stand as the threads of a tile do
// (thread_row, thread_column of multiply.h), an even number of them in a row.
#define TALL 4

struct Item {
  int i, j; // of the first sum
  bool is;  // whether there is one
};

// item is one of m×n sums by its number.
template <int WIDE>
INLINE Item item(int number, int m, int n) {
  const int half = (n + 2 * WIDE - 1) / (2 * WIDE), i = number / (4 * half) * 2 + number / 2 % 2, j = number % 2 + number / 4 % half * 2;
  return Item{i * TALL, j * WIDE, i * TALL < m && j * WIDE < n};
}
// items is how many there are.
template <int WIDE>
INLINE int items(int m, int n) {
  return (m + 2 * TALL - 1) / (2 * TALL) * ((n + 2 * WIDE - 1) / (2 * WIDE)) * 4;
}

// product: gemm_nn, or gemm_nt if TB, of the block's columns. As many blocks' shares are
// brought at a time as room has; those of the right operand begin behind the others.
template <bool TB>
INLINE void product(const Step &o, float *arena, float *staging, int room) {
  const Own own = owned(o.n, rank());
  const int m = o.m, ldx = o.ld[0], ldy = o.ld[1], left = m * ldx, right = TB ? own.count * ldy : 0;
  const int count = own.count > 0 ? items<2>(m, own.count) : 0, at_once = lesser_of(room / (left + right), blocks());
  const float *b = arena + o.at[1];
  for (int first = 0; first < count; first += THREADS) {
    const Item it = item<2>(first + threadX(), m, own.count);
    int row[TALL];
    float sum[TALL][2];
#pragma unroll
    for (int t = 0; t < TALL; t++) {
      row[t] = lesser_of(it.i + t, m - 1) * ldx;
      sum[t][0] = sum[t][1] = 0;
    }
    const int c0 = it.j * ldy, c1 = lesser_of(it.j + 1, own.count - 1) * ldy;
    for (int r0 = 0; r0 < blocks(); r0 += at_once) {
      const int r1 = lesser_of(r0 + at_once, blocks());
      barrier();
      for (int r = r0; r < r1; r++) {
        float *to = staging + (r - r0) * (left + right);
        bring(to, Far(arena + o.at[0], r), left);
        if (TB) {
          bring(to + left, Far(b + own.first * ldy, r), right);
        }
      }
      barrier();
      for (int r = r0; it.is && r < r1; r++) {
        const Own part = owned(o.k, r);
        const float *x = staging + (r - r0) * (left + right), *y = TB ? x + left : b + part.first * ldy + it.j;
        int k = 0;
#pragma unroll 2
        for (; k + 4 <= part.count; k += 4) {
          Four u[TALL], v[2];
#pragma unroll
          for (int t = 0; t < TALL; t++) {
            u[t] = group(x + row[t] + k);
          }
          if (TB) {
            v[0] = group(y + c0 + k), v[1] = group(y + c1 + k);
          } else {
#pragma unroll
            for (int c = 0; c < 4; c++) {
              const float2 p = pair(y + (k + c) * ldy);
              v[0].v[c] = p.x, v[1].v[c] = p.y;
            }
          }
#pragma unroll
          for (int c = 0; c < 4; c++) {
#pragma unroll
            for (int t = 0; t < TALL; t++) {
              sum[t][0] = fma32(u[t].v[c], v[0].v[c], sum[t][0]);
              sum[t][1] = fma32(u[t].v[c], v[1].v[c], sum[t][1]);
            }
          }
        }
        for (; k < part.count; k++) {
          const float y0 = TB ? y[c0 + k] : y[k * ldy], y1 = TB ? y[c1 + k] : y[k * ldy + 1];
#pragma unroll
          for (int t = 0; t < TALL; t++) {
            sum[t][0] = fma32(x[row[t] + k], y0, sum[t][0]);
            sum[t][1] = fma32(x[row[t] + k], y1, sum[t][1]);
          }
        }
      }
    }
    if (it.is) {
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const float shift = o.at[2] < 0 ? -0.0f : arena[o.at[2] + it.j + e];
#pragma unroll
        for (int t = 0; t < TALL; t++) {
          if (it.i + t < m && it.j + e < own.count) {
            arena[o.at[3] + (it.i + t) * o.ld[3] + it.j + e] = activate(o.act, sum[t][e] + shift);
          }
        }
      }
    }
  }
}

// gradient: gemm_tn of the block's columns: with a learning rate a step of SGD.
INLINE void gradient(const Step &o, float *arena, float *staging, int room) {
  const Own own = owned(o.n, rank());
  const int ldx = o.ld[0], left = o.k * ldx, at_once = lesser_of(room / left, blocks());
  const bool step = o.global[0].p != 0;
  const float alpha = step ? -float32(*o.outside<const double>(0)) : 1.0f;
  for (int r0 = 0; own.count > 0 && r0 < blocks(); r0 += at_once) {
    const int r1 = lesser_of(r0 + at_once, blocks());
    barrier();
    for (int r = r0; r < r1; r++) {
      bring(staging + (r - r0) * left, Far(arena + o.at[0], r), left);
    }
    barrier();
    // The rows of the shares that were brought, a whole number of items each.
    const int high = (share(o.m) + TALL - 1) / TALL * TALL, count = items<4>(high * (r1 - r0), own.count);
    for (int number = threadX(); number < count; number += THREADS) {
      const Item it = item<4>(number, high * (r1 - r0), own.count);
      if (!it.is) {
        continue;
      }
      const int r = it.i / high, i0 = it.i % high;
      const Own part = owned(o.m, r0 + r);
      const float *x = staging + r * left + i0, *y = arena + o.at[1] + it.j;
      Four sum[TALL];
#pragma unroll
      for (int t = 0; t < TALL; t++) {
        sum[t] = Four{{0, 0, 0, 0}};
      }
#pragma unroll 4
      for (int k = 0; k < o.k; k++) {
        const Four u = group(x + k * ldx), v = group(y + k * o.ld[1]);
#pragma unroll
        for (int t = 0; t < TALL; t++) {
          sum[t] = each(v, sum[t], [&](float a, float s) { return fma32(u.v[t], a, s); });
        }
      }
#pragma unroll
      for (int t = 0; t < TALL; t++) { // what is beyond the block's columns stays there
        if (i0 + t < part.count) {
          float *c = arena + o.at[3] + (part.first + i0 + t) * o.ld[3] + it.j;
          keep(c, step ? each(sum[t], group(c), [=](float s, float w) { return fma32(alpha, s, w); }) : sum[t]);
        }
      }
    }
  }
}

// batch: index, then gather_bytes of inputs and of labels.
INLINE void batch(const Step &o, float *arena, long long now) {
  const Own own = owned(o.n, rank());
  const Batch b = {o.m, o.ints[0], o.ints[1], o.ints[2], 0, 0};
  const unsigned char *data = o.outside<const unsigned char>(0), *labels = o.outside<const unsigned char>(1);
  const long long seed = *o.outside<const long long>(2);
  int *rows = (int *)arena + o.at[0];
  for (int i = threadX(); i < o.m; i += THREADS) {
    rows[i] = row_of(b, i, now, seed);
    store4(arena + o.at[2] + i, 1, mapped(o.ints[4], bytes4(labels + rows[i], 1)));
  }
  barrier();
  const int wide = (own.count + 3) / 4;
  for (int item = threadX(); item < o.m * wide; item += THREADS) {
    const int i = item / wide, j = item % wide * 4, n = lesser_of(4, own.count - j);
    store4(at(arena + o.at[1], o.ld[1], i, j), n, mapped(o.ints[3], bytes4(at(data, o.n, rows[i], own.first + j), n)));
  }
}

// cross_entropy: cross_entropy_both, by every block for itself, and the block's columns of
// the gradient.
INLINE void cross_entropy(const Step &o, float *arena, float *staging) {
  const int n = o.n, ld = o.ld[0], part = o.m * ld;
  float *brought = staging + (o.m * n + 3) / 4 * 4;
  for (int r = 0; r < blocks(); r++) {
    bring(brought + r * part, Far(arena + o.at[0], r), part);
  }
  barrier();
  for (int e = threadX(); e < o.m * n; e += THREADS) {
    const int i = e / n, j = e % n, r = j / share(n);
    staging[e] = brought[r * part + i * ld + j - r * share(n)];
  }
  barrier();
  for (int i = threadX() / 32; i < o.m; i += THREADS / 32) {
    float *z = staging + i * n;
    cross_entropy_row(z, n, arena[o.at[1] + i], arena + o.at[3] + i, arena + o.at[2] + lesser_of(i, o.ints[0] - 1), z);
  }
  barrier();
  const Own own = owned(n, rank());
  for (int item = threadX(); item < o.m * own.count; item += THREADS) {
    const int i = item / own.count, j = item % own.count;
    arena[o.at[4] + i * o.ld[4] + j] = staging[i * n + own.first + j];
  }
}

// clear sets what no block owns of a tensor's rows in the arena to 0.
INLINE void clear(const Move &move, float *arena) {
  const int own = owned(move.cols, rank()).count;
  for (int item = threadX(); item < move.rows * move.ld; item += THREADS) {
    if (item % move.ld >= own) {
      arena[move.at + item] = 0;
    }
  }
}

// carry copies what the block has of a tensor, to the arena or back.
INLINE void carry(const Move &move, float *arena, bool back) {
  const Own own = move.split ? owned(move.cols, rank()) : Own{0, move.cols};
  for (int item = threadX(); item < move.rows * own.count; item += THREADS) {
    const int i = item / own.count, j = item % own.count;
    float *in = arena + move.at + i * move.ld + j, *out = at(move.outside(), move.ldglobal, i, own.first + j);
    back ? *out = *in : *in = *out;
  }
}

// cluster: steps times the count operations of the table ops, from the step now on, with
// the moves before the first and after the last. The arena is all of the dynamic shared
// memory, staging the room floats of it from that one on.
KERNEL(THREADS, 1)
cluster(CONTROL, TENSOR(const Step, ops), TENSOR(const Move, moves), TENSOR(const long long, now), TENSOR(float, ring),
        TENSOR(long long, diverged), TENSOR(long long, step), int count, int moving, int staging, int room, int steps, int length) {
  RETURN_IF_DIVERGED
  extern __shared__ float4 memory[]; // aligned to 16 bytes
  float *arena = (float *)memory;
  __shared__ Shared shared;
  const Step *table = REPLICA(ops);
  const Move *list = REPLICA(moves);
  long long t = *REPLICA(now);
  for (int i = 0; i < moving; i++) {
    if (list[i].split) {
      clear(list[i], arena);
    }
    if (list[i].load && (list[i].split || !list[i].store || rank() == 0)) {
      carry(list[i], arena, false);
    }
  }
  cluster_barrier();
  // What is in every block and written back has been brought by the first one.
  for (int i = 0; i < moving; i++) {
    const Move &move = list[i];
    if (move.load && !move.split && move.store && rank() != 0) {
      bring(arena + move.at, Far(arena + move.at, 0), (move.rows * move.ld + 3) / 4 * 4);
    }
  }
  bool over = false;
  long long last = -1;
#pragma unroll 1
  for (int s = 0; s < steps && !over; s++) {
#pragma unroll 1
    for (int i = 0; i < count; i++) {
      const Step &o = table[i];
      if (o.wait == CLUSTER) {
        cluster_barrier();
      } else {
        barrier();
      }
      switch (o.code) {
      case BATCH: batch(o, arena, t); break;
      case GEMM_NN: product<false>(o, arena, arena + staging, room); break;
      case GEMM_NT: product<true>(o, arena, arena + staging, room); break;
      case GEMM_TN: gradient(o, arena, arena + staging, room); break;
      case CROSS_ENTROPY_BOTH: cross_entropy(o, arena, arena + staging); break;
      case MEAN:
        if (threadX() == 0) {
          const float *x = arena + o.at[0];
          arena[o.at[1]] = float32(add_up(0, o.n, [=](int i) { return (double)x[i]; }) / (double)o.n);
        }
        break;
      case TICK: {
        const float loss = arena[o.at[0]];
        if (rank() == 0 && threadX() == 0) {
          REPLICA(ring)[t % length] = loss;
        }
        if (loss - loss != 0) {
          over = true, last = t;
        }
        t++;
        break;
      }
      case BETA_POWER:
        if (threadX() == 0) {
          double *p = (double *)(arena + o.at[0]);
          p[0] *= o.number[0];
          p[1] *= o.number[1];
        }
        break;
      default: {
        const int own = owned(o.n, rank()).count;
        for (int from = 0; from < own; from += COLUMNS) {
          if (from > 0) {
            barrier();
          }
          columnwise(Part(o, arena, from, own), shared);
        }
      }
      }
    }
  }
  cluster_barrier();
  for (int i = 0; i < moving; i++) {
    if (list[i].store && (list[i].split || rank() == 0)) {
      carry(list[i], arena, true);
    }
  }
  if (rank() == 0 && threadX() == 0) {
    *REPLICA(step) = t;
    if (over) {
      *REPLICA(diverged) = last;
    }
  }
}
