// step.cu holds the instructions before the first layer of a step and those after the
// last, as one launch each. Their bits are those of the instructions one by one.
#include "../../gather/bytes.h"
#include "../../gemm/multiply.h"
#include "../../loss/rows.h"
#include "../../norm/columns.h"
#include "../../order/order.h"

// batch: begin, then index, then gather_bytes of inputs and of labels: rows_i is the
// number of row i of the batch of m, x its cols bytes mapped, y its label.
KERNEL(QUAD_THREADS)
batch(TENSOR(const unsigned char, data), TENSOR(const unsigned char, labels), TENSOR(int, rows), TENSOR(float, x),
      TENSOR(float, y), TENSOR(long long, halted), TENSOR(long long, now), TENSOR(const long long, diverged),
      TENSOR(const long long, step), TENSOR(const long long, seed), int m, int cols, int ldx, int map, int labelmap,
      int total, int all, int how, int round, int valid) {
  after_launch_before();
  const long long stop = *REPLICA(diverged), t = *REPLICA(step);
  if (blockX() == 0 && threadX() == 0) {
    *REPLICA(halted) = stop;
    *REPLICA(now) = t;
  }
  Quad q = quad(m, cols);
  if (stop >= 0 || q.n == 0) {
    return;
  }
  const Batch b = {m, total, all, how, round, valid};
  const int row = row_of(b, q.i, t, *REPLICA(seed));
  store4(at(REPLICA(x), ldx, q.i, q.j), q.n, mapped(map, bytes4(at(REPLICA(data), cols, row, q.j), q.n)));
  if (q.j == 0) {
    REPLICA(rows)[q.i] = row;
    store4(REPLICA(y) + q.i, 1, mapped(labelmap, bytes4(REPLICA(labels) + row, 1)));
  }
}

#define HEAD_THREADS 512

// head: the last layer and what ends a step, in one block: gemm, then
// cross_entropy_both, then mean, then tick.
//
//	logits = a·b + bias
//	losses, dz                     as cross_entropy_both
//	loss = mean of losses; ring, diverged, step as tick
//
// A thread computes an element of the logits at a time, which suits few classes. bias
// may be null.
KERNEL(HEAD_THREADS, 1)
head(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(const float, bias), TENSOR(const float, labels),
     TENSOR(const float, scale), TENSOR(float, logits), TENSOR(float, losses), TENSOR(float, dz), TENSOR(float, loss),
     TENSOR(float, ring), TENSOR(long long, diverged), TENSOR(long long, step), int m, int n, int k, int lda, int ldb,
     int ldlogits, int lddz, int scales, int length) {
  RETURN_IF_DIVERGED
  const float *left = REPLICA(a), *right = REPLICA(b), *shift = REPLICA(bias);
  float *z = REPLICA(logits);
  const int chunk = chunk_of(k);
  for (int e = threadX(); e < m * n; e += HEAD_THREADS) {
    const int i = e / n, j = e - i * n;
    const float *x = at(left, lda, i, 0);
    float v = 0;
    for (int k0 = 0; k0 == 0 || k0 < k; k0 += chunk) {
      const int k1 = lesser_of(k - k0, chunk) + k0;
      float s = 0;
#pragma unroll 8
      for (int p = k0; p < k1; p++) {
        s = fma32(x[p], *at(right, ldb, p, j), s);
      }
      v = k0 == 0 ? s : v + s;
      if (k == 0) {
        break;
      }
    }
    *at(z, ldlogits, i, j) = shift ? v + shift[j] : v;
  }
  barrier();
  for (int i = threadX() / 32; i < m; i += HEAD_THREADS / 32) {
    cross_entropy_row(at(z, ldlogits, i, 0), n, REPLICA(labels)[i], REPLICA(losses) + i,
                      REPLICA(scale) + lesser_of(i, scales - 1), at(REPLICA(dz), lddz, i, 0));
  }
  barrier();
  if (threadX() == 0) {
    const float *rows = REPLICA(losses);
    const float mean = float32(add_up(0, m, [=](int i) { return (double)rows[i]; }) / (double)m);
    *REPLICA(loss) = mean;
    long long *count = REPLICA(step);
    const long long t = *count;
    REPLICA(ring)[t % length] = mean;
    if (mean - mean != 0) {
      *REPLICA(diverged) = t;
    }
    *count = t + 1;
  }
}
