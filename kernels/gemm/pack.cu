// pack.cu rounds matrices to BF16, as products on tensor cores take them: see packed.h.
#include "../cuda/packed.h"

// pack: packed = round(x). Where there is no control it works on all replicas, diverged or not.
KERNEL(QUAD_THREADS)
pack(CONTROL, TENSOR(const float, x), TENSOR(unsigned, packed), int m, int d, int ldx, int ldpacked) {
  after_launch_before();
  if (nonfinite && *REPLICA(nonfinite) >= 0) {
    return;
  }
  Quad q = quad(m, d);
  if (q.n > 0) {
    pack4(REPLICA(packed), ldpacked, q.i, q.j, q.n, d, load4(at(REPLICA(x), ldx, q.i, q.j), q.n));
  }
}
