// cluster.cu trains a network for a number of steps in one launch. A cluster of blocks has
// a replica: its weights, the optimizer's state and all that a step computes lie in the
// blocks' shared memory from the first step to the last.
//
// A matrix, or a row of one number a column, is split by columns: of n columns a block owns
// share(n) from own(n).first on, with all of their rows. What works column by column then
// needs nothing of other blocks. A product A·B needs all columns of A: the blocks' shares
// are brought one after the other, in the order of k, so that each element stays one chain
// of fma (multiply.h). What is not split is in every block.
#include "operations.h"
#include "products.h"

// clear sets to 0 what no block owns of a tensor's rows in the arena, and what is beyond them
// up to a multiple of 16 bytes.
INLINE void clear(const Move &move, float *arena) {
  const int own = move.split ? owned(move.cols, rank()).count : move.ld, all = move.rows * move.ld;
  for (int item = threadX(); item < (all + 3) / 4 * 4; item += THREADS) {
    if (item >= all || item % move.ld >= own) {
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
  double squares = 0; // of the first thread
  const Step *table = REPLICA(ops);
  const Move *list = REPLICA(moves);
  long long t = *REPLICA(now);
  for (int i = 0; i < moving; i++) {
    clear(list[i], arena);
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
      case CROSS_ENTROPY_BOTH:
        if (o.n <= 16) {
          cross_entropy<4>(o, arena, arena + staging);
        } else {
          cross_entropy<32>(o, arena, arena + staging);
        }
        break;
      case MEAN: mean(o, arena); break;
      case LEARNING_RATE: learning_rate(o, arena, t); break;
      case CLIP_SCALE: clip_scale(o, arena, arena + staging, squares); break;
      case TRANSPOSE: transpose(o, arena); break;
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
      case BETA_POWER: beta_power(o, arena); break;
      default: {
        const int own = o.whole ? o.n : owned(o.n, rank()).count;
        for (int from = 0; from < own; from += COLUMNS) {
          if (from > 0) {
            barrier();
          }
          const Part part(o, arena, from, own);
          o.code >= BATCH ? alone(part, shared) : columnwise(part, shared);
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
