// random.cu is package random in CUDA: numbers from a key and a place (order.h has the hash).
#include "../order/order.h"

// key_of is random.Key.
INLINE unsigned long long key_of(unsigned long long seed, unsigned long long step, unsigned round, unsigned node) {
  return mix64(mix64(mix64(seed) ^ step) ^ ((unsigned long long)round << 32 | node));
}

// dropout: mask is kept where the number of an element is less than below, else 0, and y is x·mask. below is whole
// and at most 2^53. y may be x.
KERNEL(QUAD_THREADS)
dropout(CONTROL, TENSOR(const float, x), TENSOR(float, y), TENSOR(float, mask), TENSOR(const long long, step),
        TENSOR(const long long, seed), int m, int d, int ldx, int ldy, int ldmask, int round, int node, float kept,
        double below) {
  RETURN_IF_DIVERGED
  const Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const unsigned long long limit = (unsigned long long)below;
  const unsigned long long key =
      key_of((unsigned long long)*REPLICA(seed), (unsigned long long)*REPLICA(step), (unsigned)round, (unsigned)node);
  const unsigned long long first = (unsigned long long)q.i * (unsigned)d + (unsigned)q.j + 1;
  Four k;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    k.v[c] = mix64(key + (first + (unsigned)c) * 0x9e3779b97f4a7c15ull) >> 11 < limit ? kept : 0.0f;
  }
  store4(at(REPLICA(mask), ldmask, q.i, q.j), q.n, k);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n,
         each(load4(at(REPLICA(x), ldx, q.i, q.j), q.n), k, [](float v, float s) { return v * s; }));
}
