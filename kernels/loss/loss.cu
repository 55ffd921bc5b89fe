// loss.cu is package loss in CUDA: the kernels. rows.h says how a row comes about.
#include "rows.h"

#define ROWS 4 // rows, and warps, of a block
#define ROW_THREADS (32 * ROWS)

INLINE int row_of_block() { return blockX() * ROWS + threadX() / 32; }

// cross_entropy: losses_i of each row of the m×n logits.
KERNEL(ROW_THREADS)
cross_entropy(CONTROL, TENSOR(const float, logits), TENSOR(const float, labels), TENSOR(float, losses), int m, int n,
              int ldlogits) {
  RETURN_IF_DIVERGED
  const int i = row_of_block();
  if (i < m) {
    cross_entropy_row(at(REPLICA(logits), ldlogits, i, 0), n, REPLICA(labels)[i], REPLICA(losses) + i, 0, 0);
  }
}

// cross_entropy_grad: dz, the gradient of scale_i·losses_i; scales is the number of
// scales, one for all rows or one a row. dz may be logits.
KERNEL(ROW_THREADS)
cross_entropy_grad(CONTROL, TENSOR(const float, logits), TENSOR(const float, labels), TENSOR(const float, scale),
                   TENSOR(float, dz), int m, int n, int ldlogits, int lddz, int scales) {
  RETURN_IF_DIVERGED
  const int i = row_of_block();
  if (i < m) {
    cross_entropy_row(at(REPLICA(logits), ldlogits, i, 0), n, REPLICA(labels)[i], 0,
                      REPLICA(scale) + lesser_of(i, scales - 1), at(REPLICA(dz), lddz, i, 0));
  }
}

// cross_entropy_both: both of them.
KERNEL(ROW_THREADS)
cross_entropy_both(CONTROL, TENSOR(const float, logits), TENSOR(const float, labels), TENSOR(const float, scale),
                   TENSOR(float, losses), TENSOR(float, dz), int m, int n, int ldlogits, int lddz, int scales) {
  RETURN_IF_DIVERGED
  const int i = row_of_block();
  if (i < m) {
    cross_entropy_row(at(REPLICA(logits), ldlogits, i, 0), n, REPLICA(labels)[i], REPLICA(losses) + i,
                      REPLICA(scale) + lesser_of(i, scales - 1), at(REPLICA(dz), lddz, i, 0));
  }
}

// correct: out_i is 1 if the largest logit of row i stands at its label, the lowest
// index of a tie, else 0; 0 for a row with a NaN or a label that is no class.
KERNEL(ROW_THREADS)
correct(CONTROL, TENSOR(const float, logits), TENSOR(const float, labels), TENSOR(float, out), int m, int n,
        int ldlogits) {
  RETURN_IF_DIVERGED
  const int i = row_of_block();
  if (i >= m) {
    return;
  }
  const float *z = at(REPLICA(logits), ldlogits, i, 0);
  const int none = 0x7fffffff;
  float best = -inf32();
  int where = none, nan = 0;
  for (int j = row_lane(); j < n; j += 32) {
    const float v = z[j];
    nan |= v != v;
    if (v > best || where == none) {
      best = v, where = j;
    }
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    const float v = shuffle_xor(best, mask);
    const int j = shuffle_xor(where, mask);
    nan |= shuffle_xor(nan, mask);
    if (v > best || (v == best && j < where)) {
      best = v, where = j;
    }
  }
  if (row_lane() == 0) {
    const int c = class_of(REPLICA(labels)[i], n);
    REPLICA(out)[i] = nan == 0 && c >= 0 && c == where ? 1.0f : 0.0f;
  }
}
