// activation.cu is package activation in CUDA, four columns a thread.
#include "../cuda/scalar.h"

// activate: y = f(x) of the kind that act says; y may be x.
KERNEL(QUAD_THREADS)
activation(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int act) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, activate(act, load4(at(REPLICA(x), ldx, q.i, q.j), q.n)));
  }
}

// activation_grad: dx = g·f'(x) from the output y = f(x); dx may be g or y.
KERNEL(QUAD_THREADS)
activation_grad(CONTROL, TENSOR(const float, y), TENSOR(const float, g), TENSOR(float, dx), int m, int d, int ldy,
                int ldg, int lddx, int act) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    Four out = load4(at(REPLICA(y), ldy, q.i, q.j), q.n), r = load4(at(REPLICA(g), ldg, q.i, q.j), q.n);
    store4(at(REPLICA(dx), lddx, q.i, q.j), q.n, activate_grad(act, out, r));
  }
}
